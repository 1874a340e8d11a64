# SPDX-License-Identifier: AGPL-3.0-or-later
"""VECTORS "IMAP after login" against the running relay: who is logged in can ask for much, without cost to memory or other people's time.

`Watch` is another person who says NOOP all the time: how long the slowest took is how long the relay was busy with something else. Memory
is the relay's own, read from /proc.
"""

import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from tests.conformance.client import Client
from tests.conformance.people import Person
from tests.lab.relay import Relay

pytestmark = pytest.mark.slow

MANY = 100_000
WAIT_S = 5.0
"""Nobody else waits longer. Generous, as the machine may be busy with other tests; measured on a quiet one 0.05 to 0.25 s."""
MEGABYTES = 1_000_000


class Watch:
    """Another person's NOOPs, and the relay's memory, while the block runs."""

    def __init__(self, person: Person, other: Person) -> None:
        assert person.relay.process is not None
        self._status = Path(f"/proc/{person.relay.process.pid}/status")
        self._client = other.client("INBOX")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.waits: list[float] = []
        self.peak = 0
        self.before = self.memory()

    def memory(self) -> int:
        """Bytes in RAM."""
        line = next(line for line in self._status.read_text().splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024

    def _run(self) -> None:
        while not self._ended.wait(0.005):
            began = time.monotonic()
            self._client("NOOP")
            self.waits.append(time.monotonic() - began)
            self.peak = max(self.peak, self.memory())

    def __enter__(self) -> Self:
        self.peak = self.before
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        print(
            f"slowest NOOP {max(self.waits, default=0) * 1000:.0f} ms, median {statistics.median(self.waits or [0]) * 1000:.1f} ms, "
            f"memory +{(self.peak - self.before) / MEGABYTES:.0f} MB"
        )

    def check(self, grown_bytes: int, wait_s: float = WAIT_S) -> None:
        assert max(self.waits) < wait_s
        assert self.peak - self.before < grown_bytes


@pytest.fixture
def watch(person: Person, stranger: Person) -> Watch:
    return Watch(person, stranger)


@contextmanager
def timed(what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - began:.2f} s")


@pytest.fixture(scope="module")
def crowd(imap_relay: Relay) -> Iterator[Person]:
    """Somebody with more than 10^5 messages in INBOX, made by copying the mailbox into itself."""
    with ExitStack() as stack:
        person = Person(imap_relay, stack)
        client = person.filled(1)
        client.socket.settimeout(300)
        with timed("making the crowd"):
            while (there := len(client.selected.messages)) < MANY:
                client(f"COPY 1:{min(there, MANY - there)} INBOX")
        yield person


@pytest.fixture
def crowded(crowd: Person) -> Client:
    client = crowd.client("INBOX")
    client.socket.settimeout(300)
    return client


def fetched_raw(client: Client, command: str) -> int:
    """How many FETCH responses came. Read without looking: checking each would take the test longer than the relay."""
    tag, count, tail = client.begin(command).encode(), 0, b""
    while not tail.endswith(b"\r\n") or b"\r\n" + tag + b" OK" not in tail:
        new = client.socket.recv(262_144)
        count += (tail[-7:] + new).count(b" FETCH (")
        tail = (tail + new)[-200:]
    return count


# 1:* on 10^5 messages


def test_copy_store_and_expunge_of_1_to_star(imap_relay: Relay, stranger: Person) -> None:
    with ExitStack() as stack:
        person = Person(imap_relay, stack)
        client = person.filled(1)
        client.socket.settimeout(300)
        with Watch(person, stranger) as watch, timed("doubling to 16384, STORE and EXPUNGE of all"):
            while len(client.selected.messages) < 16_384:
                client("COPY 1:* INBOX")
            client("STORE 1:* +FLAGS.SILENT (\\Deleted)")
            client("EXPUNGE")
        assert client.selected.messages == []
        watch.check(80 * MEGABYTES)


@pytest.mark.parametrize("command", ["FETCH 1:* FLAGS", "UID FETCH *:1 (INTERNALDATE RFC822.SIZE)"])
def test_fetch_of_1_to_star_on_many_messages(crowded: Client, crowd: Person, stranger: Person, command: str) -> None:
    with Watch(crowd, stranger) as watch, timed(command):
        assert fetched_raw(crowded, command) == MANY
    watch.check(80 * MEGABYTES)


@pytest.mark.parametrize("keys", ["ALL", "1:* NOT SEEN SMALLER 999999 UNKEYWORD $x"])
def test_search_on_many_messages(crowded: Client, crowd: Person, stranger: Person, keys: str) -> None:
    with Watch(crowd, stranger) as watch, timed(f"SEARCH {keys}"):
        found = crowded(f"SEARCH {keys}").one("SEARCH")
    assert found == list(range(1, MANY + 1))
    watch.check(80 * MEGABYTES)


def test_select_and_status_of_many_messages(crowd: Person, stranger: Person) -> None:
    with Watch(crowd, stranger) as watch, timed("20 SELECT, 1 STATUS UNSEEN"):
        client = crowd.client()
        for _ in range(20):
            client("SELECT INBOX")
        client("STATUS INBOX (MESSAGES UNSEEN SIZE DELETED)")
    watch.check(120 * MEGABYTES)


def test_many_devices_select_many_messages(crowd: Person, stranger: Person) -> None:
    with Watch(crowd, stranger) as watch, timed("10 devices"):
        clients = [crowd.client("INBOX") for _ in range(10)]
    assert len(clients[-1].selected.messages) == MANY
    watch.check(80 * MEGABYTES)


# sequence sets


def test_sequence_sets_of_1e5_ranges(crowded: Client, crowd: Person, stranger: Person) -> None:
    """10^5 ranges do not fit a command; as many as fit are answered or refused quickly."""
    longest = ",".join(str(number) for number in range(2, 22_000, 2))
    with Watch(crowd, stranger) as watch, timed("sets"):
        answer = crowded(f"UID FETCH {longest} UID", ok=False)
        assert (answer.tagged.kind, len(answer.all("FETCH"))) in [("OK", 10_999), ("BAD", 0)]
        many = ",".join(["1:*"] * 15_000)
        answer = crowded(f"UID SEARCH UID {many} UID 1", ok=False)
        assert answer.tagged.kind == "BAD" or answer.one("SEARCH") == [1]
        backwards = ",".join(f"{number}:{number - 1}" for number in range(9_999, 5_000, -2))
        assert len(crowded(f"FETCH {backwards} UID").all("FETCH")) == 5_000
    watch.check(80 * MEGABYTES)


def test_a_command_of_1e5_ranges_ends_the_connection(person: Person) -> None:
    client = person.filled(1)
    client.send(b"t FETCH " + b",".join(b"%d" % number for number in range(1, 200_000, 2)) + b" UID\r\n")
    assert client.next().kind == "BAD"
    assert client.next().kind == "BYE"


def test_uid_overflow(person: Person) -> None:
    client = person.filled(2)
    assert set(client("UID FETCH 4294967295:* UID").fetched()) == {2}
    assert client("UID FETCH 4294967295 UID").all("FETCH") == []
    assert client("UID FETCH 1:4294967295 UID").all("FETCH") != []
    for number in (4_294_967_296, 2**63, 2**64, 10**30):
        for command in (f"UID FETCH {number} UID", f"UID FETCH 1:{number} UID", f"SEARCH UID {number}", f"FETCH {number} UID"):
            assert client(command, ok=False).tagged.kind == "BAD", command
    assert client(f"FETCH 1 BODY.PEEK[]<{2**32}.1>", ok=False).tagged.kind == "BAD"
    assert client(f"SEARCH LARGER {2**32}", ok=False).tagged.kind == "BAD"


# nested and costly SEARCH


@pytest.mark.parametrize(
    "keys",
    ["(" * 1000 + "ALL" + ")" * 1000, "NOT " * 5000 + "ALL", "OR " * 5000 + "ALL ALL", "OR ALL " * 5000 + "ALL", "ALL " * 9000 + "ALL"],
)
def test_nested_search_is_refused(person: Person, keys: str) -> None:
    client = person.filled(1)
    began = time.monotonic()
    assert client(f"SEARCH {keys}", ok=False).tagged.kind == "BAD"
    assert time.monotonic() - began < WAIT_S


def test_the_costliest_search_that_is_allowed(crowd: Person, crowded: Client, stranger: Person) -> None:
    """Nearly 500 keys on each of many messages: nobody else waits for it."""
    keys = "OR " * 15 + "SEEN " * 15 + "SEEN " + " ".join(["OR UNSEEN SEEN"] * 150)
    with Watch(crowd, stranger) as watch, timed("OR"):
        assert crowded(f"SEARCH 1:20000 {keys}").one("SEARCH") == []
    watch.check(80 * MEGABYTES)


def test_text_search_in_large_messages(person: Person, stranger: Person) -> None:
    client = person.client()
    client.append(person.mail(20_000_000))
    client("SELECT INBOX")
    for _ in range(2):
        client("COPY 1:* INBOX")
    with Watch(person, stranger) as watch, timed("8 texts in 4 messages of 20 MB"):
        assert client("SEARCH " + " ".join(f"NOT TEXT nowhere-{number}" for number in range(8))).one("SEARCH") == [1, 2, 3, 4]
        client("FETCH 1:* (BODYSTRUCTURE ENVELOPE BODY.PEEK[1.MIME])")
    watch.check(250 * MEGABYTES)


# the same body many times


def test_the_same_body_1e4_times_in_one_command(person: Person, watch: Watch) -> None:
    client = person.filled(1)
    with watch:
        same = client("FETCH 1 (" + " ".join(["BODY.PEEK[]"] * 350) + ")")
        assert list(same.fetched()[1]) == ["BODY[]"]
        assert client("FETCH 1 (" + " ".join(["BODY.PEEK[]"] * 4_000) + ")", ok=False).tagged.kind == "BAD"
        distinct = " ".join(f"BODY.PEEK[]<{number}.4000000000>" for number in range(1_000))
        assert client(f"FETCH 1 ({distinct})", ok=False).tagged.kind == "BAD"
    watch.check(30 * MEGABYTES)


def test_a_large_body_many_times_without_reading_the_answer(person: Person, stranger: Person) -> None:
    """40 times 20 MB from one command, and nobody reads: the relay keeps one message and waits."""
    client = person.client()
    client.append(person.mail(20_000_000))
    client("SELECT INBOX")
    items = " ".join(f"BODY.PEEK[]<{number}.30000000>" for number in range(40))
    with Watch(person, stranger) as watch:
        client.begin(f"FETCH 1 ({items})")
        client.begin(f"FETCH 1 ({items})")
        time.sleep(3)  # what must not happen has no event
    watch.check(120 * MEGABYTES)


def test_many_large_bodies_without_reading_the_answer(person: Person, stranger: Person) -> None:
    client = person.client()
    client.append(person.mail(10_000_000))
    client("SELECT INBOX")
    for _ in range(4):
        client("COPY 1:* INBOX")
    with Watch(person, stranger) as watch:
        client.begin("FETCH 1:* BODY.PEEK[]")
        time.sleep(3)  # as above
    watch.check(80 * MEGABYTES)


def test_many_large_bodies_read_by_a_quick_client(person: Person, stranger: Person) -> None:
    client = person.client()
    client.append(person.mail(10_000_000))
    client("SELECT INBOX")
    for _ in range(3):
        client("COPY 1:* INBOX")
    with Watch(person, stranger) as watch, timed("80 MB"):
        assert len(client("FETCH 1:* BODY.PEEK[]").all("FETCH")) == 8
    watch.check(100 * MEGABYTES)


# IDLE and APPEND


def test_pipelined_idle_and_done(person: Person, watch: Watch) -> None:
    """10^4 times in one write; each is answered, in order."""
    client = person.filled(1)
    with watch, timed("10^4 IDLE and DONE"):
        sender = threading.Thread(target=client.send, args=(b"".join(b"i%d IDLE\r\nDONE\r\n" % number for number in range(10_000)),))
        sender.start()
        for number in range(10_000):
            assert client.next().tag == "+"
            assert client.next().tag == f"i{number}"
        sender.join()
        client("NOOP")
    watch.check(30 * MEGABYTES)


def test_append_of_100_mb_announced_and_none_sent(person: Person, watch: Watch) -> None:
    """Refused before it is sent where it is above the limit; below it nothing is set aside for what does not come."""
    with watch:
        assert person.client()("APPEND INBOX {104857600}", b"", b"", ok=False).status == "NO [TOOBIG]"
        waiting = [person.client() for _ in range(20)]
        for client in waiting:
            client.begin("APPEND INBOX {31457280}")
            assert client.next().tag == "+"
        for client in waiting:
            client.begin("x" * 70_000)  # part of the literal, and not of a command
    watch.check(30 * MEGABYTES)


def test_100_mb_that_do_not_wait_end_the_connection(person: Person) -> None:
    client = person.client()
    client.begin("APPEND INBOX {104857600+}")
    assert client.next().status == "NO [TOOBIG]"
    assert client.next().kind == "BYE"


# LIST


def test_list_wildcards(person: Person, watch: Watch) -> None:
    client = person.client()
    for number in range(60):
        client(f"CREATE {'a' * 60}/{'a' * 60}/{number}")
    with watch, timed("wildcards"):
        for pattern in ("*a" * 60, "%a" * 60, "*a" * 300, "%a" * 300, "*" * 900, "%" * 900, "*%" * 400 + "b", "a*" * 60 + "b"):
            client(f'LIST "" "{pattern}"')
            client(f'LSUB "" "{pattern}"')
        many = " ".join(f'"{"%a" * 40}{number}"' for number in range(12))
        assert client(f'LIST "" ({many})').all("LIST") == []
        assert client(f'LIST "" ({many} {many})', ok=False).tagged.kind == "BAD"
    watch.check(30 * MEGABYTES)


def test_folders_have_a_limit(person: Person) -> None:
    client = person.client()
    answers = [client(f"CREATE f{number}", ok=False).status for number in range(105)]
    assert answers.count("OK") == 99
    assert answers[-1] == "NO [LIMIT]"
    for number in range(40):
        client(f"SUBSCRIBE f{number}")
        client(f"RENAME f{number} g{number}")
        client(f"DELETE g{number}")
    assert len(client('LSUB "" *').all("LSUB")) == 41
    assert client("CREATE f0").tagged.kind == "OK"
