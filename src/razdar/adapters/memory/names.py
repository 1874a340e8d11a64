# SPDX-License-Identifier: AGPL-3.0-or-later
"""Names without DNS, for tests and for a relay that was told not to ask: a resolver that knows a table, and a book of peers in RAM."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from razdar.ports.resolver import Answer, Mx, NoSuchName, Peer, ResolverUnavailable

T = TypeVar("T")


@dataclass(slots=True)
class MemoryResolver:
    """Answers from three tables by name in lower case. While `is_silent`, earlier good answers are remembered, as the real one does."""

    mxs: Mapping[str, Iterable[Mx]] = field(default_factory=dict)
    hosts: Mapping[str, Iterable[str]] = field(default_factory=dict)
    texts: Mapping[str, Iterable[bytes]] = field(default_factory=dict)
    is_silent: bool = False
    asked: list[str] = field(default_factory=list)
    """Every name that was looked up."""
    _good: dict[tuple[str, str], tuple[object, ...]] = field(default_factory=dict)

    async def mx(self, domain: str) -> Answer[Mx]:
        return self._answer("mx", self.mxs, domain)

    async def addresses(self, host: str) -> Answer[str]:
        return self._answer("addresses", self.hosts, host)

    async def txt(self, name: str) -> Answer[bytes]:
        return self._answer("txt", self.texts, name)

    def _answer(self, kind: str, table: Mapping[str, Iterable[T]], name: str) -> Answer[T]:
        name = name.lower().removesuffix(".")
        self.asked.append(name)
        if self.is_silent:
            if (kind, name) not in self._good:
                raise ResolverUnavailable
            return Answer(self._good[kind, name], is_remembered=True)  # type: ignore[arg-type]
        values = tuple(table.get(name, ()))
        if not values:
            raise NoSuchName
        values = tuple(sorted(values, key=_preference))
        self._good[kind, name] = values
        return Answer(values, is_remembered=False)


class MemoryPeers:
    """A peer book of these entries."""

    def __init__(self, *peers: Peer) -> None:
        self._peers = {peer.name: peer for peer in peers}

    def find(self, name: str) -> Peer | None:
        return self._peers.get(name.lower())


def _preference(value: object) -> int:
    return value.preference if isinstance(value, Mx) else 0
