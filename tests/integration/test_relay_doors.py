# SPDX-License-Identifier: AGPL-3.0-or-later
"""A real relay at its doors: implicit TLS, STARTTLS, ALPN on the shared port, old TLS, IPv6, and what comes before login."""

import base64
import socket
import ssl
import struct
from collections.abc import Iterator

import pytest
from tests.lab.peer import PASSWORD, Imap, Peer, Smtp, context
from tests.lab.relay import Relay, free_base, random_text
from tests.mail.make import encrypted_message

from razdar.wire.imap.limits import ImapLimits

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    with Relay(tmp_path_factory.mktemp("doors")) as running:
        yield running


# TLS


@pytest.mark.parametrize("service", ["imaps", "imap", "https"])
def test_imap_on_every_door(relay: Relay, service: str) -> None:
    with Imap(relay, random_text(9), service=service) as imap:
        assert any(b"EXISTS" in line for line in imap.ok("SELECT INBOX"))


@pytest.mark.parametrize("service", ["submissions", "submission", "https"])
def test_submission_on_every_door(relay: Relay, service: str) -> None:
    name = random_text(9)
    with Smtp(relay, name, service=service) as smtp:
        assert smtp.write_to(name).startswith(b"250")


@pytest.mark.parametrize("alpn", [(), ("http/1.1",), ("h2", "http/1.1"), ("h2",)], ids=str)
def test_pages_for_whoever_names_http_or_nothing_we_know(relay: Relay, alpn: tuple[str, ...]) -> None:
    with Peer(relay, "https", *alpn) as peer:
        peer.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert peer.line().startswith(b"HTTP/1.1 ")


@pytest.mark.parametrize(("alpn", "chosen"), [("imap", "imap"), ("smtp", "smtp"), ("http/1.1", "http/1.1"), ("h2", None)])
def test_the_relay_says_which_protocol_it_speaks(relay: Relay, alpn: str, chosen: str | None) -> None:
    with Peer(relay, "https", alpn) as peer:
        assert isinstance(peer.socket, ssl.SSLSocket)
        assert peer.socket.selected_alpn_protocol() == chosen


def test_imap_bytes_on_an_http_alpn_are_refused(relay: Relay) -> None:
    """VECTORS "TLS": ALPN cross-protocol."""
    with Peer(relay, "https", "http/1.1") as peer:
        peer.send(f"a LOGIN {random_text(9)}@{relay.name} {PASSWORD}\r\na SELECT INBOX\r\n\r\n".encode())
        answer = peer.rest()
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"a OK" not in answer


@pytest.mark.parametrize("alpn", ["imap", "smtp"])
def test_http_bytes_on_another_alpn_are_refused(relay: Relay, alpn: str) -> None:
    """A page in a browser must not be able to talk to the mail engines; nothing of what it sent comes back as if it were ours (ALPACA)."""
    with Peer(relay, "https", alpn) as peer:
        peer.send(b"POST /<script>alert(1)</script> HTTP/1.1\r\nHost: x\r\n\r\n" + b"X: <script>alert(1)</script>\r\n" * 30)
        answer = peer.rest()
    assert b"HTTP/1.1 2" not in answer
    assert b"<script>" not in answer


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.parametrize("service", ["imaps", "submissions", "https"])
def test_old_tls_is_refused(relay: Relay, service: str, version: ssl.TLSVersion) -> None:
    raw = socket.create_connection((relay.bind, relay.port(service)), 10)
    with raw, pytest.raises((ssl.SSLError, ConnectionError)):
        context(version=version).wrap_socket(raw)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
def test_old_tls_is_refused_after_starttls_too(relay: Relay) -> None:
    with Peer(relay, "imap") as peer:
        peer.line()
        peer.send(b"a STARTTLS\r\n")
        assert peer.line().startswith(b"a OK")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            context(version=ssl.TLSVersion.TLSv1_1).wrap_socket(peer.socket)


# STARTTLS


