# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every limit is hit on a real relay, and answers with a clear error: temporary where trying again helps, permanent where it does not.

`HIT` says which test hits which setting, `ELSEWHERE` which cannot be hit from outside in a moment; a limit that is in neither fails the
last test. docs/limits.md names the test of each.
"""

import base64
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.lab.peer import Imap, Peer, Smtp, close_all
from tests.lab.relay import Relay, random_text
from tests.mail.make import encrypted_message

from razdar.servers.control import ask
from razdar.settings import limits

pytestmark = pytest.mark.slow
HIT: dict[str, Callable[..., None]] = {}
ELSEWHERE = {"connection_bytes", "linger_seconds", "store_waiting_bytes", "devices", "http_linger_seconds"}
ELSEWHERE |= {"queue_messages", "queue_bytes", "queue_share", "queue_relays", "queue_lines"}
ELSEWHERE |= {name for name in limits() if name.startswith(("peer_", "signup"))}
"""Full kernel buffers, a disk that stands still, phones to wake up or other relays would be needed: docs/limits.md names those tests."""


def hits(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def note(test: Callable[..., None]) -> Callable[..., None]:
        HIT.update(dict.fromkeys(names, test))
        return test

    return note


TIGHT = {
    "message_bytes": 20_000,
    "discard_bytes": 30_000,
    "recipients": 3,
    "unknown_per_minute": 2,
    "smtp_line_bytes": 600,
    "imap_line_bytes": 8_192,
    "imap_literal_bytes": 4_096,
    "header_bytes": 4_096,
    "header_fields": 30,
    "errors": 3,
    "commands_before_login": 6,
    "smtp_idle_commands": 10,
    "login_failures": 3,
    "connections_per_account": 2,
    "quota_bytes": 200_000,
    "send_burst": 100,
    "imap_nesting": 3,
    "imap_search_keys": 10,
    "imap_search_texts": 2,
    "imap_fetch_items": 10,
    "imap_ranges": 100,
    "folders": 3,
    "http_head_bytes": 2_048,
    "http_body_bytes": 4_096,
    "http_request_seconds": 1,
    "http_idle_seconds": 1,
}


@pytest.fixture(scope="module")
def tight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    with Relay(tmp_path_factory.mktemp("tight"), settings=TIGHT) as running:
        yield running
        assert '"event": "bug"' not in running.output()


@pytest.fixture
def relay_with(tmp_path: Path) -> Iterator[Callable[..., Relay]]:
    with ExitStack() as running:

        def start(**changes: Any) -> Relay:
            relay = running.enter_context(Relay(tmp_path, settings=changes))
            running.callback(close_all)
            return relay

        yield start


def status(relay: Relay) -> Any:
    return ask(relay.data, {"op": "status"})


def message(relay: Relay, name: str, size_bytes: int = 1500) -> bytes:
    return encrypted_message(f"{name}@{relay.name}", [f"{name}@{relay.name}"], size_bytes)


def is_shut(peer: Peer) -> bool:
    """The relay said nothing more and closed."""
    return not peer.rest()


def free_place(relay: Relay) -> Imap:
    """Somebody who comes in once the relay has noticed that others left."""
    for _ in range(200):
        with suppress(ConnectionError, ssl.SSLError):
            return Imap(relay, random_text(9))
    raise AssertionError("the place of a connection that went is not free again")


# what is sent


@hits("message_bytes", "imap_literal_bytes")
def test_size(tight: Relay) -> None:
    name = random_text(9)
    with Smtp(tight, name) as smtp, Imap(tight, name) as imap:
        assert smtp.reply(f"MAIL FROM:<{name}@{tight.name}> SIZE=20001".encode()).startswith(b"552 5.3.4 ")
        assert smtp.write_to(name, size_bytes=24_000).startswith(b"552 5.3.4 ")
        assert smtp.write_to(name).startswith(b"250"), "the connection goes on"
        assert b"TOOBIG" in imap.command("APPEND INBOX {20001}")[-1]
        assert imap.command("CREATE {4097}")[-1].split()[1] in (b"BAD", b"NO")
        imap.ok("NOOP")


@hits("discard_bytes")
def test_a_message_without_an_end(tight: Relay) -> None:
    name = random_text(9)
    with Smtp(tight, name) as smtp:
        smtp.send(f"MAIL FROM:<{name}@{tight.name}>\r\nRCPT TO:<{name}@{tight.name}>\r\nDATA\r\n".encode())
        smtp.until(b"354")
        smtp.line()
        for _ in range(60):
            smtp.send(b"x" * 998 + b"\r\n")
        assert smtp.rest().startswith(b"552 5.3.4 ")


@hits("recipients", "unknown_per_minute")
def test_recipients(tight: Relay) -> None:
    name = random_text(9)
    with Smtp(tight, name) as smtp:
        smtp.reply(f"MAIL FROM:<{name}@{tight.name}>".encode())
        answers = [smtp.reply(b"RCPT TO:<%d@x.example>" % number) for number in range(4)]
        assert [answer[:9] for answer in answers] == [b"250 2.1.5"] * 3 + [b"452 4.5.3"]
        smtp.reply(b"RSET")
        assert smtp.write_to("unknown001", "unknown002", "unknown003").startswith(b"550 5.1.1")
        assert smtp.write_to("unknown004", "unknown005").startswith(b"450 4.7.1 Too many unknown recipients")
        assert smtp.write_to(name).startswith(b"250"), "known ones are not concerned"


@hits("send_per_minute", "send_burst")
def test_rate(relay_with: Callable[..., Relay]) -> None:
    """Slower than the client's patience: refused for now. What fits into it is only slowed down (tests/unit/test_service_*)."""
    relay, name = relay_with(send_per_minute=1, send_burst=2), random_text(9)
    with Smtp(relay, name) as smtp:
        assert [smtp.write_to(name)[:3] for _ in range(2)] == [b"250", b"250"]
        smtp.send(f"MAIL FROM:<{name}@{relay.name}>\r\nRCPT TO:<{name}@{relay.name}>\r\nDATA\r\n".encode())
        assert smtp.until(b"450 4.7.1 Too many messages").count(b"250") == 2


