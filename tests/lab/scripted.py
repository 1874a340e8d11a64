# SPDX-License-Identifier: AGPL-3.0-or-later
"""A relay that answers as the test says: for finding out what the real client does when a relay refuses, reports or restores.

It speaks just enough SMTP and IMAP (TLS at once, any password) for Delta Chat and keeps everything it heard in `heard`. It checks nothing
and stores nothing; it is no model of how to write a server. Address and ports are its own, found free when it starts.
"""

import asyncio
import ssl
import threading
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.tls import self_signed

DOMAIN = "scripted.test"
Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]


@dataclass
class Mailbox:
    """One INBOX; `changed` are the sessions that wait in IDLE."""

    uidvalidity: int = 7
    uidnext: int = 1
    mails: dict[int, bytes] = field(default_factory=dict)
    changed: set[asyncio.Event] = field(default_factory=set)

    def add(self, mail: bytes) -> None:
        self.mails[self.uidnext] = mail
        self.uidnext += 1
        for event in self.changed:
            event.set()


def take(_line: str) -> str | None:
    """The answer of a relay that refuses nothing."""
    return None


@dataclass
class ScriptedRelay:
    """`refuse` sees each SMTP command line (and `end of data`) and may answer it; the rest is taken. `keep` sees each mail taken."""

    refuse: Callable[[str], str | None] = take
    greeting: str = "220 scripted"
    keep: Callable[[bytes], object] = len
    capabilities: str = "IMAP4rev1 IDLE MOVE QUOTA METADATA XCHATMAIL"
    mailboxes: dict[str, Mailbox] = field(default_factory=lambda: defaultdict(Mailbox))
    heard: list[str] = field(default_factory=list)
    imap_port: int = 0
    smtp_port: int = 0
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def code(self, local: str) -> str:
        """A `dclogin:` code for an account here."""
        where = f"ih=127.0.0.1&ip={self.imap_port}&is=ssl&sh=127.0.0.1&sp={self.smtp_port}&ss=ssl&ic=3"
        return f"dclogin:{local}@{DOMAIN}?p=any-password&v=1&{where}"

    def count(self, start: str) -> int:
        """How often a line that begins like this was heard."""
        return sum(line.startswith(start) for line in self.heard)

    def put(self, local: str, mail: bytes) -> None:
        """`mail` lies in the mailbox and is announced."""
        self.loop.call_soon_threadsafe(self.mailboxes[f"{local}@{DOMAIN}"].add, mail)

    async def smtp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard.append(f"greeted {self.greeting}")
        writer.write(f"{self.greeting}\r\n".encode())
        recipients: list[str] = []
        while line := (await reader.readline()).decode().strip():
            self.heard.append(line)
            verb = line.upper()
            if answer := self.refuse(line):
                writer.write(answer.encode() + b"\r\n")
            elif verb.startswith("EHLO"):
                writer.write(b"250-scripted\r\n250-PIPELINING\r\n250-SIZE 30000000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 AUTH PLAIN\r\n")
            elif verb.startswith("AUTH"):
                writer.write(b"235 2.7.0 welcome\r\n")
            elif verb.startswith("RCPT"):
                recipients.append(line[9 : line.index(">")])
                writer.write(b"250 2.1.5 fine\r\n")
            elif verb == "DATA":
                writer.write(b"354 go on\r\n")
                mail = (await reader.readuntil(b"\r\n.\r\n"))[:-3].replace(b"\r\n..", b"\r\n.")
                if answer := self.refuse("end of data"):
                    writer.write(answer.encode() + b"\r\n")
                else:
                    self.keep(mail)
                    for each in recipients:
                        self.mailboxes[each].add(mail)
                    writer.write(b"250 2.0.0 taken\r\n")
                recipients = []
            else:
                writer.write(b"250 2.0.0 fine\r\n")

    async def imap(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK scripted\r\n")
        box, news = Mailbox(), asyncio.Event()
        while line := (await reader.readline()).decode().strip():
            tag, _, command = line.partition(" ")
            self.heard.append(command)
            verb = command.upper()
            answer = ""
            if verb.startswith("LOGIN"):
                box = self.mailboxes[command.split('"')[1]]
                writer.write(f"{tag} OK [CAPABILITY {self.capabilities}] welcome\r\n".encode())
                continue
            if verb.startswith("SELECT"):
                box.changed.add(news)
                news.clear()
                answer = f"* {len(box.mails)} EXISTS\r\n* OK [UIDVALIDITY {box.uidvalidity}] x\r\n* OK [UIDNEXT {box.uidnext}] x\r\n"
            elif verb.startswith("GETQUOTAROOT"):
                answer = '* QUOTAROOT INBOX ""\r\n* QUOTA "" (STORAGE 1 1000)\r\n'
            elif verb.startswith("UID FETCH"):
                for part in fetched(box, command):
                    writer.write(part)
            elif verb.startswith("UID STORE"):
                deleted(box, command)
            elif verb == "IDLE":
                await self.idle(reader, writer, box, news)
            writer.write(f"{answer}{tag} OK done\r\n".encode())

    async def idle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, box: Mailbox, news: asyncio.Event) -> None:
        writer.write(b"+ idling\r\n")
        done, new = asyncio.ensure_future(reader.readline()), asyncio.ensure_future(news.wait())
        await asyncio.wait({done, new}, return_when=asyncio.FIRST_COMPLETED)
        if news.is_set():
            writer.write(f"* {len(box.mails)} EXISTS\r\n".encode())
        new.cancel()
        news.clear()
        await done
        self.heard.append("DONE")

    def session(self, speak: Speak) -> Speak:
        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
                await speak(reader, writer)
            writer.transport.abort()

        return run


