# SPDX-License-Identifier: AGPL-3.0-or-later
"""A real relay with little patience: who says nothing, or little, or does not listen is cut off and costs a bounded amount of memory.

Nothing here sleeps: each test waits for what the relay does to its sockets.
"""

import json
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.lab.peer import Imap, Peer, Smtp
from tests.lab.relay import Relay, random_text

pytestmark = pytest.mark.slow
LOGIN_S, IDLE_S = 2, 5
LATE_S = 4.0
"""What a busy machine may add."""


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    settings = {"login_seconds": LOGIN_S, "idle_seconds": IDLE_S, "send_burst": 100_000, "send_per_minute": 100_000, "log_level": "debug"}
    settings["commands_before_login"] = 1_000_000
    with Relay(tmp_path_factory.mktemp("patience"), settings=settings) as running:
        yield running
        assert '"event": "bug"' not in running.output()


def resident_mb(relay: Relay) -> float:
    assert relay.process is not None
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{relay.process.pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def connections(relay: Relay) -> int:
    answered = subprocess.run(relay.other_command("status", "--json"), env=relay.environment(), capture_output=True, check=True)
    return int(json.loads(answered.stdout)["connections"])


def quiet(relay: Relay) -> Peer:
    return Peer(relay, "imaps")


def half_a_handshake(relay: Relay) -> Peer:
    peer = Peer.__new__(Peer)
    peer.socket, peer._received = socket.create_connection((relay.bind, relay.port("submissions")), 20), b""
    peer.send(b"\x16\x03\x01\x02\x00")
    return peer


def half_a_starttls(relay: Relay) -> Peer:
    peer = Peer(relay, "imap")
    peer.line()
    peer.send(b"a STARTTLS\r\n")
    peer.line()
    peer.send(b"\x16\x03\x01\x02\x00")
    return peer


def half_a_command(relay: Relay) -> Peer:
    peer = Peer(relay, "submission")
    peer.send(b"EHLO hal")
    return peer


def half_a_login(relay: Relay) -> Peer:
    peer = Peer(relay, "imaps")
    peer.send(b"a LOGIN {100}\r\n")
    return peer


@pytest.mark.parametrize("begin", [quiet, half_a_handshake, half_a_starttls, half_a_command, half_a_login])
def test_whoever_does_not_log_in_is_cut_off(relay: Relay, begin: Callable[[Relay], Peer]) -> None:
    """VECTORS "IMAP before login" (CVE-2014-3430 and others)."""
    with begin(relay) as peer:
        began = time.monotonic()
        peer.rest()
        assert LOGIN_S - 0.5 < time.monotonic() - began < LOGIN_S + LATE_S


@pytest.mark.parametrize(("service", "letter"), [("imaps", b"a"), ("submission", b"N"), ("imaps", b"a NOOP\r\n")])
def test_a_byte_now_and_then_does_not_extend_the_time_to_log_in(relay: Relay, service: str, letter: bytes) -> None:
    with Peer(relay, service) as peer:
        peer.line()
        peer.socket.settimeout(0.3)  # the pace of the bytes
        began = time.monotonic()
        while True:
            try:
                peer.send(letter)
                if not peer.socket.recv(1000):
                    break
            except TimeoutError:
                continue
            except (ConnectionError, ssl.SSLError):
                break
            assert time.monotonic() - began < LOGIN_S + LATE_S
        assert time.monotonic() - began > LOGIN_S - 0.5


def test_whoever_is_logged_in_has_the_idle_time(relay: Relay) -> None:
    name = random_text(9)
    with Imap(relay, name) as imap, Imap(relay, name) as idling, Smtp(relay, name) as smtp:
        idling.ok("SELECT INBOX")
        idling.idle()
        began = time.monotonic()
        assert b"BYE" in imap.rest()
        assert time.monotonic() - began > LOGIN_S + 1
        assert b"BYE" in idling.rest()
        assert smtp.rest().startswith(b"421")
        assert time.monotonic() - began < 2 * IDLE_S + LATE_S


def test_ten_thousand_pipelined_idles(relay: Relay) -> None:
    """VECTORS "IMAP after login"."""
    with Imap(relay, random_text(9)) as imap, Imap(relay, random_text(9)) as other:
        imap.ok("SELECT INBOX")
        imap.send(b"i IDLE\r\nDONE\r\n" * 2_000)
        other.ok("NOOP")  # has its turn meanwhile
        answers = 0
        for round_ in range(5):
            for _ in range(2_000):
                imap.until(b"i OK ")
                answers += 1
            if round_ < 4:
                imap.send(b"i IDLE\r\nDONE\r\n" * 2_000)
        assert answers == 10_000


def test_pipelined_commands_are_answered_in_order(relay: Relay) -> None:
    name = random_text(9)
    with Imap(relay, name) as imap, Smtp(relay, name) as smtp:
        imap.send(b"".join(b"n%d NOOP\r\n" % number for number in range(2_000)) + b"end SELECT INBOX\r\n")
        tags = re.findall(rb"^n(\d+) OK", imap.until(b"end OK"), re.MULTILINE)
        assert [int(tag) for tag in tags] == list(range(2_000))
        smtp.send(b"NOOP\r\n" * 90 + b"VRFY x\r\n")
        assert smtp.until(b"252").count(b"250") == 90


def bytes_taken(peer: Peer, data: bytes, limit: int) -> int:
    """How much of endlessly repeated `data` the relay takes before it takes no more."""
    taken = 0
    with suppress(TimeoutError, ConnectionError, ssl.SSLError):
        while taken < limit:
            peer.send(data)
            taken += len(data)
    return taken


@pytest.mark.parametrize("is_logged_in", [False, True])
def test_who_asks_and_never_listens_is_not_answered_without_end(relay: Relay, is_logged_in: bool) -> None:
    """Ten bytes of a command make some hundred of an answer, and nothing of it leaves."""
    before = resident_mb(relay)
    with Imap(relay, random_text(9) if is_logged_in else "", receive_bytes=4096) as imap:
        imap.socket.settimeout(0.5)
        assert bytes_taken(imap, b"a CAPABILITY\r\n" * 1000, 100_000_000) < 20_000_000  # the kernel's buffers on both sides
        assert resident_mb(relay) - before < 30


def test_who_fetches_and_never_reads_is_cut_off(relay: Relay) -> None:
    name = random_text(9)
    message_mb, count, readers = 10, 6, 4
    with Smtp(relay, name) as smtp:
        for seed in range(count):
            assert smtp.write_to(name, size_bytes=message_mb * 1_000_000, seed=seed).startswith(b"250")
    before, counted = resident_mb(relay), connections(relay)
    stuck = [Imap(relay, name, receive_bytes=4096) for _ in range(readers)]
    for imap in stuck:
        imap.ok("SELECT INBOX")
        imap.start("UID FETCH 1:* (FLAGS BODY.PEEK[])")
    peak = 0.0
    began = time.monotonic()
    while connections(relay) > counted:  # asking takes a moment
        peak = max(peak, resident_mb(relay) - before)
        assert time.monotonic() - began < 4 * IDLE_S + LATE_S
    assert peak < readers * 3.5 * message_mb + 30
    for imap in stuck:
        imap.socket.close()
    with Imap(relay, name) as imap:  # and whoever does read gets all of it
        imap.ok("SELECT INBOX")
        tag = imap.start("UID FETCH 1:* (BODY.PEEK[])")
        total = 0
        while not (data := imap.socket.recv(1_000_000)).endswith(b"FETCH completed\r\n"):
            total += len(data)
        assert tag
        assert total > 0.95 * count * message_mb * 1_000_000


def test_the_number_of_connections_is_bounded(tmp_path: Path) -> None:
    with Relay(tmp_path, settings={"connections": 5, "stranger_share": 1}) as relay:
        held = [Imap(relay) for _ in range(5)]
        with Peer(relay, "imap") as late:
            assert late.rest() == b""
        held.pop().socket.close()
        for _ in range(100):
            with Peer(relay, "imap") as retry:
                if retry.greets():
                    break
        else:
            pytest.fail("the place of a connection that went is not free again")
        for imap in held:
            imap.socket.close()