@hits("rate_wait_seconds")
def test_no_patience_with_a_fast_sender(relay_with: Callable[..., Relay]) -> None:
    relay, name = relay_with(send_burst=1, rate_wait_seconds=0), random_text(9)
    with Smtp(relay, name) as smtp:
        assert smtp.write_to(name).startswith(b"250")
        smtp.send(f"MAIL FROM:<{name}@{relay.name}>\r\nRCPT TO:<{name}@{relay.name}>\r\nDATA\r\n".encode())
        assert smtp.until(b"450 4.7.1 Too many messages").count(b"250") == 2


@hits("header_bytes", "header_fields")
def test_header(tight: Relay) -> None:
    name = random_text(9)
    address = f"{name}@{tight.name}"
    with Smtp(tight, name) as smtp:
        good = message(tight, name)
        for bad in (b"X-A: b\r\n" * 30 + good, b"X: " + b"x" * 4_096 + b"\r\n" + good):
            assert smtp.submit([address], bad).startswith(b"554 5.6.0 ")
        assert smtp.submit([address], b"X-A: b\r\n" * 10 + good).startswith(b"250")
    with Imap(tight, name) as imap:
        imap.send(b"a APPEND INBOX {%d}\r\n" % len(b"X-A: b\r\n" * 30 + good))
        imap.until(b"+ ")
        imap.send(b"X-A: b\r\n" * 30 + good + b"\r\n")
        assert b"a NO" in imap.until(b"a NO")


# commands


@hits("smtp_line_bytes", "imap_line_bytes")
def test_lines(tight: Relay) -> None:
    name = random_text(9)
    with Smtp(tight, name) as smtp, Imap(tight, name) as imap:
        smtp.send(b"MAIL FROM:<" + b"a" * 600 + b"\r\n")
        assert smtp.rest() == b"500 5.5.2 Line too long\r\n"
        imap.send(b"a SEARCH " + b"1," * 4_200 + b"1\r\n")
        assert imap.rest().endswith(b"* BYE Command line too long\r\n")