def matching(box: Mailbox, numbers: str) -> list[int]:
    """UIDs of the mailbox that stand in a set such as `3,7:9`."""
    found = set()
    for part in numbers.split(","):
        first, _, last = part.partition(":")
        found |= {uid for uid in box.mails if int(first) <= uid <= int(last or first)}
    return sorted(found)


def fetched(box: Mailbox, command: str) -> Iterator[bytes]:
    _, _, numbers, what = command.split(" ", 3)
    for uid in matching(box, numbers):
        mail = box.mails[uid]
        part = mail if "BODY.PEEK[]" in what else mail[: mail.index(b"\r\n\r\n") + 4]
        name = "BODY[]" if "BODY.PEEK[]" in what else "BODY[HEADER.FIELDS (MESSAGE-ID)]"
        yield (
            f"* {list(box.mails).index(uid) + 1} FETCH (UID {uid} FLAGS () RFC822.SIZE {len(mail)} {name} {{{len(part)}}}\r\n".encode()
            + part
            + b")\r\n"
        )


def deleted(box: Mailbox, command: str) -> None:
    if "\\Deleted" in command:
        for uid in matching(box, command.split(" ")[2]):
            del box.mails[uid]


@contextmanager
def scripted_relay(folder: Path) -> Iterator[ScriptedRelay]:
    """A scripted relay on free loopback ports in a thread of its own."""
    relay = ScriptedRelay()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*self_signed(folder, DOMAIN))

    async def listen() -> list[asyncio.Server]:
        servers = [
            await asyncio.start_server(relay.session(speak), "127.0.0.1", 0, ssl=context, limit=2**24) for speak in (relay.imap, relay.smtp)
        ]
        relay.imap_port, relay.smtp_port = (server.sockets[0].getsockname()[1] for server in servers)
        return servers

    thread = threading.Thread(target=relay.loop.run_forever)
    thread.start()
    servers = asyncio.run_coroutine_threadsafe(listen(), relay.loop).result()
    try:
        yield relay
    finally:
        asyncio.run_coroutine_threadsafe(ending(servers), relay.loop).result()
        relay.loop.call_soon_threadsafe(relay.loop.stop)
        thread.join()
        relay.loop.close()


async def ending(servers: list[asyncio.Server]) -> None:
    """All sessions are over."""
    for server in servers:
        server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
