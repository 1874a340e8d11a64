# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mail clients in a few lines, for tests that put a whole relay under load: over the wire they do what a Delta Chat app does.

A sender pipelines MAIL, RCPT and DATA and notes which messages were acknowledged with 250. A device waits in IDLE, prefetches headers,
fetches what it has not seen (by Message-ID, as the app does), deletes it and closes the mailbox; what it knows outlives every connection,
as an app's database does. Neither judges anything: that is done by the tests. What a connection that breaks left open is `Lost`.
"""

import asyncio
import base64
import re
import ssl
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

ANSWER_S = 30.0
"""Longer than any relay needs, shorter than the test's own patience."""
FETCH_AT_ONCE = 500
_HEADER = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE FROM CHAT-VERSION)]"
_MESSAGE_ID = re.compile(rb"^message-id:\s*<([^>]*)>", re.IGNORECASE | re.MULTILINE)
_LITERAL = re.compile(rb"\{(\d+)\}\r\n$")


class Lost(Exception):  # noqa: N818 - what happened, not whose error
    """The connection ended before the answer."""


class Refused(Exception):  # noqa: N818
    """The answer was no. `args[0]` is its line."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account, made by the first login."""

    address: str
    password: str


def any_certificate() -> ssl.SSLContext:
    """Accepts what a new relay signed itself, as an app does that scanned its code."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


_TLS = any_certificate()


class Line:
    """One connection over TLS; lines and literals in, bytes out."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, host: str, port: int, source: str | None = None) -> Self:
        """`source`: the address to come from."""
        try:
            async with asyncio.timeout(ANSWER_S):
                local = (source, 0) if source else None
                return cls(*await asyncio.open_connection(host, port, ssl=_TLS, limit=1 << 22, local_addr=local))
        except (OSError, TimeoutError, EOFError) as error:
            raise Lost from error

    async def read_line(self) -> bytes:
        """With its CRLF."""
        return await self._read(self._reader.readuntil(b"\r\n"))

    async def read_exactly(self, count: int) -> bytes:
        return await self._read(self._reader.readexactly(count))

    async def _read(self, reading: Awaitable[bytes]) -> bytes:
        try:
            async with asyncio.timeout(ANSWER_S):
                return await reading
        except (OSError, EOFError) as error:
            raise Lost from error

    async def write(self, data: bytes) -> None:
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise Lost from error

    def close(self) -> None:
        """At once and without a word, as a phone in a tunnel does."""
        with suppress(OSError):
            self._writer.transport.abort()


# sending


