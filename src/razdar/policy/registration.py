# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who gets an account, and the names and passwords that this relay makes up itself.

The apps make an account by logging in to a name that does not exist yet, so a refusal here is answered like a wrong password: where
registration is not open, nobody learns which names exist.

When sign-ups flood in, a gate shuts that way for a while. It decides about new names and about nothing else: whoever has an account logs in
past it, and invitations do not go through it.
"""

import re
import string
from collections.abc import Callable
from dataclasses import dataclass, replace

from razdar.model.address import Address
from razdar.model.verdict import ACCEPT, Verdict
from razdar.policy.rate import TokenBucket
from razdar.settings import Settings
from razdar.wire.report import LOCAL_PART
from razdar.wire.smtp.replies import AUTH_FAILED

LOCAL_PART_CHARACTERS = 9
PASSWORD_CHARACTERS = 22
"""128 bits with the 57 letters below, which fit into any link and cannot be mistaken for each other when read aloud or typed."""

_LOCAL_PART = re.compile(r"[a-z0-9._-]+")
_NAME_LETTERS = string.ascii_lowercase + string.digits
_PASSWORD_LETTERS = "".join(letter for letter in string.ascii_letters + string.digits if letter not in "0O1lI")

RESERVED = frozenset(
    {LOCAL_PART, "mail-daemon", "postmaster", "hostmaster", "webmaster", "administrator", "root", "abuse", "security", "support"}
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


@dataclass(frozen=True, slots=True)
class SignUpGate:
    """How many may still join without an invitation, at a moment of a clock that only goes forward."""

    bucket: TokenBucket
    shut_until_s: float = 0.0

    @classmethod
    def open(cls, settings: Settings, now_s: float) -> "SignUpGate":
        """With room for a whole hour's people at once: a school comes on its first morning."""
        return cls(TokenBucket.full(settings.signups_per_hour, settings.signups_per_hour / 3600, now_s))

    def is_open(self, now_s: float) -> bool:
        """Whether one more might come in; nobody is counted."""
        return now_s >= self.shut_until_s and self.bucket.refilled(now_s).tokens >= 1

    def one_more(self, settings: Settings, now_s: float) -> tuple["SignUpGate", bool]:
        """The gate afterwards, and whether that one came in. The first who does not fit shuts it for `signup_pause_minutes`."""
        if now_s < self.shut_until_s:
            return self, False
        bucket, has_room = self._at_the_rate_of(settings).take(now_s)
        return SignUpGate(bucket, self.shut_until_s if has_room else now_s + 60 * settings.signup_pause_minutes), has_room

    def _at_the_rate_of(self, settings: Settings) -> TokenBucket:
        """A reload may have changed it."""
        most = float(settings.signups_per_hour)
        return replace(self.bucket, burst=most, per_second=most / 3600, tokens=min(most, self.bucket.tokens))


def make_credentials(entropy: Callable[[int], bytes], domain: str) -> tuple[Address, str]:
    """A random name of 9 characters, as the apps make them, and a random password."""
    local = pick(entropy, _NAME_LETTERS, LOCAL_PART_CHARACTERS)
    return Address(local, domain), make_password(entropy)


def make_password(entropy: Callable[[int], bytes]) -> str:
    """22 letters, 128 bits."""
    return pick(entropy, _PASSWORD_LETTERS, PASSWORD_CHARACTERS)


def pick(entropy: Callable[[int], bytes], letters: str, count: int) -> str:
    """So many letters, each with equal chance: bytes in the incomplete last round of the alphabet are thrown away."""
    fair = 256 - 256 % len(letters)
    picked = ""
    while len(picked) < count:
        picked += "".join(letters[byte % len(letters)] for byte in entropy(count) if byte < fair)
    return picked[:count]
