# SPDX-License-Identifier: AGPL-3.0-or-later
"""Two relays of one make that know each other, for the benchmark between relays: the first sends, the second receives.

Each has an address of loopback for itself with the ports that a relay in the world has; so they need a network namespace of their own.
There is no DNS: Razdar's operators have entered the other relay with its certificate and its key for signatures, Postfix has it in its
hosts file.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

from bench.peer import PeerTarget
from bench.plan import play
from bench.target import RAISED, RazdarTarget, Target

from razdar.adapters.certificate_look import look
from razdar.adapters.identity import published_key
from razdar.adapters.names_file import FILE_NAME, check_key, put_peer
from razdar.ports.resolver import Peer
from razdar.services.dkim_signing import SELECTOR

RAISED_HERE = RAISED | {
    "peer_messages_per_minute": 1_000_000,
    "peer_bytes_per_minute": 1_000_000_000_000,
    "peer_share": 1,
    "sender_share": 1,
    "push": "false",
    "dns": "false",
}
"""One relay stands for all that write to this one."""
NOBODY_LISTENS = 9
"""The HTTPS port of a relay that is to be written to over SMTP: the courier tries `/mxdeliv`, is refused, and has SMTP at once."""
T = TypeVar("T", bound=Target)


class Couple(Generic[T]):
    """Ready from `__enter__` to `__exit__`; both run between `start` and `stop`. `people` write from the first to the second."""

    def __init__(self, name: str, sending: T, receiving: T) -> None:
        self.name = name
        self.sending, self.receiving = sending, receiving
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for each in (self.sending, self.receiving):
            self._stack.enter_context(each)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, trace)

    def start(self) -> None:
        self.receiving.start()
        self.sending.start()

    def stop(self) -> None:
        """The sender first: it ends when nothing waits any more."""
        self.sending.stop()
        self.receiving.stop()

    def prepare(self, pairs: int) -> None:
        """They know each other, and so many people have been at each of them. Both have stopped."""
        self.start()
        self.introduce()
        for each in (self.sending, self.receiving):
            for case in ("visit", "welcome"):
                play(each, case, each.people(pairs))
        self.stop()

    def introduce(self) -> None:
        """Both run."""

    def people(self, pairs: int) -> tuple[Sequence[tuple[str, str]], Sequence[tuple[str, str]]]:
        """Senders and receivers."""
        return self.sending.people(pairs), self.receiving.people(pairs)


class RazdarCouple(Couple[RazdarTarget]):
    """`by_smtp`: each was told of an HTTPS port of the other where nobody listens."""

    def __init__(self, name: str, checkout: Path, number: int, *, by_smtp: bool = False, profile: Path | None = None) -> None:
        first, second = (
            RazdarTarget(
                name,
                checkout,
                profile.with_name(f"{profile.name}.{side}") if profile is not None else None,
                domain=f"{side}{number}.test",
                bind=f"127.0.{number}.{place}",
                ports="standard",
                settings=RAISED_HERE,
            )
            for side, place in (("sending", 1), ("receiving", 2))
        )
        super().__init__(name, first, second)
        self._https = NOBODY_LISTENS if by_smtp else 443

    def introduce(self) -> None:
        for one, other in ((self.sending, self.receiving), (self.receiving, self.sending)):
            put_peer(one.data / FILE_NAME, other.domain, self._entry(other))

    def _entry(self, relay: RazdarTarget) -> Peer:
        """What an operator gets with `peer add --pin --dkim`. In force from the next start on."""
        seen = look(relay.domain, (relay.bind,), 443)
        assert seen is not None, "it runs"
        domain, record = published_key(relay.data)
        return Peer(domain, (relay.bind,), self._https, 25, seen.pin, (check_key(f"{SELECTOR}:{record}"),), is_confirmed=True)


class PostfixCouple(Couple[PeerTarget]):
    """Two chatmail relays of Postfix and Dovecot."""

    def __init__(self, number: int) -> None:
        first, second = (
            PeerTarget(domain=f"{side}{number}.test", bind=f"127.0.{number}.{place}") for side, place in (("sending", 1), ("receiving", 2))
        )
        super().__init__(first.name, first, second)

    def introduce(self) -> None:
        for one, other in ((self.sending, self.receiving), (self.receiving, self.sending)):
            one.name_server(other.domain, other.bind)