def test_nothing_said_in_clear_counts_after_starttls_in_imap(relay: Relay) -> None:
    """CVE-2011-0411, CVE-2021-38371: the injected command would be answered inside of TLS."""
    with Peer(relay, "imap") as peer:
        peer.line()
        peer.send(f"a STARTTLS\r\nb LOGIN {random_text(9)}@{relay.name} {PASSWORD}\r\nc NOOP\r\n".encode())
        assert peer.line().startswith(b"a OK")
        peer.start_tls()
        peer.send(b"d SELECT INBOX\r\n")
        assert peer.line().startswith(b"d BAD")


def test_nothing_said_in_clear_counts_after_starttls_in_smtp(relay: Relay) -> None:
    with Peer(relay, "submission") as peer:
        peer.line()
        peer.send(b"EHLO a\r\nSTARTTLS\r\nMAIL FROM:<evil@x.example>\r\nEHLO injected.example\r\n")
        peer.until(b"220 2.0.0")
        peer.line()
        peer.start_tls()
        peer.send(b"MAIL FROM:<a@b.example>\r\n")
        assert peer.line().startswith(b"503")


@pytest.mark.parametrize(
    ("service", "commands"),
    [
        ("imap", [b"a LOGIN x@y.example secretsecret", b"a AUTHENTICATE PLAIN AHgAeQ==", b'a LOGIN "x" {12+}\r\nsecretsecret']),
        ("submission", [b"EHLO a\r\nAUTH PLAIN AHgAeQ==", b"EHLO a\r\nAUTH LOGIN"]),
    ],
)
def test_no_login_in_clear(relay: Relay, service: str, commands: list[bytes]) -> None:
    for command in commands:
        with Peer(relay, service) as peer:
            peer.line()
            peer.send(command + b"\r\n")
            answer = peer.until(b"TLS")
            assert b"a OK" not in answer
            assert b"235" not in answer
            assert b"334" not in answer


# hostile bytes before login


@pytest.mark.parametrize(
    ("service", "farewell"), [("imaps", b"* BYE Command line too long\r\n"), ("submissions", b"500 5.5.2 Line too long\r\n")]
)
def test_an_endless_line_ends_the_connection(relay: Relay, service: str, farewell: bytes) -> None:
    with Peer(relay, service) as peer:
        peer.line()
        peer.send(b"a" * 5_000)
        assert peer.rest().endswith(farewell)


@pytest.mark.parametrize(
    "line", [b"a LOGIN {4294967295}", b"a LOGIN {4294967296+}", b"a LOGIN {99999999999999999999999999}", b"a APPEND INBOX {31457280}"]
)
def test_a_huge_literal_is_refused_before_a_byte_of_it(relay: Relay, line: bytes) -> None:
    with Peer(relay, "imaps") as peer:
        peer.line()
        peer.send(line + b"\r\n")
        answer = peer.line()
        assert answer.startswith((b"a BAD", b"a NO")), answer


def test_thousands_of_small_literals(relay: Relay) -> None:
    with Peer(relay, "imaps") as peer:
        peer.line()
        peer.send(b"a LOGIN" + b" {1+}\r\nx" * 5000)
        assert b"BAD" in peer.rest()


def test_deep_nesting(relay: Relay) -> None:
    with Imap(relay, random_text(9)) as imap:
        imap.ok("SELECT INBOX")
        assert b" BAD " in imap.command("SEARCH " + "(" * 5000)[-1]
        assert b" BAD " in imap.command("SEARCH " + "NOT " * 5000 + "ALL")[-1]
        imap.ok("NOOP")


def test_too_many_nonsense_commands_end_the_connection(relay: Relay) -> None:
    with Peer(relay, "imaps") as peer:
        peer.send(b"a NONSENSE\r\n" * 1000)
        assert peer.rest().count(b"a BAD") <= ImapLimits().errors


