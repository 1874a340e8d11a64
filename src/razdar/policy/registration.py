"""Who gets an account, and the names and passwords that this relay makes up itself.

The apps make an account by logging in to a name that does not exist yet, so a refusal here is answered like a wrong password: where
registration is not open, nobody learns which names exist.
"""

import re
import string
from collections.abc import Callable

from razdar.model.address import Address
from razdar.model.verdict import ACCEPT, Verdict
from razdar.settings import Settings
from razdar.wire.smtp.replies import AUTH_FAILED

LOCAL_PART_CHARACTERS = 9
PASSWORD_CHARACTERS = 22
"""128 bits with the 57 letters below, which fit into any link and cannot be mistaken for each other when read aloud or typed."""

_LOCAL_PART = re.compile(r"[a-z0-9._-]+")
_NAME_LETTERS = string.ascii_lowercase + string.digits
_PASSWORD_LETTERS = "".join(letter for letter in string.ascii_letters + string.digits if letter not in "0O1lI")

RESERVED = frozenset(
    {"mailer-daemon", "mail-daemon", "postmaster", "hostmaster", "webmaster", "administrator", "root", "abuse", "security", "support"}
)
"""Names that people or programs take for the relay itself (RFC 2142); a delivery report comes from the first."""


def may_register(address: Address, password: str, settings: Settings) -> Verdict:
    """Accepts a new account for whoever logs in with this name and password, if registration is open and both are fit."""
    is_fit = (
        settings.registration == "open"
        and settings.local_part_min <= len(address.local) <= settings.local_part_max
        and _LOCAL_PART.fullmatch(address.local) is not None
        and address.local not in RESERVED
        and len(password) >= settings.password_min
    )
    return ACCEPT if is_fit else AUTH_FAILED


def make_credentials(entropy: Callable[[int], bytes], domain: str) -> tuple[Address, str]:
    """A random name of 9 characters, as the apps make them, and a random password."""
    local = _pick(entropy, _NAME_LETTERS, LOCAL_PART_CHARACTERS)
    return Address(local, domain), _pick(entropy, _PASSWORD_LETTERS, PASSWORD_CHARACTERS)


def _pick(entropy: Callable[[int], bytes], letters: str, count: int) -> str:
    """Letters with equal chances: bytes in the incomplete last round of the alphabet are thrown away."""
    fair = 256 - 256 % len(letters)
    picked = ""
    while len(picked) < count:
        picked += "".join(letters[byte % len(letters)] for byte in entropy(count) if byte < fair)
    return picked[:count]
