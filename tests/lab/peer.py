# SPDX-License-Identifier: AGPL-3.0-or-later
"""A client that says exactly the bytes it is told to, over a real socket, and waits for what comes; nothing of it knows a protocol library.

Every wait is bounded by the socket's timeout. `Peer` is one connection; `Imap` and `Smtp` add the few words that most tests begin with.
"""

import base64
import socket
import ssl
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

import pytest
from tests.lab.relay import Relay
from tests.mail.make import encrypted_message

PATIENCE_S = 20.0
PASSWORD = "0123456789abcdefghijkl"
_OPEN: list["Peer"] = []
TLS_AT_ONCE = ("https", "submissions", "imaps")


def context(*alpn: str, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """Accepts any certificate. `version`: this one and no other."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    if alpn:
        made.set_alpn_protocols(list(alpn))
    if version is not None:
        made.set_ciphers("DEFAULT:@SECLEVEL=0")
        made.minimum_version = made.maximum_version = version
    return made


def close_all() -> None:
    """Every connection that was opened since the last time is closed. For the end of a test, however it ended."""
    while _OPEN:
        _OPEN.pop().socket.close()


@pytest.fixture(autouse=True)
def end_connections() -> Iterator[None]:
    """No test leaves one open. A conftest that imports this says so for its whole folder."""
    yield
    close_all()


class Peer:
    """One connection to a service of the relay; TLS from the start where the service has it."""

    def __init__(self, relay: Relay, service: str, *alpn: str, receive_bytes: int = 0) -> None:
        family = socket.AF_INET6 if ":" in relay.bind else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(PATIENCE_S)
        _OPEN.append(self)
        self.socket.connect((relay.bind, relay.port(service)))
        self._received = b""
        if service in TLS_AT_ONCE:
            self.start_tls(*alpn)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.socket.close()

    def start_tls(self, *alpn: str) -> None:
        self.socket = context(*alpn).wrap_socket(self.socket)
        self._received = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def until(self, mark: bytes) -> bytes:
        """Everything up to and with `mark`; what comes after it waits."""
        while mark not in self._received:
            data = self.socket.recv(65_536)
            assert data, f"the connection ended before {mark!r}: {self._received[-500:]!r}"
            self._received += data
        end = self._received.index(mark) + len(mark)
        taken, self._received = self._received[:end], self._received[end:]
        return taken

    def greets(self) -> bool:
        """Whether the relay says anything before it ends the connection."""
        try:
            self._received += self.socket.recv(65_536)
        except ConnectionError:
            return False
        return bool(self._received)

    def line(self) -> bytes:
        return self.until(b"\r\n")

    def rest(self) -> bytes:
        """What comes until the relay ends the connection."""
        taken, self._received = self._received, b""
        while True:
            try:
                data = self.socket.recv(65_536)
            except (ConnectionError, ssl.SSLEOFError):
                return taken
            if not data:
                return taken
            taken += data


class Imap(Peer):
    """`name` is logged in to, and made by that, unless it is empty."""

    def __init__(self, relay: Relay, name: str = "", *, service: str = "imaps", receive_bytes: int = 0) -> None:
        super().__init__(relay, service, *(["imap"] if service == "https" else []), receive_bytes=receive_bytes)
        self.greeting = self.line()
        self._number = 0
        if service == "imap" and name:
            assert b" OK " in self.command("STARTTLS")[-1]
            self.start_tls()
        if name:
            assert b" OK " in self.command(f"LOGIN {name}@{relay.name} {PASSWORD}")[-1]

    def start(self, text: str) -> bytes:
        """Sends a command; returns its tag."""
        self._number += 1
        self.send(f"t{self._number} {text}\r\n".encode())
        return b"t%d" % self._number

    def finish(self, tag: bytes) -> list[bytes]:
        """Lines up to the tagged one. Literals must not hold what looks like it."""
        lines: list[bytes] = []
        while not lines or not lines[-1].startswith(tag + b" "):
            lines.append(self.line())
        return lines

    def command(self, text: str) -> list[bytes]:
        return self.finish(self.start(text))

    def ok(self, text: str) -> list[bytes]:
        """The untagged lines of a command that succeeds."""
        lines = self.command(text)
        assert b" OK" in lines[-1][: lines[-1].index(b" ") + 3], lines[-1]
        return lines[:-1]

    def idle(self) -> None:
        """In IDLE."""
        self.start("IDLE")
        self.until(b"+ idling\r\n")

    def done(self) -> list[bytes]:
        """Out of it; what came since the last line that was read."""
        self.send(b"DONE\r\n")
        return self.finish(b"t%d" % self._number)


class Smtp(Peer):
    """Said EHLO; logged in as `name` unless it is empty."""

    def __init__(self, relay: Relay, name: str = "", *, service: str = "submissions") -> None:
        super().__init__(relay, service, *(["smtp"] if service == "https" else []))
        self.relay, self.name = relay, name
        self.greeting = self.reply()
        self.reply(b"EHLO peer.example")
        if service == "submission" and name:
            assert self.reply(b"STARTTLS").startswith(b"220")
            self.start_tls()
            self.reply(b"EHLO peer.example")
        if name:
            secret = base64.b64encode(f"\0{name}@{relay.name}\0{PASSWORD}".encode())
            assert self.reply(b"AUTH PLAIN " + secret).startswith(b"235")

    def reply(self, command: bytes = b"") -> bytes:
        """All lines of the next reply, after sending `command` if there is one."""
        if command:
            self.send(command + b"\r\n")
        lines = [self.line()]
        while lines[-1][3:4] == b"-":
            lines.append(self.line())
        return b"".join(lines)

    def submit(self, recipients: Sequence[str], message: bytes) -> bytes:
        """The last reply of one transaction, all of it sent at once but the content."""
        commands = [b"MAIL FROM:<%s@%s>" % (self.name.encode(), self.relay.name.encode())]
        commands += [b"RCPT TO:<%s>" % recipient.encode() for recipient in recipients]
        self.send(b"".join(command + b"\r\n" for command in [*commands, b"DATA"]))
        replies = [self.reply() for _ in range(len(commands) + 1)]
        assert replies[-1].startswith(b"354"), replies
        self.send(message.replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n")
        return self.reply()

    def write_to(self, *names: str, size_bytes: int = 1500, seed: int = 0) -> bytes:
        """One message to people of this relay."""
        recipients = [f"{name}@{self.relay.name}" for name in names]
        return self.submit(recipients, encrypted_message(f"{self.name}@{self.relay.name}", recipients, size_bytes, seed))