@hits("errors")
def test_errors(tight: Relay) -> None:
    with Smtp(tight) as smtp, Imap(tight) as imap:
        smtp.send(b"NONSENSE\r\n" * 5)
        assert smtp.rest().count(b"500 5.5.1") == 3
        imap.send(b"a NONSENSE\r\n" * 5)
        assert imap.rest().count(b"a BAD") == 3


@hits("commands_before_login")
def test_commands_of_strangers(tight: Relay) -> None:
    with Smtp(tight) as smtp, Imap(tight) as imap:
        smtp.send(b"NOOP\r\n" * 20)
        assert smtp.rest().endswith(b"421 4.7.0 Too many commands without a message, closing the connection\r\n")
        imap.send(b"a NOOP\r\n" * 20)
        assert imap.rest().endswith(b"* BYE Too many commands before login\r\n")


@hits("smtp_idle_commands")
def test_commands_that_lead_nowhere(tight: Relay) -> None:
    name = random_text(9)
    with Smtp(tight, name) as smtp:
        for _ in range(3):
            assert [smtp.reply(word)[:3] for word in (b"NOOP", b"RSET", b"VRFY x")] == [b"250", b"250", b"252"]
            assert smtp.write_to(name).startswith(b"250"), "a message begins the count anew"
        smtp.send(b"RSET\r\n" * 20)
        assert smtp.rest().endswith(b"421 4.7.0 Too many commands without a message, closing the connection\r\n")


@hits("imap_nesting", "imap_search_keys", "imap_search_texts", "imap_fetch_items", "imap_ranges")
@pytest.mark.parametrize(
    ("most", "too_much"),
    [
        ("SEARCH (((1:1)))", "SEARCH ((((1:1))))"),
        ("SEARCH" + " SEEN" * 10, "SEARCH" + " SEEN" * 11),
        ("SEARCH TEXT a BODY b", "SEARCH TEXT a BODY b TEXT c"),
        ("UID FETCH 1 BODY.PEEK[1.1.1]", "UID FETCH 1 BODY.PEEK[1.1.1.1]"),
        *[tuple(f"UID FETCH 1 ({' '.join(f'BODY.PEEK[{part}]' for part in range(1, count))})" for count in (10, 12))],
        *[tuple(f"UID FETCH {','.join(map(str, range(2, 2 * count, 2)))} FLAGS" for count in (101, 102))],
    ],
)
def test_what_one_imap_command_may_ask_for(tight: Relay, most: str, too_much: str) -> None:
    with Imap(tight, random_text(9)) as imap:
        imap.ok("SELECT INBOX")
        imap.ok(most)
        assert b" BAD " in imap.command(too_much)[-1]
        imap.ok(most)


@hits("folders")
def test_folders(tight: Relay) -> None:
    with Imap(tight, random_text(9)) as imap:
        imap.ok("CREATE one")
        imap.ok("CREATE two")
        assert b"NO [LIMIT] There are too many folders" in imap.command("CREATE three")[-1]
        imap.ok("DELETE one")
        imap.ok("CREATE three")


# logins


@hits("login_failures")
def test_wrong_passwords_on_one_connection(tight: Relay) -> None:
    name = random_text(9)
    with Imap(tight, name), Imap(tight) as imap, Smtp(tight) as smtp:
        imap.send(f"a LOGIN {name}@{tight.name} wrong-password\r\n".encode() * 4)
        assert imap.rest().endswith(b"* BYE Too many failed logins\r\n")
        wrong = base64.b64encode(f"\0{name}@{tight.name}\0wrong-password".encode())
        smtp.send((b"AUTH PLAIN " + wrong + b"\r\n") * 4)
        answer = smtp.rest()
        assert answer.count(b"535 5.7.8") == 3
        assert answer.endswith(b"421 4.7.0 Too many failed logins, closing the connection\r\n")


