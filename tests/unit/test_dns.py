# SPDX-License-Identifier: AGPL-3.0-or-later
"""Asking DNS: what is cached and for how long, what is asked once, what is bounded, and what happens when servers misbehave."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import dns.asyncresolver
import pytest
from tests.lab.dns_server import DnsServer

from razdar.adapters import dns as adapter
from razdar.adapters import known_names
from razdar.adapters.dns import FAILED_S, GOOD_MAX_S, GOOD_MIN_S, NONE_S, DnsResolver, parse_server
from razdar.adapters.known_names import KnownNames
from razdar.model.trouble import Trouble
from razdar.ports.resolver import Mx, NoSuchName, ResolverUnavailable

pytestmark = pytest.mark.anyio
ZONE = {
    "one.example": {"MX": ["10 a.one.example."], "TXT": ['"v=DKIM1; p=AAAA"']},
    "a.one.example": {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"]},
}


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def asking(server: DnsServer, time: Callable[[], float] | None = None) -> DnsResolver:
    return DnsResolver(KnownNames(None), time or Time(), servers=[server.server])


@pytest.mark.parametrize(("ttl", "seconds"), [(0, GOOD_MIN_S), (300, 300.0), (2_000_000, GOOD_MAX_S)])
async def test_an_answer_is_good_for_as_long_as_it_says_within_bounds(ttl: int, seconds: float) -> None:
    async with DnsServer(ZONE, ttl=ttl) as server:
        resolver = asking(server, time := Time())
        await resolver.mx("one.example")
        time.now = seconds - 1
        await resolver.mx("one.example")
        assert len(server.asked) == 1
        time.now = seconds
        await resolver.mx("one.example")
        assert len(server.asked) == 2


async def test_that_there_is_nothing_is_kept_for_a_short_while() -> None:
    async with DnsServer() as server:
        resolver = asking(server, time := Time())
        for _ in range(3):
            with pytest.raises(NoSuchName):
                await resolver.mx("one.example")
        assert len(server.asked) == 1
        server.zone, time.now = dict(ZONE), NONE_S
        assert (await resolver.mx("one.example")).values == (Mx(10, "a.one.example"),)


async def test_dead_dns_is_waited_for_once() -> None:
    async with DnsServer(ZONE) as server:
        server.is_failing = True
        resolver = asking(server, time := Time())
        for _ in range(3):
            with pytest.raises(ResolverUnavailable):
                await resolver.mx("one.example")
        asked = len(server.asked)
        server.is_failing, time.now = False, FAILED_S
        assert not (await resolver.mx("one.example")).is_remembered
        assert len(server.asked) == asked + 1


async def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "PATIENCE_S", 0.05)
    async with DnsServer(ZONE) as server:
        server.is_silent = True
        with pytest.raises(ResolverUnavailable):
            await asking(server).addresses("a.one.example")


async def test_the_next_server_is_asked() -> None:
    async with DnsServer(ZONE) as broken, DnsServer(ZONE) as working:
        broken.is_failing = True
        resolver = DnsResolver(KnownNames(None), Time(), servers=[broken.server, working.server])
        assert (await resolver.mx("one.example")).values


async def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "PATIENCE_S", 0.05)
    async with DnsServer() as server:
        address = server.server
    with pytest.raises(ResolverUnavailable):
        await DnsResolver(KnownNames(None), Time(), servers=[address]).mx("one.example")


async def test_a_cut_answer_is_asked_for_again_over_tcp() -> None:
    """RFC 7766 section 5."""
    async with DnsServer(ZONE) as server:
        server.is_truncating = True
        await asking(server).txt("one.example")
        assert [way for _, _, way in server.asked] == ["udp", "tcp"]


async def test_one_question_for_many_who_wait() -> None:
    async with DnsServer(ZONE) as server:
        server.may_answer.clear()
        resolver = asking(server)
        waiting = [asyncio.create_task(resolver.mx(name)) for name in ("one.example", "ONE.example", "one.example.")]
        await server.questions(1)
        waiting[0].cancel()  # who started it stops waiting; the others get their answer
        server.may_answer.set()
        done = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(done[0], asyncio.CancelledError)
        assert done[1] == done[2]
        assert len(server.asked) == 1


async def test_questions_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "WAITING_MAX", 2)
    async with DnsServer(ZONE) as server:
        server.may_answer.clear()
        resolver = asking(server)
        waiting = [asyncio.create_task(resolver.mx(f"{number}.example")) for number in range(2)]
        await server.questions(2)
        with pytest.raises(ResolverUnavailable):
            await resolver.mx("three.example")
        await resolver.close()
        done = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(each) for each in done] == [ResolverUnavailable] * 2


async def test_one_family_that_fails_does_not_spoil_the_other() -> None:
    async with DnsServer(
        {"a.example": {"A": ["192.0.2.1"]}, "b.example": {"AAAA": ["2001:db8::1"]}, "c.example": {"TXT": ['"x"']}}
    ) as server:
        resolver = asking(server)
        assert (await resolver.addresses("a.example")).values == ("192.0.2.1",)
        assert (await resolver.addresses("b.example")).values == ("2001:db8::1",)
        with pytest.raises(NoSuchName):
            await resolver.addresses("c.example")


async def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "CACHE_MAX", 3)
    async with DnsServer({f"{number}.example": {"TXT": ['"x"']} for number in range(5)}) as server:
        resolver = asking(server)
        for number in (0, 1, 2, 3, 4, 4, 3, 0):
            await resolver.txt(f"{number}.example")
        assert len(server.asked) == 6


async def test_huge_answers_are_cut() -> None:
    many = {"MX": [f"{number} m{number}.example." for number in range(50)], "A": [f"192.0.2.{number}" for number in range(50)]}
    texts = {"TXT": [*[f'"{number}"' for number in range(20)], '"' + "x" * 255 + '" ' + ('"' + "y" * 255 + '" ') * 20]}
    async with DnsServer({"many.example": {**many, **texts}}) as server:
        resolver = asking(server)
        assert [each.preference for each in (await resolver.mx("many.example")).values] == list(range(20))
        assert len((await resolver.addresses("many.example")).values) == 16
        assert len((await resolver.txt("many.example")).values) == 8


async def test_switched_off_nobody_is_asked() -> None:
    known = KnownNames(None)
    known.note("mx", "one.example", (Mx(10, "a.one.example"),))
    async with DnsServer(ZONE) as server:
        resolver = DnsResolver(known, Time(), servers=[server.server], is_on=False)
        assert (await resolver.mx("one.example")).is_remembered
        with pytest.raises(ResolverUnavailable):
            await resolver.mx("two.example")
        assert server.asked == []


async def test_names_outside_of_dns_are_not_asked_for() -> None:
    """RFC 9476, RFC 7686, RFC 6761."""
    async with DnsServer(ZONE) as server:
        for name in ("abcdefgh.razdar.alt", "X.ONION.", "localhost", "a.invalid"):
            with pytest.raises(NoSuchName):
                await asking(server).mx(name)
        assert server.asked == []


async def test_the_machines_own_servers_are_read_again_when_they_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = tmp_path / "resolv.conf"
    monkeypatch.setattr(adapter, "_RESOLV_CONF", conf)
    read: list[str] = []

    class Recording(dns.asyncresolver.Resolver):
        def __init__(self, *, configure: bool) -> None:
            super().__init__(configure=False)
            assert configure
            read.append(conf.read_text())
            self.nameservers = [parse_server(servers[-1])]

    async with DnsServer(ZONE) as one, DnsServer(ZONE) as two:
        servers = [one.server]
        monkeypatch.setattr(dns.asyncresolver, "Resolver", Recording)
        conf.write_text("one")
        resolver = DnsResolver(KnownNames(None), Time())
        await resolver.mx("one.example")
        await resolver.txt("one.example")
        conf.write_text("another")
        servers.append(two.server)
        await resolver.addresses("a.one.example")
        assert read == ["one", "another"]
        assert (len(one.asked), len(two.asked)) == (2, 2)


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("192.0.2.1", "192.0.2.1", 53),
        ("192.0.2.1:5300", "192.0.2.1", 5300),
        ("2001:db8::1", "2001:db8::1", 53),
        ("[2001:db8::1]:5300", "2001:db8::1", 5300),
    ],
)
async def test_servers_as_people_write_them(text: str, address: str, port: int) -> None:
    assert str(parse_server(text)) == f"Do53:{address}@{port}"


@pytest.mark.parametrize("text", ["", "dns.example", "192.0.2.1:0", "192.0.2.1:70000", "192.0.2.1:x", "1.2.3", "[::1"])
async def test_other_servers_are_told(text: str) -> None:
    with pytest.raises(Trouble, match="dns_servers"):
        DnsResolver(KnownNames(None), Time(), servers=[text])


# --- known names


def test_known_names_come_back_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "known-names.json"
    known = KnownNames(path)
    answers: dict[tuple[str, str], tuple[object, ...]] = {
        ("mx", "one.example"): (Mx(10, "a.one.example"), Mx(20, "")),
        ("addresses", "a.one.example"): ("2001:db8::1", "192.0.2.1"),
        ("txt", "s._domainkey.one.example"): (b"v=DKIM1; p=\xff", b""),
    }
    for (kind, name), values in answers.items():
        known.note(kind, name, values)
    asyncio.run(known.save())
    again = KnownNames(path)
    assert {key: again.find(*key) for key in answers} == answers
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_file_tells_names_and_nothing_else(tmp_path: Path) -> None:
    """No order of arrival, no time, no count."""
    files = []
    for order in (("b", "a", "c"), ("c", "b", "a", "a", "b")):
        known = KnownNames(tmp_path / "known")
        for name in order:
            known.note("addresses", name, ("192.0.2.1",))
        asyncio.run(known.save())
        files.append((tmp_path / "known").read_bytes())
        (tmp_path / "known").unlink()
    assert files[0] == files[1]
    assert json.loads(files[0]) == {"mx": {}, "addresses": {name: ["192.0.2.1"] for name in "abc"}, "txt": {}}


def test_it_is_written_only_when_something_changed(tmp_path: Path) -> None:
    known = KnownNames(tmp_path / "known")
    asyncio.run(known.save())
    assert not (tmp_path / "known").exists()
    known.note("addresses", "a", ("192.0.2.1",))
    asyncio.run(known.save())
    before = (tmp_path / "known").stat().st_ino
    known.note("addresses", "a", ("192.0.2.1",))
    asyncio.run(known.save())
    assert (tmp_path / "known").stat().st_ino == before


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"\xff", b'{"mx": {"a": [1]}, "addresses": {}, "txt": {}}', b'{"mx": 1}', b"[" * 9999]
)
def test_a_damaged_file_is_an_empty_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "known").write_bytes(content)
    assert len(KnownNames(tmp_path / "known")) == 0


def test_names_seen_twice_stay_whatever_is_seen_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can make us forget our friends by writing from thousands of invented domains."""
    monkeypatch.setattr(known_names, "SEEN_ONCE_MAX", 10)
    monkeypatch.setattr(known_names, "PROVEN_MAX", 20)
    known = KnownNames(None)
    for _ in range(2):
        known.note("addresses", "friend", ("192.0.2.1",))
    for number in range(1000):
        known.note("addresses", f"invented{number}", ("192.0.2.2",))
    assert known.find("addresses", "friend") == ("192.0.2.1",)
    assert len(known) == 11
    for number in range(1000):
        known.note("addresses", f"invented{number}", ("192.0.2.2",))
        known.note("addresses", f"invented{number}", ("192.0.2.2",))
    assert len(known) <= 30


async def test_a_revoked_key_is_forgotten_and_an_address_is_not() -> None:
    async with DnsServer(ZONE) as server:
        resolver = asking(server, time := Time())
        await resolver.txt("one.example")
        await resolver.addresses("a.one.example")
        server.zone, time.now = {}, 1e6
        for look, name in ((resolver.txt, "one.example"), (resolver.addresses, "a.one.example")):
            with pytest.raises(NoSuchName):
                await look(name)
        server.is_failing, time.now = True, 2e6
        with pytest.raises(ResolverUnavailable):
            await resolver.txt("one.example")
        assert (await resolver.addresses("a.one.example")).is_remembered
