# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mail clients that cost as little as possible, so that the generator is not what is measured.

`asyncio.Protocol` and byte searches, no parsing beyond what the next command needs. What goes over the wire is what Delta Chat's core sends
(docs/interop.md): submission pipelines MAIL, RCPT and DATA; a receiver waits in IDLE, prefetches nine header fields, fetches, marks,
closes, selects and waits again. Any answer that is not the expected one ends the run: a benchmark of failures is none.
"""

import asyncio
import base64
import re
import ssl
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

from bench.spec import Server

PREFETCH = (
    b"BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE X-MICROSOFT-ORIGINAL-MESSAGE-ID FROM CONTENT-TYPE SECURE-JOIN CHAT-VERSION "
    b"CHAT-IS-POST-MESSAGE AUTOCRYPT-SETUP-MESSAGE)]"
)
AT_ONCE = 500
_UID = re.compile(rb"\* \d+ FETCH \([^\r\n]*?\bUID (\d+)")
_UID_NEXT = re.compile(rb"\[UIDNEXT (\d+)\]")
_STAMP = re.compile(rb"Message-ID: <(\d{16})")
_SIZE = re.compile(rb"BODY\[\] \{(\d+)\}")


class Unexpected(Exception):  # noqa: N818 - what the server said
    """The server did not answer as a working one does."""


def any_certificate() -> ssl.SSLContext:
    """The relay under test has signed its certificate itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Link(asyncio.Protocol):
    """One TLS connection: bytes out, and a wait for what comes in to be complete."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._wants: Callable[[bytearray], int] = lambda _: 0
        self._waiter: asyncio.Future[int] | None = None
        self._transport: asyncio.Transport | None = None
        self._is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's are not of asyncio's class

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._waiter is not None and not self._waiter.done() and (end := self._wants(self._buffer)):
            self._waiter.set_result(end)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(Unexpected("the connection ended"))

    def write(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)

    async def take(self, wants: Callable[[bytearray], int]) -> bytes:
        """What came, up to where `wants` says it is complete (0: not yet)."""
        end = wants(self._buffer)
        if not end:
            if self._is_lost:
                raise Unexpected("the connection ended")
            self._wants, self._waiter = wants, asyncio.get_running_loop().create_future()
            end = await self._waiter
            self._waiter = None
        taken = bytes(self._buffer[:end])
        del self._buffer[:end]
        return taken

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def connect(server: Server, port: int, tls: ssl.SSLContext) -> Link:
    """Greeted."""
    _, link = await asyncio.get_running_loop().create_connection(Link, server.host, port, ssl=tls)
    await link.take(lines(1))
    return link


def lines(count: int) -> Callable[[bytearray], int]:
    """Complete when so many lines are there."""

    def complete(buffer: bytearray) -> int:
        return buffer.rfind(b"\r\n") + 2 if buffer.count(b"\r\n") >= count else 0

    return complete


def _multiline(buffer: bytearray) -> int:
    """An SMTP answer whose last line has a blank behind the code."""
    return len(buffer) if buffer.endswith(b"\r\n") and re.search(rb"(?:^|\r\n)\d{3} [^\r\n]*\r\n$", buffer) else 0


def tagged(tag: bytes) -> Callable[[bytearray], int]:
    """Complete with the line that begins with `tag`; messages have no such line."""
    searched = 0

    def complete(buffer: bytearray) -> int:
        nonlocal searched
        start = 0 if buffer.startswith(tag) else buffer.find(b"\r\n" + tag, searched) + 2
        searched = max(0, len(buffer) - len(tag) - 2)
        if start == 1:
            return 0
        end = buffer.find(b"\r\n", start)
        searched = searched if end >= 0 else max(0, start - 2)
        return end + 2 if end >= 0 else 0

    return complete


class Sender:
    """A submission connection of somebody who is logged in."""

    def __init__(self, link: Link, address: str) -> None:
        self._link = link
        self._address = address.encode()

    @classmethod
    async def open(cls, server: Server, tls: ssl.SSLContext, address: str, password: str) -> "Sender":
        link = await connect(server, server.submissions, tls)
        link.write(b"EHLO [127.0.0.1]\r\n")
        await link.take(_multiline)
        link.write(b"AUTH PLAIN " + base64.b64encode(f"\0{address}\0{password}".encode()) + b"\r\n")
        if not (answer := await link.take(lines(1))).startswith(b"235"):
            raise Unexpected(answer[:100])
        return cls(link, address)

    async def send(self, recipients: Sequence[str], message: bytes) -> None:
        """Acknowledged for all of them."""
        commands = [b"MAIL FROM:<" + self._address + b"> BODY=8BITMIME\r\n"]
        commands += [f"RCPT TO:<{recipient}>\r\n".encode() for recipient in recipients]
        self._link.write(b"".join([*commands, b"DATA\r\n"]))
        answers = (await self._link.take(lines(len(commands) + 1))).split(b"\r\n")
        if not all(answer.startswith(b"250") for answer in answers[:-2]) or not answers[-2].startswith(b"354"):
            raise Unexpected(answers[-2][:100])
        self._link.write(message + b".\r\n")
        answer = await self._link.take(lines(1))
        if not answer.startswith(b"250"):
            raise Unexpected(answer[:100])

    def close(self) -> None:
        self._link.close()


class Receiver:
    """A device. `on_message` hears the number of each message and when its fetch was complete; `before_deleting` is awaited after that."""

    def __init__(self, link: Link, on_message: Callable[[int, float], None]) -> None:
        self._link = link
        self._on_message = on_message
        self._count = 0
        self._uid_next = 1
        self.rounds = 0
        self.before_deleting: Callable[[], Awaitable[object]] | None = None

    @classmethod
    async def open(
        cls, server: Server, tls: ssl.SSLContext, address: str, password: str, on_message: Callable[[int, float], None]
    ) -> "Receiver":
        """Logged in, INBOX selected."""
        receiver = cls(await connect(server, server.imaps, tls), on_message)
        await receiver._command(f'LOGIN "{address}" "{password}"'.encode())
        await receiver._select()
        receiver._uid_next = receiver._seen_next
        return receiver

    async def idle(self) -> bytes:
        """Waiting, as far as the server has confirmed it; returns the tag."""
        tag = self._tag()
        self._link.write(tag + b"IDLE\r\n")
        await self._link.take(_plus)
        return tag

    async def live(self, tag: bytes) -> None:
        """Until cancelled; begins in the IDLE of that tag."""
        while True:
            await self._link.take(_exists)
            self._link.write(b"DONE\r\n")
            await self._finish(tag)
            while await self._round():
                pass
            tag = await self.idle()

    async def _round(self) -> bool:
        """Everything that was there is fetched and gone. Whether more has come meanwhile."""
        first = self._uid_next
        found = await self._command(b"UID FETCH %d:%d (UID RFC822.SIZE %b)" % (first, first + AT_ONCE - 1, PREFETCH))
        uids = [uid for uid in map(int, _UID.findall(found)) if uid >= first]
        if uids:
            await self._fetch(b",".join(b"%d" % uid for uid in uids))
            self._uid_next = uids[-1] + 1
        await self._select()
        self.rounds += 1
        return self._seen_next > self._uid_next

    async def _fetch(self, uids: bytes) -> None:
        found = await self._command(b"UID FETCH %b (FLAGS BODY.PEEK[])" % uids)
        now = monotonic()
        stamps = _STAMP.findall(found)
        if len(stamps) != uids.count(b",") + 1 or sum(map(int, _SIZE.findall(found))) > len(found):
            raise Unexpected("a message is missing or short")
        for stamp in stamps:
            self._on_message(int(stamp), now)
        if self.before_deleting is not None:
            await self.before_deleting()
        await self._command(b"UID STORE %b +FLAGS (\\Deleted)" % uids)
        await self._command(b"CLOSE")

    async def _select(self) -> None:
        answer = _UID_NEXT.search(await self._command(b"SELECT INBOX"))
        self._seen_next = int(answer[1]) if answer else self._uid_next

    async def _command(self, text: bytes) -> bytes:
        tag = self._tag()
        self._link.write(tag + text + b"\r\n")
        return await self._finish(tag)

    async def _finish(self, tag: bytes) -> bytes:
        answer = await self._link.take(tagged(tag))
        if tag + b"OK" not in answer:
            raise Unexpected(answer[-100:])
        return answer

    def _tag(self) -> bytes:
        self._count += 1
        return b"A%d " % self._count

    def close(self) -> None:
        self._link.close()


def _plus(buffer: bytearray) -> int:
    start = 0 if buffer.startswith(b"+") else buffer.find(b"\r\n+") + 2
    end = buffer.find(b"\r\n", start) if start != 1 else -1
    return end + 2 if end >= 0 else 0


def _exists(buffer: bytearray) -> int:
    found = buffer.find(b" EXISTS\r\n")
    return found + 9 if found >= 0 else 0