@hits("account_failures_per_hour")
def test_wrong_passwords_for_one_account(relay_with: Callable[..., Relay]) -> None:
    """The device that was here before does not notice, not even from the same network."""
    relay, name = relay_with(account_failures_per_hour=3), random_text(9)
    with Imap(relay, name) as owner:
        owner.ok("CREATE used")
        with Imap(relay) as imap:
            answers = [imap.command(f"LOGIN {name}@{relay.name} wrong-password")[-1] for _ in range(5)]
        assert [b"AUTHENTICATIONFAILED" in answer for answer in answers] == [True, True, True, False, False]
        assert b"[UNAVAILABLE]" in answers[-1]
        with Smtp(relay) as smtp:
            wrong = base64.b64encode(f"\0{name}@{relay.name}\0wrong-password".encode())
            assert smtp.reply(b"AUTH PLAIN " + wrong).startswith(b"454 4.7.0 ")
    with Imap(relay, name), Smtp(relay, name) as smtp:
        assert smtp.write_to(name).startswith(b"250")


@hits("argon2_at_once", "argon2_waiting")
def test_too_many_logins_at_once(relay_with: Callable[..., Relay]) -> None:
    relay = relay_with(argon2_at_once=1, argon2_waiting=2)
    peers: list[Imap] = [Imap(relay) for _ in range(20)]
    for peer in peers:
        peer.send(f"a LOGIN {random_text(9)}@{relay.name} short-pass\r\n".encode())
    answers = [peer.line() for peer in peers]
    assert sum(answer.startswith(b"a OK") for answer in answers) >= 3
    busy = [answer for answer in answers if not answer.startswith(b"a OK")]
    assert busy
    assert set(busy) == {b"a NO [UNAVAILABLE] Too many logins at this moment, try again soon\r\n"}


@hits("newcomers")
def test_a_flood_of_logins_leaves_nothing(relay_with: Callable[..., Relay]) -> None:
    relay = relay_with(newcomers=5)
    used = random_text(9)
    with Smtp(relay, used) as smtp:
        assert smtp.write_to(used).startswith(b"250")
    for _ in range(12):
        with Imap(relay, random_text(9)) as imap:
            imap.ok("SELECT INBOX")
    assert status(relay)["accounts"] == 6
    relay.kill()
    relay.start()
    assert status(relay)["accounts"] == 1
    with Imap(relay, used) as imap:
        assert b"* 1 EXISTS\r\n" in imap.ok("SELECT INBOX")


# connections


@hits("strangers_per_network")
def test_strangers_of_one_network(relay_with: Callable[..., Relay]) -> None:
    relay = relay_with(strangers_per_network=3)
    held = [Peer(relay, "imap") for _ in range(3)]
    assert all(peer.line().startswith(b"* OK") for peer in held)
    assert is_shut(Peer(relay, "submission"))
    with closing(socket.create_connection((relay.bind, relay.port("imap")), 20, ("127.0.0.2", 0))) as elsewhere:
        assert elsewhere.recv(100).startswith(b"* OK"), "another network is not concerned"
    held[0].socket.close()
    members = [free_place(relay) for _ in range(6)]
    assert [member.ok("NOOP") for member in members] == [[]] * 6, "whoever has logged in does not count"


@hits("connections", "stranger_share")
def test_strangers_in_all_do_not_lock_out_people(relay_with: Callable[..., Relay]) -> None:
    relay = relay_with(connections=12, stranger_share=0.34)
    members = [Imap(relay, random_text(9)) for _ in range(6)]
    strangers = [Peer(relay, "imap") for _ in range(4)]
    assert all(peer.line().startswith(b"* OK") for peer in strangers)
    assert is_shut(Peer(relay, "imap"))
    assert [member.ok("NOOP") for member in members] == [[]] * 6
    for stranger in strangers:
        stranger.socket.close()
    members += [free_place(relay) for _ in range(6)]
    assert is_shut(Peer(relay, "imap")), "full of people"
    assert [member.ok("NOOP") for member in members] == [[]] * 12


