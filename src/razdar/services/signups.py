# SPDX-License-Identifier: AGPL-3.0-or-later
"""Joining without an invitation: the names that the page hands out, and the gate that shuts when too many come at once.

A ticket stands for one visitor's account before it exists. The page puts it into its form; name and password follow from it and from a key
in RAM, so whoever sends the same form twice, because the line broke or the phone threw the page away, gets the same account again and not a
second one. Nothing is kept of a ticket. The key is replaced every hour and forgotten after two; then its tickets open nothing.

A name is counted when it is made by its first login, because that costs whoever floods us some work, and showing a form does not. One
network can use up a third of what the gate lets in. A name that the page handed out while the gate was open gets in even if it shuts
meanwhile.
"""

import base64
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator

from razdar.model.address import Address
from razdar.model.verdict import ACCEPT, Refusal, Verdict
from razdar.policy.rate import RateBook
from razdar.policy.registration import SignUpGate, make_credentials
from razdar.ports.clock import Clock, Entropy
from razdar.settings import Settings
from razdar.wire.smtp.replies import AUTH_FAILED

KEY_BYTES, NONCE_BYTES = 32, 16
TICKET_S = 3600.0
"""A ticket is good for one to two of these."""
EXPECTED_MAX = 10_000
"""Names handed out whose first login is awaited, 100 bytes each. Who was pushed out comes like anybody else."""
NETWORKS_SHARE = 3
TOO_MANY = Refusal(450, "4.7.1", "Very many people join at this moment; please come again later")


class Tickets:
    """Makes them, and the credentials that follow from them."""

    def __init__(self, clock: Clock, entropy: Entropy, domain: str) -> None:
        self._clock = clock
        self._entropy = entropy
        self._domain = domain
        self._keys: dict[int, bytes] = {}

    def fresh(self) -> str:
        """A ticket that nobody has had: 24 letters for a form. As secret as the password that follows from it."""
        hour = self._hour()
        self._key(hour)
        return base64.urlsafe_b64encode((hour % 65_536).to_bytes(2, "big") + self._entropy(NONCE_BYTES)).decode()

    def credentials(self, ticket: str, context: str = "") -> tuple[Address, str] | None:
        """The same name and password for the same ticket and context; None for one that is too old or no ticket at all.

        Whoever knows the ticket has the account, so only a form that came from our own page may use one (web/forms.py).
        """
        try:
            raw = base64.b64decode(ticket.encode("ascii"), altchars=b"-_", validate=True)
        except ValueError:
            return None
        hour = next((each for each in (self._hour(), self._hour() - 1) if raw[:2] == (each % 65_536).to_bytes(2, "big")), None)
        key = None if hour is None or len(raw) != 2 + NONCE_BYTES else self._keys.get(hour)
        return None if key is None else make_credentials(_stream(key, raw + context.encode()), self._domain)

    def _hour(self) -> int:
        hour = int(self._clock.monotonic() // TICKET_S)
        for old in [each for each in self._keys if each < hour - 1]:
            del self._keys[old]
        return hour

    def _key(self, hour: int) -> None:
        if hour not in self._keys:
            self._keys[hour] = self._entropy(KEY_BYTES)


def _stream(key: bytes, seed: bytes) -> Callable[[int], bytes]:
    """Bytes that follow from `key` and `seed`, one block of keyed BLAKE2b after the other."""
    inner = hashlib.blake2b(seed, key=key, person=b"razdar ticket", digest_size=32).digest()

    def blocks() -> Iterator[int]:
        number = 0
        while True:
            yield from hashlib.blake2b(number.to_bytes(4, "big"), key=inner, person=b"razdar ticket 2").digest()
            number += 1

    stream = blocks()
    return lambda count: bytes(next(stream) for _ in range(count))


class SignUps:
    """The gate, and who has passed it."""

    def __init__(
        self, settings: Callable[[], Settings], clock: Clock, entropy: Entropy, count: Callable[[str], None] = lambda _: None
    ) -> None:
        """`count` hears that somebody was turned away, never who."""
        self._settings = settings
        self._clock = clock
        self._count = count
        self._gate = SignUpGate.open(settings(), clock.monotonic())
        self._key = entropy(KEY_BYTES)
        self._expected: OrderedDict[bytes, None] = OrderedDict()
        self._left: OrderedDict[bytes, None] = OrderedDict()
        self._networks = 0, RateBook(1, 1)

    def is_open(self) -> bool:
        """Whether somebody could join now without an invitation."""
        return self._settings().registration == "open" and self._gate.is_open(self._clock.monotonic())

    def offer(self, address: Address) -> bool:
        """Whether the page may hand out that name."""
        if not self.is_open():
            return self._digest(address) in self._expected
        self._expected[self._digest(address)] = None
        if len(self._expected) > EXPECTED_MAX:
            self._expected.popitem(last=False)
        return True

    def bar(self, address: Address) -> None:
        """Its owner takes the account away: devices that still know the password do not make it anew by logging in, until a restart."""
        self._left[self._digest(address)] = None
        if len(self._left) > EXPECTED_MAX:
            self._left.popitem(last=False)

    def first_login(self, address: Address, network: bytes) -> Verdict:
        """Whether a name that does not exist may be made by logging in to it, from there. It is counted."""
        digest = self._digest(address)
        if digest in self._left:
            return AUTH_FAILED
        is_expected = self._expected.pop(digest, True) is None
        if self._one_more(network) or is_expected:
            return ACCEPT
        self._count("signup.refused")
        return TOO_MANY

    def _one_more(self, network: bytes) -> bool:
        now_s = self._clock.monotonic()
        if not self._book().take(network, now_s):
            return False
        self._gate, may_come = self._gate.one_more(self._settings(), now_s)
        return may_come

    def _book(self) -> RateBook:
        """What each network has used; begun anew when a reload changes the rate."""
        per_hour = self._settings().signups_per_hour
        if self._networks[0] != per_hour:
            self._networks = per_hour, RateBook(per_hour / NETWORKS_SHARE / 60, max(1.0, per_hour / NETWORKS_SHARE))
        return self._networks[1]

    def _digest(self, address: Address) -> bytes:
        return hashlib.blake2b(str(address).encode(), key=self._key, person=b"razdar signup", digest_size=16).digest()