def test_too_many_wrong_passwords_end_the_connection(relay: Relay) -> None:
    name = random_text(9)
    with Imap(relay, name), Imap(relay) as imap:
        for _ in range(9):
            assert b"AUTHENTICATIONFAILED" in imap.command(f"LOGIN {name}@{relay.name} wrong-password")[-1]
        imap.start(f"LOGIN {name}@{relay.name} wrong-password")
        assert b"BYE" in imap.rest()


@pytest.mark.parametrize(
    "login",
    [
        b"\0%s\0" + PASSWORD.encode() + b"\0",
        b"somebody-else\0%s\0" + PASSWORD.encode(),
        b"\0%s\r\n\0" + PASSWORD.encode(),
        b"\0%s\0\xff\xfe",
        b"\0%s",
        b"",
    ],
)
def test_sasl_with_foreign_bytes(relay: Relay, login: bytes) -> None:
    """VECTORS "command injection", "SASL authzid of another user"; the connection stays usable."""
    name = f"{random_text(9)}@{relay.name}".encode()
    with Smtp(relay) as smtp:
        secret = base64.b64encode(login % name if b"%s" in login else login)
        assert smtp.reply(b"AUTH PLAIN " + (secret or b"=")).startswith((b"501", b"535"))
        assert smtp.reply(b"AUTH PLAIN " + base64.b64encode(b"\0%s\0%s" % (name, PASSWORD.encode()))).startswith(b"235")


def test_a_foreign_letter_in_a_password_works_alike_in_both(relay: Relay) -> None:
    """The client quotes a password as it is, non-ASCII letters included (docs/interop.md)."""
    name = f"{random_text(9)}@{relay.name}"
    password = "رمز-عبور-دراز"
    with Smtp(relay) as smtp:
        assert smtp.reply(b"AUTH PLAIN " + base64.b64encode(f"\0{name}\0{password}".encode())).startswith(b"235")
    with Imap(relay) as imap:
        imap.ok(f'LOGIN "{name}" "{password}"')


def peer_smtp(relay: Relay) -> Smtp:
    """Another relay, after STARTTLS."""
    smtp = Smtp(relay, service="smtp")
    assert smtp.reply(b"STARTTLS").startswith(b"220")
    smtp.start_tls()
    smtp.reply(b"EHLO peer.example")
    return smtp


def test_port_25_passes_nothing_on(relay: Relay) -> None:
    """VECTORS "relay": never for another domain, and nothing in clear."""
    with Smtp(relay, service="smtp") as smtp:
        assert smtp.reply(b"MAIL FROM:<a@elsewhere.example>").startswith(b"530")
    with peer_smtp(relay) as smtp:
        assert smtp.reply(b"AUTH PLAIN AHgAeQ==").startswith(b"50")
        smtp.reply(b"MAIL FROM:<a@elsewhere.example>")
        assert smtp.reply(b"RCPT TO:<x@y.example>").startswith(b"550 5.7.1 Relaying denied")
        assert smtp.reply(b"DATA").startswith(b"554")


def test_port_25_brings_mail_of_a_relay_that_has_only_an_address(relay: Relay) -> None:
    """And not under an address that is not its own."""
    name = random_text(9)
    with Imap(relay, name) as imap, peer_smtp(relay) as smtp:
        imap.ok("SELECT INBOX")
        for author, code in (("ali123456@[127.0.0.1]", b"250"), ("ali123456@[127.0.0.99]", b"451"), ("ali123456@[192.0.2.7]", b"554")):
            smtp.reply(f"MAIL FROM:<{author}>".encode())
            assert smtp.reply(f"RCPT TO:<{name}@{relay.name}>".encode()).startswith(b"250")
            assert smtp.reply(b"DATA").startswith(b"354")
            assert smtp.reply(encrypted_message(author, [name]) + b".").startswith(code)
        assert b"* 1 EXISTS\r\n" in imap.ok("NOOP")