@hits("connections_per_account")
def test_of_one_account_the_oldest_connection_goes(tight: Relay) -> None:
    name = random_text(9)
    first, second = Imap(tight, name), Imap(tight, name)
    third = Imap(tight, name)
    assert is_shut(first)
    second.ok("NOOP")
    third.ok("NOOP")


@hits("http_connections", "http_per_network")
@pytest.mark.parametrize("limit", ["http_connections", "http_per_network"])
@pytest.mark.parametrize("service", ["http", "https"])
def test_visits(relay_with: Callable[..., Relay], limit: str, service: str) -> None:
    relay = relay_with(**{limit: 2})
    held = [Peer(relay, service) for _ in range(2)]
    for peer in held:
        peer.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert peer.line().startswith(b"HTTP/1.1 ")
    assert Peer(relay, service).rest().startswith(b"HTTP/1.1 503 ")
    with Imap(relay, random_text(9)) as imap:
        imap.ok("NOOP")


@hits("http_head_bytes", "http_body_bytes")
def test_size_of_a_request(tight: Relay) -> None:
    for fields, status in ((b"X: " + b"x" * 2_048, b"431"), (b"Content-Length: 4097", b"413"), (b"Content-Length: 9", b"422")):
        peer = Peer(tight, "https", "http/1.1")
        peer.send(
            b"POST /reconnect HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n" + fields + b"\r\n\r\naddress=x"
        )
        assert peer.line().startswith(b"HTTP/1.1 " + status)


@hits("http_request_seconds", "http_idle_seconds")
def test_time_of_a_request(tight: Relay) -> None:
    slow, silent = Peer(tight, "http"), Peer(tight, "http")
    slow.send(b"GET / HTTP/1.1\r\n")
    silent.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert slow.rest().startswith(b"HTTP/1.1 408 ")
    assert silent.rest().startswith(b"HTTP/1.1 "), "answered, and closed after a while without a further request"


@hits("login_seconds", "idle_seconds")
def test_time(relay_with: Callable[..., Relay]) -> None:
    relay = relay_with(login_seconds=1, idle_seconds=2)
    half = Peer(relay, "submission")  # TLS is awaited and never comes
    half.line()
    imap, smtp, member = Imap(relay), Smtp(relay), Imap(relay, random_text(9))
    assert imap.rest() == b"* BYE Nothing heard for too long\r\n"
    assert smtp.rest().startswith(b"421 4.4.2 ")
    assert half.rest().startswith(b"421 4.4.2 ")
    assert member.rest() == b"* BYE Nothing heard for too long\r\n"
    raw = socket.create_connection((relay.bind, relay.port("imaps")), 20)
    with raw:
        raw.sendall(b"\x16\x03\x01\x02\x00")  # half a TLS handshake
        assert raw.recv(1) == b""


# memory


@hits("memory_bytes")
def test_memory_of_messages_on_their_way(relay_with: Callable[..., Relay]) -> None:
    """Three quarters of 1 MiB are for large messages: what would take more is sent away, and chats go on."""
    relay = relay_with(memory_bytes=1_048_576)
    name = random_text(9)
    start = f"MAIL FROM:<{name}@{relay.name}>\r\nRCPT TO:<{name}@{relay.name}>\r\nDATA\r\n".encode()
    large, larger, small = (Smtp(relay, name) for _ in range(3))
    for smtp in (large, larger):
        smtp.send(start)
        smtp.until(b"354")
        smtp.line()
    large.send((b"x" * 998 + b"\r\n") * 600)
    with Imap(relay, name) as imap:
        imap.ok("NOOP")
        assert small.write_to(name).startswith(b"250")
        with suppress(OSError):
            larger.send((b"x" * 998 + b"\r\n") * 2_000)
        assert larger.rest() == b"421 4.3.1 Too many large messages at this moment, closing the connection\r\n"
        assert small.write_to(name).startswith(b"250")
        imap.send(b"a APPEND INBOX {900000}\r\n")
        imap.until(b"+ ")
        imap.send(b"x" * 300_000)
        assert b"* BYE Too many large messages at this moment" in imap.rest()
    large.socket.close()
    with Smtp(relay, name) as smtp:
        assert smtp.write_to(name, size_bytes=400_000).startswith(b"250"), "and there is room again"


