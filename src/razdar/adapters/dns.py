# SPDX-License-Identifier: AGPL-3.0-or-later
"""Names of other relays, from DNS. Implements `ports.resolver.Resolver` with dnspython on the event loop.

An answer is good for as long as DNS says, within bounds; that there is none, or no answer now, for a short while. A question is asked once
however many wait for it, few at a time, fewer for one domain, and each ends within `PATIENCE_S`. Every good answer goes into the known
names (known_names.py); when DNS does not answer, the known one is given, marked. Names that by their nature are not in DNS are never asked
for: that would tell somebody's resolver whom we write to. DNSSEC is not validated; dnspython checks id, port and question of an answer.
"""

import asyncio
import ipaddress
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Generic, TypeVar, cast
from weakref import WeakValueDictionary

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.resolver
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.TXT import TXT

from razdar.adapters.known_names import KnownNames
from razdar.model.trouble import dns_server_malformed
from razdar.ports.resolver import Answer, Mx, NoSuchName, ResolverUnavailable

T = TypeVar("T")

PATIENCE_S = 8.0
_TRY_S = 2.0
"""For one server; then the next is asked, and all again until `PATIENCE_S` is over."""
GOOD_MIN_S, GOOD_MAX_S = 30.0, 86_400.0
NONE_S = 120.0
"""A name that was entered a moment too late is found soon (RFC 2308 section 5 would allow three hours)."""
FAILED_S = 5.0
"""So that a message for a hundred people waits for dead DNS once."""
CACHE_MAX = 10_000
AT_ONCE_MAX, WAITING_MAX = 32, 1_000
ZONE_AT_ONCE_MAX = 4
"""For names that end in the same two labels: whoever has a domain has servers that say nothing, and as many names as he likes."""
_VALUES_MAX = {"mx": 20, "addresses": 16, "txt": 8}
_TEXT_BYTES_MAX = 4_096
_NOT_IN_DNS = {"alt", "onion", "localhost", "invalid"}  # RFC 9476, RFC 7686, RFC 6761
_RESOLV_CONF = Path("/etc/resolv.conf")


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    until: float
    values: tuple[T, ...] | None
    """None: nobody could tell."""


@dataclass(frozen=True, slots=True)
class _Found(Generic[T]):
    values: tuple[T, ...]
    seconds: float