def test_port_25_tries_no_names_where_registration_is_closed(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where it is open the first login answers that by its nature."""
    with Relay(tmp_path_factory.mktemp("closed"), settings={"registration": "closed"}) as closed, peer_smtp(closed) as smtp:
        smtp.reply(b"MAIL FROM:<a@elsewhere.example>")
        assert smtp.reply(f"RCPT TO:<nobody123@{closed.name}>".encode()).startswith(b"250")


def test_mxdeliv_on_the_shared_port(relay: Relay) -> None:
    name, author = random_text(9), "ali123456@[127.0.0.1]"
    content = encrypted_message(author, [name])
    head = f"POST /mxdeliv HTTP/1.1\r\nHost: x\r\nX-MAIL-FROM: {author}\r\nX-MAIL-TO: {name}@{relay.name}\r\n"
    with Imap(relay, name) as imap, Peer(relay, "https") as peer:
        peer.send(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        assert peer.line() == b"HTTP/1.1 200 OK\r\n"
        assert b"* 1 EXISTS\r\n" in imap.ok("SELECT INBOX")


def test_without_federation_there_is_no_way_in(tmp_path_factory: pytest.TempPathFactory) -> None:
    with (
        Relay(tmp_path_factory.mktemp("alone"), settings={"federation": "false"}) as alone,
        peer_smtp(alone) as smtp,
        Imap(alone, "member123"),
    ):
        smtp.reply(b"MAIL FROM:<ali123456@[127.0.0.1]>")
        assert smtp.reply(f"RCPT TO:<member123@{alone.name}>".encode()).startswith(b"550")


# sudden ends


def reset(peer: Peer) -> None:
    """The connection is gone as when a phone leaves the network and comes back: RST."""
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.socket.close()


def test_disconnects_in_every_state_leave_nothing_behind(relay: Relay) -> None:
    name = random_text(9)

    def connections() -> int:
        import json
        import subprocess

        command = relay.other_command("status", "--json")
        return int(json.loads(subprocess.run(command, env=relay.environment(), capture_output=True, check=True).stdout)["connections"])

    before = connections()
    for service in ("imap", "submission"):
        half = Peer(relay, service)  # in the middle of a STARTTLS handshake
        half.line()
        half.send(b"a STARTTLS\r\n" if service == "imap" else b"EHLO a\r\nSTARTTLS\r\n")
        half.until(b"a OK" if service == "imap" else b"220 2.0.0")
        half.line()
        half.send(b"\x16\x03\x01")
        reset(half)
    reset(Peer(relay, "imaps"))
    reset(Imap(relay, name))
    selected = Imap(relay, name)
    selected.ok("SELECT INBOX")
    selected.send(b"t9 UID FETCH 1:* (FLAGS BODY.PEEK[])\r\n")
    reset(selected)
    idling = Imap(relay, name)
    idling.ok("SELECT INBOX")
    idling.idle()
    reset(idling)
    appending = Imap(relay, name)
    appending.send(b"t9 APPEND INBOX {5000}\r\n")
    appending.until(b"+ ")
    appending.send(b"half of it")
    reset(appending)
    writing = Smtp(relay, name)
    writing.send(f"MAIL FROM:<{name}@{relay.name}>\r\nRCPT TO:<{name}@{relay.name}>\r\nDATA\r\n".encode())
    writing.until(b"354")
    writing.send(b"From: half of a message")
    reset(writing)
    with Imap(relay, name) as imap:
        assert b"* 0 EXISTS\r\n" in imap.ok("SELECT INBOX")
    for _ in range(200):
        if connections() <= before:
            break
    assert connections() <= before
    assert '"event": "bug"' not in relay.output()


def test_ipv6(tmp_path_factory: pytest.TempPathFactory) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with Relay(tmp_path_factory.mktemp("six"), bind="::1", ports=free_base("127.0.0.1")) as relay:
        name = random_text(9)
        with Imap(relay, name) as imap, Smtp(relay, name) as smtp:
            assert smtp.write_to(name).startswith(b"250")
            assert b"* 1 EXISTS\r\n" in imap.ok("SELECT INBOX")