@hits("memory_wait_seconds")
def test_no_patience_with_memory(relay_with: Callable[..., Relay]) -> None:
    """Sixteen messages of 64 KiB are what 1 MiB holds; the rest is for commands."""
    relay = relay_with(memory_bytes=1_048_576 + 32_768, memory_wait_seconds=0, send_burst=100)
    names = [random_text(9) for _ in range(17)]
    held = [Smtp(relay, name) for name in names]
    for name, smtp in zip(names, held, strict=True):
        smtp.send(f"MAIL FROM:<{name}@{relay.name}>\r\nRCPT TO:<{name}@{relay.name}>\r\nDATA\r\n".encode())
        smtp.reply()
        smtp.reply()
    answers = [smtp.reply() for smtp in held]
    assert [answer[:3] for answer in answers] == [b"354"] * 16 + [b"452"]
    assert answers[-1] == b"452 4.3.1 Too many large messages at this moment, try again soon\r\n"


@hits("outgoing_bytes")
def test_memory_of_messages_that_are_not_read(relay_with: Callable[..., Relay]) -> None:
    """Somebody asks for large messages and does not read them: others still get theirs, and are not asked for more patience than needed."""
    relay = relay_with(outgoing_bytes=12_000_000, send_burst=100)
    greedy, modest, also_greedy = (random_text(9) for _ in range(3))
    for name, size_bytes in ((greedy, 9_000_000), (modest, 5_000_000), (also_greedy, 9_000_000)):
        with Smtp(relay, name) as smtp:
            assert smtp.write_to(name, size_bytes=size_bytes).startswith(b"250")
    stuck = Imap(relay, greedy, receive_bytes=4096)
    stuck.ok("SELECT INBOX")
    stuck.start("UID FETCH 1 BODY.PEEK[]")
    stuck.until(b"FETCH")  # it is on its way
    with Imap(relay, also_greedy) as imap:
        imap.ok("SELECT INBOX")
        assert b"[UNAVAILABLE]" in imap.command("UID FETCH 1 BODY.PEEK[]")[-1]
        assert b"[UNAVAILABLE]" in imap.command("SEARCH TEXT nowhere")[-1]
    with Imap(relay, modest) as imap:
        imap.ok("SELECT INBOX")
        imap.start("UID FETCH 1 (BODY.PEEK[HEADER.FIELDS (FROM)])")
        assert b"From" in imap.until(b" OK ")
        imap.start("UID FETCH 1 BODY.PEEK[]")
        assert len(imap.until(b" OK FETCH")) > 4_900_000
    assert len(stuck.rest()) < 9_000_000, "who does not read gives way"
    with Imap(relay, also_greedy) as imap:
        imap.ok("SELECT INBOX")
        imap.start("UID FETCH 1 BODY.PEEK[]")
        assert len(imap.until(b" OK FETCH")) > 8_900_000


# accounts


@hits("sender_share")
def test_one_sender_fills_a_fifth(tight: Relay) -> None:
    sender, reader = random_text(9), random_text(9)
    with Imap(tight, reader) as imap, Smtp(tight, sender) as smtp:
        imap.ok("CREATE used")
        answers = [smtp.write_to(reader, size_bytes=15_000)[:9] for _ in range(4)]
        assert answers[0] == b"250 2.6.0"
        assert answers[-1] == b"552 5.2.2"
        with Smtp(tight, reader) as own:
            assert own.write_to(reader, size_bytes=15_000).startswith(b"250"), "others still fit"


@hits("quota_bytes")
def test_quota(tight: Relay) -> None:
    name = random_text(9)
    with Smtp(tight, name) as smtp:
        answers = [smtp.write_to(name, size_bytes=15_000) for _ in range(20)]
    assert answers[0].startswith(b"250")
    assert answers[-1].startswith(b"552 5.2.2 ")


def test_every_limit_is_hit() -> None:
    assert set(limits()) == set(HIT) | ELSEWHERE
    assert not set(HIT) & ELSEWHERE