class DnsResolver:
    """Asks the machine's resolvers, or the given ones."""

    def __init__(self, known: KnownNames, monotonic: Callable[[], float], *, servers: Sequence[str] = (), is_on: bool = True) -> None:
        """`servers` as `address` or `address:port`; empty: those of the machine, read again whenever they change. Trouble if malformed.

        Not `is_on`: nobody is asked, what is known is all there is.
        """
        self._known = known
        self._monotonic = monotonic
        self._is_on = is_on
        self._servers = [parse_server(each) for each in servers]
        self._machine: tuple[object, dns.asyncresolver.Resolver] | None = None
        self._cache: OrderedDict[tuple[str, str], _Kept[object]] = OrderedDict()
        self._running: dict[tuple[str, str], asyncio.Task[tuple[object, ...] | None]] = {}
        self._places = {is_key: asyncio.Semaphore(AT_ONCE_MAX // 2) for is_key in (False, True)}  # strangers make us ask for keys
        self._zones: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def mx(self, domain: str) -> Answer[Mx]:
        return await self._look("mx", domain, self._mx)

    async def addresses(self, host: str) -> Answer[str]:
        return await self._look("addresses", host, self._addresses)

    async def txt(self, name: str) -> Answer[bytes]:
        return await self._look("txt", name, self._txt)

    async def close(self) -> None:
        """No question is under way any more. Whoever waits for one hears that nobody could tell."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, kind: str, name: str, ask: Callable[[str], Awaitable[_Found[T]]]) -> Answer[T]:
        key = kind, name.lower().removesuffix(".")
        if key[1].rpartition(".")[2] in _NOT_IN_DNS:
            raise NoSuchName
        values = await self._fresh(key, cast("Callable[[str], Awaitable[_Found[object]]]", ask)) if self._is_on else None
        if values is None:
            known = self._known.find(*key)
            if known is None:
                raise ResolverUnavailable
            return Answer(cast("tuple[T, ...]", known), is_remembered=True)
        if not values:
            raise NoSuchName
        return Answer(cast("tuple[T, ...]", values), is_remembered=False)

    async def _fresh(self, key: tuple[str, str], ask: Callable[[str], Awaitable[_Found[object]]]) -> tuple[object, ...] | None:
        """From the cache or from DNS; empty: there is none; None: nobody could tell."""
        kept = self._cache.get(key)
        if kept is not None and self._monotonic() < kept.until:
            return kept.values
        task = self._running.get(key)
        if task is None:
            if len(self._running) >= WAITING_MAX:
                return None
            task = self._running[key] = asyncio.create_task(self._ask(key, ask))
            task.add_done_callback(lambda _: self._running.pop(key, None))
        await asyncio.wait([task])  # whoever stops waiting stops for himself only
        return None if task.cancelled() else task.result()

    async def _ask(self, key: tuple[str, str], ask: Callable[[str], Awaitable[_Found[object]]]) -> tuple[object, ...] | None:
        try:
            zone = self._zone(key[1])
            async with asyncio.timeout(2 * PATIENCE_S), zone, self._places[key[0] == "txt"]:
                found = await ask(key[1])
            self._known.note(*key, found.values)
            self._keep(key, found.values, min(max(found.seconds, GOOD_MIN_S), GOOD_MAX_S))
        except NoSuchName:
            self._known.note(*key, ())
            self._keep(key, (), NONE_S)
        except (ResolverUnavailable, TimeoutError):
            self._keep(key, None, FAILED_S)
        return self._cache[key].values

    def _zone(self, name: str) -> asyncio.Semaphore:
        """The places of all names that end like this one; there as long as somebody needs them."""
        return self._zones.setdefault(".".join(name.split(".")[-2:]), asyncio.Semaphore(ZONE_AT_ONCE_MAX))

    def _keep(self, key: tuple[str, str], values: tuple[object, ...] | None, seconds: float) -> None:
        self._cache[key] = _Kept(self._monotonic() + seconds, values)
        self._cache.move_to_end(key)
        while len(self._cache) > CACHE_MAX:
            self._cache.popitem(last=False)

    # questions

    async def _mx(self, domain: str) -> _Found[Mx]:
        answer = await self._resolve(domain, "MX")
        found = [Mx(each.preference, _text(each.exchange)) for each in cast("list[MX]", list(answer))]
        return _Found(tuple(sorted(found, key=lambda each: each.preference))[: _VALUES_MAX["mx"]], answer.expiration_s)

    async def _addresses(self, host: str) -> _Found[str]:
        """Both families at the same time, taking turns in the result. One that nobody could tell does not spoil the other."""
        both = await asyncio.gather(self._resolve(host, "AAAA"), self._resolve(host, "A"), return_exceptions=True)
        good = [each for each in both if isinstance(each, _Records)]
        if not good:
            raise next((each for each in both if not isinstance(each, NoSuchName | _Records)), NoSuchName())
        texts = [[str(record.address) for record in each] for each in good]  # type: ignore[attr-defined]
        turns = [each for each in chain.from_iterable(zip_longest(*texts)) if each is not None]
        return _Found(tuple(turns[: _VALUES_MAX["addresses"]]), min(each.expiration_s for each in good))

    async def _txt(self, name: str) -> _Found[bytes]:
        answer = await self._resolve(name, "TXT")
        joined = (b"".join(each.strings) for each in cast("list[TXT]", list(answer)))
        values = tuple(each for each in joined if len(each) <= _TEXT_BYTES_MAX)[: _VALUES_MAX["txt"]]
        if not values:
            raise NoSuchName
        return _Found(values, answer.expiration_s)

    async def _resolve(self, name: str, kind: str) -> "_Records":
        try:
            asked = dns.name.from_text(name + ".")
            answer = await self._resolver().resolve(asked, kind, lifetime=PATIENCE_S, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.resolver.YXDOMAIN, UnicodeError) as error:
            raise NoSuchName from error
        except (dns.name.EmptyLabel, dns.name.LabelTooLong, dns.name.NameTooLong, dns.name.BadEscape) as error:
            raise NoSuchName from error
        except (dns.exception.DNSException, OSError, EOFError) as error:
            raise ResolverUnavailable from error
        return _Records(answer)

    def _resolver(self) -> dns.asyncresolver.Resolver:
        state = None if self._servers else _state(_RESOLV_CONF)
        if self._machine is None or self._machine[0] != state:
            resolver = dns.asyncresolver.Resolver(configure=not self._servers)
            if self._servers:
                resolver.nameservers = list(self._servers)
            resolver.timeout = _TRY_S
            self._machine = state, resolver
        return self._machine[1]


class _Records(list[object]):
    """The records of an answer, and for how many seconds they are good."""

    def __init__(self, answer: dns.resolver.Answer) -> None:
        super().__init__(answer)
        self.expiration_s = float(answer.rrset.ttl if answer.rrset is not None else 0)


def parse_server(text: str) -> dns.nameserver.Nameserver:
    """`192.0.2.1`, `192.0.2.1:5300`, `2001:db8::1` or `[2001:db8::1]:5300`. Trouble if it is none of these."""
    address, colon, port = text.rpartition(":")
    if not colon or (":" in address and not address.startswith("[")) or not port.isdecimal():
        address, port = text, "53"
    bare = address.removeprefix("[").removesuffix("]")
    try:
        if not 0 < int(port) < 65_536:
            raise ValueError(port)
        return dns.nameserver.Do53Nameserver(str(ipaddress.ip_address(bare)), int(port))
    except ValueError as error:
        raise dns_server_malformed(text) from error


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower().removesuffix(".")


def _state(path: Path) -> object:
    try:
        status = path.stat()
    except OSError:
        return "none"
    return status.st_mtime_ns, status.st_ino, status.st_size
