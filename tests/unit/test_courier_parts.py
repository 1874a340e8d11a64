# SPDX-License-Identifier: AGPL-3.0-or-later
"""The courier without a network: where DNS leads it, what it remembers, how attempts overlap."""

import asyncio
import ssl

import pytest
from tests.lab.other_relays import Book, Dns, courier, peer

from razdar.adapters.courier.memory import BROKEN_S, DEAD_S, ENTRIES_MAX, Memory
from razdar.adapters.courier.race import TELLING, Attempt, first, most_telling
from razdar.adapters.courier.stream import Contexts
from razdar.adapters.courier.ways import Host
from razdar.policy.trust import Check, Trust
from razdar.ports.courier import Reason, Unreachable


class HandClock:
    """Moved by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> int:
        return 0

    def monotonic(self) -> float:
        return self.seconds


# --- routes


def hosts(domain: str, dns: Dns, book: Book | None = None) -> list[Host] | Reason:
    async def run() -> list[Host]:
        return [host async for host in courier(book or Book(), dns=dns)._hosts(domain)]

    try:
        return asyncio.run(run())
    except Unreachable as gone:
        return gone.reason


def names(domain: str, dns: Dns) -> list[str] | Reason:
    found = hosts(domain, dns)
    return found if isinstance(found, Reason) else [host.name for host in found]


A, B = ["198.51.100.7"], ["198.51.100.8", "2001:db8::8"]


@pytest.mark.parametrize(
    ("dns", "expected"),
    [
        (Dns({"peer.example": [(20, "b.example"), (10, "a.example")]}, {"a.example": A, "b.example": B}), ["a.example", "b.example"]),
        (Dns({}, {"peer.example": A}), ["peer.example"]),  # implicit MX, RFC 5321 section 5.1
        (Dns(), Reason.NO_SUCH_DOMAIN),
        (Dns({"peer.example": None}), Reason.NO_ROUTE),  # silence is not "no"
        (Dns({}, {"peer.example": None}), []),
        (Dns({"peer.example": [(0, "")]}), Reason.NO_MAIL_HERE),
        (Dns({"peer.example": [(0, "a.example")]}), []),  # an MX that leads nowhere may be mended
        (Dns({"peer.example": [(0, "a.example"), (1, "b.example")]}, {"a.example": None, "b.example": B}), ["b.example"]),
        (Dns({"peer.example": [(0, "relay.example")]}), Reason.OURSELVES),
        (Dns({"peer.example": [(0, "a.example")]}, {"a.example": ["198.51.100.1"]}), Reason.OURSELVES),
        (Dns({"peer.example": [(0, "a.example")]}, {"a.example": ["127.0.0.1"]}), Reason.OURSELVES),
        (Dns({"peer.example": [(0, "a.example"), (1, "b.example")]}, {"a.example": A, "b.example": ["198.51.100.1"]}), ["a.example"]),
        (Dns({"peer.example": [(0, "a.example")]}, {"a.example": ["169.254.169.254", "224.0.0.1"]}), []),
    ],
)
def test_routes_from_dns(dns: Dns, expected: list[str] | Reason) -> None:
    assert names("peer.example", dns) == expected


def test_hosts_from_dns_have_the_standard_ports_and_the_domains_trust() -> None:
    dns = Dns({"_peer.example": [(0, "b.example")]}, {"b.example": B})
    assert hosts("_peer.example", dns) == [Host("b.example", trust := hosts_trust("_peer.example", dns), 443, 25, tuple(B))]
    assert trust.check is Check.NOTHING


def hosts_trust(domain: str, dns: Dns) -> Trust:
    found = hosts(domain, dns)
    assert isinstance(found, list)
    return found[0].trust


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("[198.51.100.7]", ("198.51.100.7",)),
        ("[ipv6:2001:DB8::7]", ("2001:db8::7",)),
        ("[10.0.0.7]", ("10.0.0.7",)),
        ("[198.51.100.1]", Reason.OURSELVES),
        ("[127.0.0.1]", Reason.OURSELVES),
        ("[169.254.1.1]", Reason.NO_ROUTE),
        ("[299.0.0.1]", Reason.NO_SUCH_DOMAIN),
    ],
)
def test_literals_ask_no_dns(domain: str, expected: object) -> None:
    dns = Dns()
    found = hosts(domain, dns)
    assert (found if isinstance(found, Reason) else found[0].addresses) == expected
    assert dns.asked == []


def test_the_peer_book_replaces_every_look_up_and_may_name_any_address() -> None:
    dns = Dns()
    book = Book(peer("peer.example", 8443, 2525, "127.0.0.1", "169.254.1.1", pin="ab"), peer("[192.0.2.7]", 443, 25, "127.0.0.9"))
    (known,) = as_list(hosts("peer.example", dns, book))
    assert (known.addresses, known.https_port, known.smtp_port, known.trust.pin) == (("127.0.0.1", "169.254.1.1"), 8443, 2525, "ab")
    (literal,) = as_list(hosts("[192.0.2.7]", dns, book))
    assert (literal.name, literal.addresses) == ("192.0.2.7", ("127.0.0.9",))
    assert dns.asked == []


def as_list(found: list[Host] | Reason) -> list[Host]:
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("domain", ["", "x" * 64, "a..b", "192.0.2.7"])
def test_what_is_no_domain_is_not_looked_up(domain: str) -> None:
    dns = Dns()
    assert hosts(domain, dns) is Reason.NO_SUCH_DOMAIN
    assert dns.asked == []


def test_no_usable_host_at_all_is_no_route() -> None:
    async def run() -> Reason:
        with pytest.raises(Unreachable) as caught:
            await courier(Book(), dns=Dns({"peer.example": [(0, "a.example")]})).open("peer.example")
        return caught.value.reason

    assert asyncio.run(run()) is Reason.NO_ROUTE


# --- memory


def test_what_is_remembered_fades() -> None:
    clock = HandClock()
    memory = Memory(clock)
    memory.avoid_https("a", BROKEN_S)
    memory.dead("192.0.2.1 25")
    assert memory.avoids_https("a")
    assert memory.sorted(("192.0.2.1", "192.0.2.2"), 25) == ["192.0.2.2", "192.0.2.1"]
    assert memory.sorted(("192.0.2.1", "192.0.2.2"), 443) == ["192.0.2.1", "192.0.2.2"]
    clock.seconds += max(BROKEN_S, DEAD_S)
    assert not memory.avoids_https("a")
    assert memory.sorted(("192.0.2.1", "192.0.2.2"), 25) == ["192.0.2.1", "192.0.2.2"]


def test_the_smallest_size_that_was_too_big_counts() -> None:
    memory = Memory(HandClock())
    assert memory.fits("a", 10**9)
    memory.too_big("a", 1000)
    memory.too_big("a", 2000)
    assert memory.fits("a", 999)
    assert not memory.fits("a", 1000)


def test_memory_is_bounded() -> None:
    memory = Memory(HandClock())
    for number in range(ENTRIES_MAX + 10):
        memory.avoid_https(f"host{number}", BROKEN_S)
    assert len(memory._avoided) == ENTRIES_MAX
    assert not memory.avoids_https("host0")


def test_signs_of_life_are_believed_at_once() -> None:
    memory = Memory(HandClock())
    memory.dead("192.0.2.1 25")
    memory.alive("192.0.2.1 25")
    memory.avoid_https("a", BROKEN_S)
    memory.favour_https("a")
    assert memory.sorted(("192.0.2.1", "192.0.2.2"), 25) == ["192.0.2.1", "192.0.2.2"]
    assert not memory.avoids_https("a")


# --- the race


class Runner:
    """Arrives, fails or runs for ever; is told when it is called back."""

    def __init__(self, name: str) -> None:
        self.name, self.is_aborted = name, False

    def abort(self) -> None:
        self.is_aborted = True


def attempt(started: list[str], name: str, *, fails: Reason | None = None, hangs: bool = False, head_start: float = 60) -> Attempt[Runner]:
    async def run() -> Runner:
        started.append(name)
        if hangs:
            await asyncio.get_running_loop().create_future()
        if fails is not None:
            raise Unreachable(fails)
        return Runner(name)

    return head_start, run


def test_the_next_begins_as_soon_as_the_one_before_has_failed() -> None:
    started: list[str] = []
    runners = [attempt(started, "a", fails=Reason.NOT_CONNECTED), attempt(started, "b"), attempt(started, "c")]
    assert asyncio.run(first(runners)).name == "b"
    assert started == ["a", "b"]


def test_a_slow_one_has_its_head_start_and_no_more() -> None:
    started: list[str] = []
    runners = [attempt(started, "slow", hangs=True), attempt(started, "quick", head_start=0.01)]
    assert asyncio.run(first(runners)).name == "quick"
    assert started == ["slow", "quick"]


def test_who_arrives_too_late_is_called_back() -> None:
    late = Runner("late")

    async def run() -> Runner:
        gate = asyncio.Event()

        async def one() -> Runner:
            await gate.wait()
            return Runner("one")

        async def two() -> Runner:
            gate.set()
            return late

        return await first([(0, one), (0, two)])

    async def and_wait() -> Runner:
        winner = await run()
        await asyncio.sleep(0)
        return winner

    winner = asyncio.run(and_wait())
    assert winner is not late or not late.is_aborted
    assert winner is late or late.is_aborted


def test_the_most_telling_reason_is_told() -> None:
    started: list[str] = []
    runners = [attempt(started, str(each), fails=each) for each in (Reason.NOT_CONNECTED, Reason.NOT_TRUSTED, Reason.BROKEN_OFF)]
    with pytest.raises(Unreachable) as caught:
        asyncio.run(first(runners))
    assert caught.value.reason is Reason.NOT_TRUSTED
    assert set(TELLING) == set(Reason)
    assert most_telling([]) is Reason.NOT_CONNECTED


def test_a_bug_is_not_hidden_as_an_unreachable_host() -> None:
    async def broken() -> Runner:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(first([(0.0, broken)]))


def test_a_context_that_verifies_nothing_is_no_authority() -> None:
    lax = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    lax.check_hostname, lax.verify_mode = False, ssl.CERT_NONE
    with pytest.raises(ValueError, match="verifies nothing"):
        Contexts(lax)