class Smtp:
    """A connection of somebody who is logged in."""

    def __init__(self, line: Line, person: Person) -> None:
        self.line = line
        self._person = person

    @classmethod
    async def open(cls, host: str, port: int, person: Person, source: str | None = None) -> Self:
        """Logged in. Raises Lost, Refused."""
        smtp = cls(await Line.open(host, port, source), person)
        try:
            await smtp.expect(b"220")
            await smtp.say(b"EHLO [127.0.0.1]", b"250")
            secret = base64.b64encode(f"\0{person.address}\0{person.password}".encode())
            await smtp.say(b"AUTH PLAIN " + secret, b"235")
        except BaseException:
            smtp.line.close()
            raise
        return smtp

    async def expect(self, code: bytes) -> bytes:
        """The last line of the next answer. Raises Refused with it if it has another code."""
        while (line := await self.line.read_line())[3:4] == b"-":
            pass
        if not line.startswith(code):
            raise Refused(line.decode().strip())
        return line

    async def say(self, command: bytes, code: bytes) -> bytes:
        await self.line.write(command + b"\r\n")
        return await self.expect(code)

    async def send(self, recipients: Sequence[str], message: bytes) -> None:
        """The message was acknowledged. Raises Lost (nobody knows), Refused; after both the connection is of no use."""
        envelope = [f"MAIL FROM:<{self._person.address}> BODY=8BITMIME", *(f"RCPT TO:<{address}>" for address in recipients), "DATA"]
        await self.line.write("".join(f"{command}\r\n" for command in envelope).encode())
        for _ in envelope[:-1]:
            await self.expect(b"250")
        await self.expect(b"354")
        await self.line.write(message.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        await self.expect(b"250")


# receiving


@dataclass(frozen=True, slots=True)
class Untagged:
    """One untagged response: its text with the literals cut out, and the literals."""

    text: bytes
    literals: Sequence[bytes] = ()

    def number(self, name: bytes) -> int | None:
        """What follows `name`, as in `UID 17` or `[UIDNEXT 5]`."""
        found = re.search(rb"\b" + name + rb" (\d+)", self.text)
        return int(found[1]) if found else None


class Imap:
    """A connection of somebody who is logged in."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self._count = 0

    @classmethod
    async def open(cls, host: str, port: int, person: Person, source: str | None = None) -> Self:
        """Logged in. Raises Lost, Refused."""
        imap = cls(await Line.open(host, port, source))
        try:
            await imap.read()
            await imap.command(f'LOGIN "{person.address}" "{person.password}"')
        except BaseException:
            imap.line.close()
            raise
        return imap

    async def read(self) -> Untagged:
        """The next response, whatever it is."""
        text, literals = await self.line.read_line(), []
        while found := _LITERAL.search(text):
            literals.append(await self.line.read_exactly(int(found[1])))
            text = text[: found.start()] + b" " + await self.line.read_line()
        return Untagged(text.rstrip(b"\r\n"), literals)

    async def command(self, text: str) -> Sequence[Untagged]:
        """Everything said up to the OK, which comes last. Raises Refused for NO and BAD."""
        tag = self.next_tag()
        await self.line.write(f"{tag} {text}\r\n".encode())
        return await self.finish(tag)

    def next_tag(self) -> str:
        self._count += 1
        return f"A{self._count:04}"

    async def finish(self, tag: str) -> Sequence[Untagged]:
        responses = [await self.read()]
        while not responses[-1].text.startswith(tag.encode() + b" "):
            if responses[-1].text.startswith(b"* BYE"):
                raise Lost
            responses.append(await self.read())
        if not responses[-1].text.startswith(f"{tag} OK".encode()):
            raise Refused(responses[-1].text.decode())
        return responses

    async def idle(self) -> None:
        """Returns when the relay had something to say."""
        tag = self.next_tag()
        await self.line.write(f"{tag} IDLE\r\n".encode())
        while (await self._news()).text.startswith((b"+", b"* OK")):
            pass
        await self.line.write(b"DONE\r\n")
        await self.finish(tag)

    async def _news(self) -> Untagged:
        while True:
            with suppress(TimeoutError):
                return await self.read()


@dataclass
class Device:
    """An app on one phone: what it has seen, and what it has noticed about its mailbox."""

    person: Person
    host: str
    port: int
    uid_next: int = 1
    shown: list[str] = field(default_factory=list)
    """Message-IDs in the order in which the person saw them, each once."""
    names: dict[tuple[int, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    """(UIDVALIDITY, UID) → the Message-IDs seen under it; more than one is a catastrophe."""
    validities: list[int] = field(default_factory=list)
    """Every UIDVALIDITY that differed from the one before."""
    next_uids: list[int] = field(default_factory=list)
    """Every UIDNEXT, in order."""
    deleted: set[int] = field(default_factory=set)
    """UIDs whose deletion the relay confirmed."""
    risen: list[int] = field(default_factory=list)
    """UIDs seen after their deletion was confirmed."""
    on_round: Callable[[], None] = lambda: None
    _to_delete: set[int] = field(default_factory=set)

    async def live(self, come_back: Callable[[], Awaitable[object]]) -> None:
        """Until cancelled: rounds and IDLE; after a loss `come_back` is awaited."""
        while True:
            with suppress(Lost, TimeoutError):
                await self._visit()
            await come_back()

    async def _visit(self) -> None:
        imap = await Imap.open(self.host, self.port, self.person)
        try:
            while True:
                while await self.round(imap):
                    pass
                await imap.idle()
        finally:
            imap.line.close()

    async def round(self, imap: Imap) -> bool:
        """What was new is seen and gone from the relay, and the mailbox is selected again. Whether more has come meanwhile."""
        uid_next = await self._select(imap)
        while self.uid_next < uid_next:
            beyond = min(self.uid_next + FETCH_AT_ONCE, uid_next)
            await self._fetch(imap, self.uid_next, beyond - 1)
            self.uid_next = beyond
        if self._to_delete:
            await self._delete(imap)
            await self._select(imap)
        self.on_round()
        return self.next_uids[-1] > self.uid_next

    async def _select(self, imap: Imap) -> int:
        responses = await imap.command("SELECT INBOX")
        validity, uid_next = (next(n for r in responses if (n := r.number(name)) is not None) for name in (b"UIDVALIDITY", b"UIDNEXT"))
        if not self.validities or self.validities[-1] != validity:
            self.validities.append(validity)
        self.next_uids.append(uid_next)
        return uid_next

    async def _fetch(self, imap: Imap, first: int, last: int) -> None:
        wanted = []
        for uid, message_id in _ids(await imap.command(f"UID FETCH {first}:{last} (UID RFC822.SIZE {_HEADER})")):
            self._note(uid, message_id)
            if message_id not in self.shown:
                wanted.append(uid)
        if not wanted:
            return
        for uid, message_id in _ids(await imap.command(f"UID FETCH {','.join(map(str, wanted))} (FLAGS BODY.PEEK[])")):
            self._note(uid, message_id)
            if message_id not in self.shown:
                self.shown.append(message_id)

    def _note(self, uid: int, message_id: str) -> None:
        self.names[self.validities[-1], uid].add(message_id)
        if uid in self.deleted:
            self.risen.append(uid)
        self._to_delete.add(uid)

    async def _delete(self, imap: Imap) -> None:
        uids = sorted(self._to_delete)
        await imap.command(f"UID STORE {','.join(map(str, uids))} +FLAGS.SILENT (\\Deleted)")
        await imap.command("CLOSE")
        self._to_delete.difference_update(uids)
        self.deleted.update(uids)


def _ids(responses: Sequence[Untagged]) -> list[tuple[int, str]]:
    """UID and Message-ID of every FETCH response that carries a message or its header."""
    found = []
    for response in responses:
        uid = response.number(b"UID")
        if uid is not None and response.literals:
            match = _MESSAGE_ID.search(response.literals[0])
            assert match, "every message of these tests has a Message-ID"
            found.append((uid, match[1].decode()))
    return found
