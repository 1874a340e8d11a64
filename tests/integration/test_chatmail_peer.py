# SPDX-License-Identifier: AGPL-3.0-or-later
"""The peer of Postfix and Dovecot, for federation and for the benchmark: it carries messages, signs them, and leaves nothing behind."""

import imaplib
import io
import queue
import re
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from bench.machine import family
from tests.lab.chatmail_peer import PORTS, ChatmailPeer, Unavailable, require
from tests.lab.peer import PASSWORD, context
from tests.lab.tls import self_signed
from tests.mail.make import encrypted_message

pytestmark = [pytest.mark.slow, pytest.mark.namespace]
HOST_FILES = ("/etc/passwd", "/etc/group", "/etc/hosts", "/etc/resolv.conf")


@pytest.fixture(autouse=True)
def _possible() -> None:
    try:
        require()
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[ChatmailPeer]:
    with ChatmailPeer(tmp_path / "peer") as running:
        yield running


def test_a_message_arrives_and_nothing_is_left_behind(tmp_path: Path) -> None:
    before = {name: Path(name).read_bytes() for name in HOST_FILES}
    mounts = Path("/proc/self/mounts").read_text()
    with ChatmailPeer(tmp_path / "peer") as peer:
        process = peer.process
        assert process is not None
        body = send(peer, "sender", [peer.address("receiver1")])
        assert body in fetch(peer, "receiver1")
        others = family([process.pid])
        assert len(others) > 10, "Postfix and Dovecot are many programs"
    assert not [each for each in others if Path("/proc", str(each)).exists()]
    assert mounts == Path("/proc/self/mounts").read_text()
    assert before == {name: Path(name).read_bytes() for name in HOST_FILES}
    assert not [service for service, port in PORTS.items() if answers(peer.bind, port)]


def test_accounts_stay_and_a_wrong_password_is_refused(tmp_path: Path) -> None:
    with ChatmailPeer(tmp_path / "peer") as peer:
        body = send(peer, "sender", [peer.address("sender")])
        assert body in fetch(peer, "sender")
    with peer:
        assert body in fetch(peer, "sender")
        with pytest.raises(imaplib.IMAP4.error):
            fetch(peer, "sender", "another password")


def test_a_kill_ends_all_of_its_programs(peer: ChatmailPeer) -> None:
    assert peer.process is not None
    others = family([peer.process.pid])
    peer.kill()
    gone_by = time.monotonic() + 10
    while [each for each in others if Path("/proc", str(each)).exists()]:
        assert time.monotonic() < gone_by
        time.sleep(0.01)  # the kernel takes a namespace apart after its first process; nothing announces the end


def test_mail_for_another_domain_goes_out_signed_and_over_tls(peer: ChatmailPeer, tmp_path: Path) -> None:
    with Sink(tmp_path, "127.0.0.7") as sink:
        peer.name_server("elsewhere.test", "127.0.0.7")
        body = send(peer, "sender", ["somebody@elsewhere.test"])
        received = sink.message.get(timeout=20)
    assert body in received
    unfolded = re.sub(rb"\r\n[ \t]+", b" ", received)
    signature = re.search(rb"^DKIM-Signature:.*$", unfolded, re.MULTILINE)
    assert signature
    assert b"d=chatmail.test;" in signature[0]
    assert b"s=opendkim;" in signature[0]
    assert peer.dkim_record()[0] == "opendkim._domainkey.chatmail.test"
    assert not re.search(rb"^Received:.*127\.0\.0\.1", unfolded, re.MULTILINE), "nobody learns where the sender was"


def test_devices_hear_of_mail_at_once(peer: ChatmailPeer) -> None:
    """As on chatmail relays, whose Dovecot waits no half second; without it the benchmark would flatter us."""
    assert peer.is_prompt
    with imaplib.IMAP4_SSL(peer.bind, PORTS["imaps"], ssl_context=context(), timeout=20) as link:
        link.login(peer.address("receiver1"), PASSWORD)
        waits = []
        for _ in range(5):
            link.select()
            link.send(b"x IDLE\r\n")
            link.readline()
            began = time.monotonic()
            send(peer, "sender", [peer.address("receiver1")])
            while b"EXISTS" not in link.readline():
                pass
            waits.append(time.monotonic() - began)
            link.send(b"DONE\r\n")
            while not link.readline().startswith(b"x OK"):
                pass
    assert min(waits) < 0.5


def test_two_peers_write_to_each_other(peer: ChatmailPeer, tmp_path: Path) -> None:
    with ChatmailPeer(tmp_path / "other", domain="other.test", bind="127.0.0.3", trusted=peer.certificate) as other:
        other.name_server(peer.domain, peer.bind)
        body = send(other, "sender", [peer.address("receiver1")])
        assert body in fetch(peer, "receiver1")


def send(peer: ChatmailPeer, local: str, recipients: Sequence[str]) -> bytes:
    """Acknowledged; a line of the message by which it is known again."""
    message = encrypted_message(peer.address(local), recipients, 1500)
    with smtplib.SMTP_SSL(peer.bind, PORTS["submissions"], context=context(), timeout=20) as link:
        link.login(peer.address(local), PASSWORD)
        assert link.sendmail(peer.address(local), recipients, message) == {}
    return max(message.split(b"\r\n"), key=len)


def fetch(peer: ChatmailPeer, local: str, password: str = PASSWORD) -> bytes:
    """The last message that waits, as soon as there is one."""
    with imaplib.IMAP4_SSL(peer.bind, PORTS["imaps"], ssl_context=context(), timeout=20) as link:
        link.login(peer.address(local), password)
        link.select()
        until = time.monotonic() + 20
        while not (numbers := link.search(None, "ALL")[1][0].split()):
            assert time.monotonic() < until, peer.output()
            time.sleep(0.05)  # a queue of another program
            link.noop()
        found = link.fetch(numbers[-1].decode(), "(BODY.PEEK[])")[1][0]
    assert isinstance(found, tuple)
    return bytes(found[1])


def answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 5).close()
    except OSError:
        return False
    return True


class Sink:
    """Another domain's port 25 with STARTTLS, for one message."""

    def __init__(self, folder: Path, address: str) -> None:
        self.message: queue.Queue[bytes] = queue.Queue()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(*self_signed(folder, "elsewhere.test"))
        self._server = socket.create_server((address, 25))
        self._server.settimeout(30)
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "Sink":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._server.close()

    def _serve(self) -> None:
        link, _ = self._server.accept()
        link.settimeout(20)
        with link:
            link.sendall(b"220 elsewhere.test\r\n")
            link.recv(1000)
            link.sendall(b"250-elsewhere.test\r\n250 STARTTLS\r\n")
            link.recv(1000)
            link.sendall(b"220 go\r\n")
            with self._tls.wrap_socket(link, server_side=True) as safe, safe.makefile("rwb") as stream:
                self._talk(stream)

    def _talk(self, stream: io.BufferedRWPair) -> None:
        for line in iter(stream.readline, b""):
            stream.write(b"354 go on\r\n" if line.startswith(b"DATA") else b"250 fine\r\n")
            stream.flush()
            if line.startswith(b"DATA"):
                self.message.put(b"".join(iter(stream.readline, b".\r\n")))
                stream.write(b"250 fine\r\n")
                stream.flush()
