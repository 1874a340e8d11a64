# SPDX-License-Identifier: AGPL-3.0-or-later
"""Nothing personal is written down, at any level: a long session at DEBUG in which everything that a client can send carries a marker, on
the paths that succeed and on those that fail, and then a search for every marker in every spelling through all that the relay wrote.

Searched are all files below the relay's folder, its home and its temporary folder, after a kill (the log still holds the last commits) and
after a clean end; what it printed; `status --json`. The search itself is tested by planting each spelling.
"""

import asyncio
import base64
import hashlib
import json
import socket
import ssl
import subprocess
import sys
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.lab.load import Imap, Line, Lost, Person, Refused, Smtp, any_certificate
from tests.lab.relay import Relay, random_text
from tests.mail.make import encrypted_message, plain_message

from razdar.servers.control import ask
from razdar.tryout.seizure import spellings

SETTINGS = {"log_level": "debug", "push": "false", "send_per_minute": 1000, "send_burst": 1000, "reserve_bytes": 65_536}
ADDRESS = "127.83.119.241"
"""Where the clients come from: all of 127.0.0.0/8 is loopback."""
DIGESTS = ("md5", "sha1", "sha256", "sha512", "blake2b", "blake2s", "sha3_256")


# searching


def needles(text: str) -> set[bytes]:
    """Every spelling of a marker, and what anybody could compute from it: an unkeyed hash of an address is as good as the address."""
    found = spellings(text) | spellings(text.swapcase())
    for form in {text, text.lower(), text.upper()}:
        found |= {form.encode("utf-32-le"), form.encode("utf-32-be"), form.encode("utf-7"), base64.b32encode(form.encode())[:-8]}
        for name in DIGESTS:
            value = hashlib.new(name, form.encode()).digest()
            found |= {value, value[:16], value.hex().encode(), value.hex().upper().encode(), base64.b64encode(value).rstrip(b"=")}
    return {needle for needle in found if len(needle) >= 6}


def address_needles(address: str) -> set[bytes]:
    """As text, and packed in the ways that programs keep addresses."""
    packed = socket.inet_aton(address)
    return needles(address) | {packed, packed.hex().encode(), packed[::-1], packed.hex(":").encode(), b"::ffff:" + packed.hex().encode()}


@dataclass(frozen=True, slots=True)
class Find:
    """A marker that was found; the text of the marker is left to the test."""

    marker: str
    where: str


def search(wanted: dict[str, set[bytes]], files: Sequence[Path], texts: dict[str, bytes]) -> list[Find]:
    """Which markers stand where."""
    places = {str(file): file.read_bytes() for file in files} | texts
    return [
        Find(marker, where)
        for where, content in places.items()
        for marker, needles_ in wanted.items()
        if any(needle in content for needle in needles_)
    ]


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]


PLANTS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "upper case": lambda text: text.upper().encode(),
    "lower case": lambda text: text.lower().encode(),
    "swapped case": lambda text: text.swapcase().encode(),
    "backwards": lambda text: text[::-1].encode(),
    "hex": lambda text: text.encode().hex().encode(),
    "HEX": lambda text: text.encode().hex().upper().encode(),
    "base64 at 0": lambda text: base64.b64encode(b"abc" + text.encode() + b"\n"),
    "base64 at 1": lambda text: base64.b64encode(b"a" + text.encode() + b"\n"),
    "base64 at 2": lambda text: base64.b64encode(b"ab" + text.encode() + b"\n"),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(b"x?" + text.encode()),
    "base32": lambda text: base64.b32encode(text.encode()),
    "UTF-16LE": lambda text: text.encode("utf-16-le"),
    "UTF-16BE": lambda text: text.encode("utf-16-be"),
    "UTF-32": lambda text: text.encode("utf-32"),
    "URL": lambda text: urllib.parse.quote(text, safe="").encode(),
    "quoted-printable": lambda text: "".join(f"={byte:02X}" for byte in text.encode()).encode(),
    "JSON": lambda text: json.dumps({"to": text}).encode(),
    "AUTH PLAIN": lambda text: base64.b64encode(f"\0{text}\0{text}".encode()),
    "SHA-256": lambda text: hashlib.sha256(text.encode()).digest(),
    "SHA-256 in hex": lambda text: hashlib.sha256(text.lower().encode()).hexdigest().encode(),
    "MD5 in base64": lambda text: base64.b64encode(hashlib.md5(text.encode()).digest()),
}


@pytest.mark.parametrize("marker", ["mrk7local.part@relay.example", "Mrk-Password+x/9Z", "mrk9wxyz1"])
@pytest.mark.parametrize("spelling", PLANTS)
def test_the_search_finds_what_is_planted(tmp_path: Path, spelling: str, marker: str) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(b"\x00\xffsome bytes " + PLANTS[spelling](marker) + b" and more")
    (tmp_path / "innocent").write_bytes(b"nothing")
    found = search({"planted": needles(marker), "other": needles("mrk4something.else")}, files_below(tmp_path), {})
    assert found == [Find("planted", str(tmp_path / "deep" / "file"))]


@pytest.mark.parametrize("plant", [b"127.83.119.241", b"\x7f\x53\x77\xf1", b"7f5377f1", b"::ffff:7f5377f1", b"MTI3LjgzLjExOS4yNDE="])
def test_the_search_finds_addresses(plant: bytes) -> None:
    assert search({"address": address_needles(ADDRESS)}, [], {"log": b"from " + plant + b"."}) == [Find("address", "log")]


# a session full of markers


def make_markers(domain: str) -> dict[str, str]:
    """Each is there once, so that a find says what leaked."""

    def mark(kind: str) -> str:
        return f"{kind}{random_text(10)}"

    names = ["sender", "recipient", "stranger", "guest"]
    markers = {f"{name}'s name": mark(f"mrk{name[:2]}.") for name in names}
    markers |= {f"{name}'s password": mark(f"Mrk{name[:2]}-Pw/+") for name in names}
    markers["foreign recipient"] = mark("mrkforeign.")
    markers["peer author"] = mark("mrkpeer.")
    for word in ("wrong password", "subject", "message id", "from name", "hello", "folder", "keyword", "search word", "unknown command"):
        markers[word] = mark("Mrk" + word.title().replace(" ", ""))
    for word in ("path", "query", "header", "host", "cookie", "agent", "body", "clear text", "broken DATA", "argument", "operation", "SNI"):
        markers[f"{word} of a request"] = mark("Mrk" + word.title().replace(" ", ""))
    return markers


@dataclass
class Session:
    """A relay and everybody's markers."""

    relay: Relay
    markers: dict[str, str]

    def person(self, name: str) -> Person:
        return Person(f"{self.markers[f'{name}{chr(39)}s name']}@{self.relay.name}", self.markers[f"{name}'s password"])

    def mark(self, name: str) -> str:
        return self.markers[name]

    async def smtp(self, name: str) -> Smtp:
        return await Smtp.open(self.relay.bind, self.relay.port("submissions"), self.person(name), ADDRESS)

    async def imap(self, name: str) -> Imap:
        return await Imap.open(self.relay.bind, self.relay.port("imaps"), self.person(name), ADDRESS)

    async def line(self, service: str) -> Line:
        return await Line.open(self.relay.bind, self.relay.port(service), ADDRESS)

    def message(self, seed: int, size_bytes: int = 3000) -> bytes:
        """Encrypted, with markers in all that stays in clear."""
        sender = self.person("sender").address
        whole = encrypted_message(sender, [self.person("recipient").address], size_bytes, seed)
        start = whole.index(b"Message-ID: <")
        whole = whole.replace(whole[start : whole.index(b"\r\n", start)], f"Message-ID: <{self.mark('message id')}-{seed}@host>".encode())
        whole = whole.replace(b"Subject: [...]", f"Subject: {self.mark('subject')}".encode())
        whole = whole.replace(b"From: <", f'From: "{self.mark("from name")}" <'.encode())
        self.markers[f"piece of message {seed}"] = whole.split(b"-----BEGIN PGP MESSAGE-----\r\n\r\n")[1][200:230].decode()
        return whole


async def talk(line: Line, *said: str) -> None:
    """Says one thing after the other, whatever the answers are; the relay may hang up."""
    with suppress(Lost):
        await line.read_line()
        for each in said:
            await line.write(each.encode() + b"\r\n")
            await line.read_line()
    line.close()


async def success(session: Session) -> None:
    """What people do."""
    relay, mark = session.relay, session.mark
    receiving, sending = await session.imap("recipient"), await session.smtp("sender")
    await receiving.command(f'ID ("name" "{mark("agent of a request")}")')
    await receiving.command(f'SETMETADATA INBOX (/private/devicetoken "{session.markers["push token"]}")')
    await receiving.command(f'CREATE "{mark("folder")}"')
    await receiving.command("SELECT INBOX")
    for seed, size_bytes in ((1, 3000), (2, 300_000), (3, 3000)):
        await sending.send(
            [session.person("recipient").address, f"{mark('foreign recipient')}@elsewhere.example"], session.message(seed, size_bytes)
        )
    await receiving.command("UID FETCH 1:* (FLAGS BODY.PEEK[])")
    await receiving.command(f"UID STORE 1 +FLAGS ({mark('keyword')})")
    await receiving.command(f'UID SEARCH SUBJECT "{mark("search word")}"')
    await receiving.command(f'UID COPY 1 "{mark("folder")}"')
    await receiving.command(f'UID MOVE 2 "{mark("folder")}"')
    await receiving.command(f'STATUS "{mark("folder")}" (MESSAGES UIDNEXT)')
    await receiving.command("UID STORE 3 +FLAGS (\\Deleted)")
    await receiving.command("CLOSE")
    sending.line.close()
    receiving.line.close()
    await append(session)
    link = ask(relay.data, {"op": "invite"})["url"]
    session.markers["invite token"] = link.rpartition("/")[2]
    page = await http(session, f"GET /i/{session.markers['invite token']}")
    assert b" 200 " in page.partition(b"\r\n")[0]


async def append(session: Session) -> None:
    connection, message = await session.imap("sender"), session.message(5)
    tag = connection.next_tag()
    await connection.line.write(f"{tag} APPEND INBOX (\\Seen {session.mark('keyword')}) {{{len(message)}}}\r\n".encode())
    assert (await connection.read()).text.startswith(b"+")
    await connection.line.write(message + b"\r\n")
    await connection.finish(tag)
    connection.line.close()


async def failure(session: Session) -> None:
    """What goes wrong for people, and what attackers try."""
    relay, mark, sender = session.relay, session.mark, session.person("sender")
    wrong = Person(sender.address, mark("wrong password"))
    with pytest.raises(Refused):
        await Smtp.open(relay.bind, relay.port("submissions"), wrong, ADDRESS)
    with pytest.raises(Refused):
        await Imap.open(relay.bind, relay.port("imaps"), wrong, ADDRESS)
    plain = plain_message(sender.address, session.person("recipient").address, mark("clear text of a request"))
    for message in (plain.replace(b"[...]", mark("subject").encode()), session.message(4).replace(b"BEGIN PGP", b"BEGIN NO")):
        connection = await session.smtp("sender")
        with pytest.raises(Refused):
            await connection.send([session.person("recipient").address], message)
        connection.line.close()
    await broken_off(session)
    await nonsense(session)
    await bugs(session)


async def broken_off(session: Session) -> None:
    connection = await session.smtp("sender")
    for command in (f"MAIL FROM:<{session.person('sender').address}>", f"RCPT TO:<{session.person('recipient').address}>"):
        await connection.say(command.encode(), b"250")
    await connection.say(b"DATA", b"354")
    await connection.line.write(
        f"Subject: {session.mark('broken DATA of a request')}\r\n\r\n{session.mark('clear text of a request')}".encode()
    )
    connection.line.close()
    connection = await session.smtp("sender")
    with pytest.raises(Refused):
        await connection.say(f"MAIL FROM:<{session.person('stranger').address}>".encode(), b"250")
    connection.line.close()


async def nonsense(session: Session) -> None:
    """Syntax errors with markers, on every port, in clear and in TLS."""
    mark, address, password = session.mark, session.person("stranger").address, session.person("stranger").password
    smtp = [
        f"EHLO {mark('hello')}.example",
        f"{mark('unknown command')} {address}",
        f"MAIL FROM:<{address}> {mark('argument of a request')}=1",
        f"MAIL FROM:<{address}",
        f"RCPT TO:{address}>",
        f"VRFY {address}",
        f"AUTH PLAIN {base64.b64encode(f'x{address}{password}'.encode()).decode()}",
        f"AUTH {mark('argument of a request')} {password}",
        f"AUTH PLAIN !{password}",
        f"STARTTLS {mark('argument of a request')}",
        f"{mark('unknown command')}\r {password}",
    ]
    imap = [
        f"a {mark('unknown command')} {address}",
        f"b LOGIN {address}",
        f'c LOGIN "{address}" "{password}" {mark("argument of a request")}',
        f"d SELECT {mark('folder')}",
        f"{mark('argument of a request')}",
        f"e AUTHENTICATE PLAIN ={password}",
        f'f LOGIN "{address}" "\x00{password}"',
    ]
    for service, said in (("submissions", smtp), ("imaps", imap)):
        await talk(await session.line(service), *said)
    for service, said in (("smtp", smtp), ("submission", smtp), ("imap", imap), ("imaps", imap), ("https", smtp), ("http", imap)):
        await in_clear(session, service, said)
    await asyncio.to_thread(strange_handshake, session)
    logged_in = await session.imap("recipient")
    for command in (f"FETCH {mark('argument of a request')} FLAGS", f'SELECT "{mark("unknown command")}"', f"GETMETADATA ({address})"):
        with suppress(Refused):
            await logged_in.command(command)
    logged_in.line.close()


async def in_clear(session: Session, service: str, said: Sequence[str]) -> None:
    """Where TLS is expected, this is a broken handshake: libraries log those."""
    with suppress(OSError, EOFError, TimeoutError):
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection(session.relay.bind, session.relay.port(service), local_addr=(ADDRESS, 0))
            try:
                writer.write("".join(f"{each}\r\n" for each in said).encode())
                writer.write_eof()
                await reader.read()
            finally:
                writer.transport.abort()


def strange_handshake(session: Session) -> None:
    """A server name nobody has, an unknown protocol, and a client that dislikes our certificate and says so."""
    name = f"{session.mark('SNI of a request').lower()}.example"
    for context in (any_certificate(), ssl.create_default_context()):
        context.set_alpn_protocols([session.mark("SNI of a request").lower()])
        for service in ("https", "imaps", "submissions"):
            with suppress(OSError), socket.create_connection((session.relay.bind, session.relay.port(service)), 5, (ADDRESS, 0)) as raw:
                context.wrap_socket(raw, server_hostname=name).close()


async def http(session: Session, request: str, body: str = "", head: str = "") -> bytes:
    line = await session.line("https")
    text = f"{request} HTTP/1.1\r\nHost: {session.mark('host of a request').lower()}.example\r\n{head}"
    await line.write(f"{text}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
    answer = b""
    with suppress(Lost):
        while True:
            answer += await line.read_line()
    line.close()
    return answer


def from_elsewhere(session: Session) -> None:
    """What another relay brings, well and badly: at port 25 and with `/mxdeliv`, from the marked address, whose literal is its name."""
    recipient, foreign = session.person("recipient").address, f"{session.mark('foreign recipient')}@{session.relay.name}"
    author = f"{session.mark('peer author')}@[{ADDRESS}]"
    liar = f"{session.mark('peer author')}@[127.83.119.242]"
    for seed, sender in ((31, author), (32, liar), (33, f"{session.mark('peer author')}@nowhere.invalid")):
        content = session.message(seed).replace(f"<{session.person('sender').address}>".encode(), f"<{sender}>".encode())
        by_smtp(session, sender, [recipient, foreign], content)
        head = (
            f"X-MAIL-FROM: {sender}\r\nX-MAIL-TO: {recipient}\r\nX-MAIL-TO: {foreign}\r\nX-Other: {session.mark('header of a request')}\r\n"
        )
        answer = by_https(session, "POST /mxdeliv", head, content)
        assert answer.startswith(b"HTTP/1.1 200" if sender == author else b"HTTP/1.1 400")
    by_https(session, "POST /mxdeliv", f"X-MAIL-FROM: {session.mark('argument of a request')}\r\n", b"\n")
    by_https(session, f"GET /.well-known/razdar/confirm?{session.mark('query of a request')}", "", b"")


def by_smtp(session: Session, sender: str, recipients: Sequence[str], content: bytes) -> None:
    with socket.create_connection((session.relay.bind, session.relay.port("smtp")), 10, (ADDRESS, 0)) as raw:
        raw.recv(1000)
        for command in (f"EHLO {session.mark('hello')}.example", "STARTTLS"):
            raw.sendall(f"{command}\r\n".encode())
            raw.recv(1000)
        with any_certificate().wrap_socket(raw) as line:
            commands = [
                f"EHLO {session.mark('hello')}.example",
                f"MAIL FROM:<{sender}>",
                *(f"RCPT TO:<{each}>" for each in recipients),
                "DATA",
            ]
            for command in commands:
                line.sendall(f"{command}\r\n".encode())
                line.recv(1000)
            line.sendall(content + b".\r\n")
            line.recv(1000)


def by_https(session: Session, request: str, head: str, body: bytes) -> bytes:
    raw = socket.create_connection((session.relay.bind, session.relay.port("https")), 20, (ADDRESS, 0))
    answer, said = b"", f"{request} HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    with raw, any_certificate().wrap_socket(raw) as line, suppress(ssl.SSLEOFError):
        line.sendall(said.encode() + body)
        while data := line.recv(1000):
            answer += data
    return answer


async def web(session: Session) -> None:
    mark, guest = session.mark, session.person("guest")
    head = f"X-Header: {mark('header of a request')}\r\nCookie: a={mark('cookie of a request')}\r\n"
    head += f"User-Agent: {mark('agent of a request')}\r\n"
    head += f"Referer: https://{mark('header of a request')}.example/\r\nX-Forwarded-For: {ADDRESS}\r\n"
    form = urllib.parse.urlencode({"address": guest.address, "password": guest.password, "text": mark("body of a request")})
    coded = "Content-Type: application/x-www-form-urlencoded\r\n"
    for path in ("/", "/new", "/reconnect", "/welcome", f"/i/{mark('path of a request')}", f"/{mark('path of a request')}"):
        for method in ("GET", "POST", "PUT"):
            await http(session, f"{method} {path}?{mark('query of a request')}={guest.address}", form, head + coded)
    await http(session, f"{mark('unknown command')} /")
    await http(session, "GET /", head=f"Bad Header {mark('header of a request')}\r\n")
    await http(session, "POST /reconnect", head=f"Content-Type: multipart/form-data; boundary={mark('header of a request')}\r\n", body=form)


async def bugs(session: Session) -> None:
    """Real exceptions whose text holds a marker; the operator's own socket is the one place where they can be had for sure."""
    for request in ({"op": "invite", "uses": session.mark("operation of a request")}, {"op": session.mark("operation of a request")}):
        with pytest.raises(Exception, match=r"bug|operation"):
            await asyncio.to_thread(ask, session.relay.data, request)


def status(relay: Relay) -> bytes:
    done = subprocess.run(relay.other_command("status", "--json"), capture_output=True, env=relay.environment(), check=True)
    return done.stdout + done.stderr


def wanted(session: Session) -> dict[str, set[bytes]]:
    return {name: needles(text) for name, text in session.markers.items()} | {"IP address": address_needles(ADDRESS)}


@pytest.fixture
def relay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    """Home and temporary folder are where we search, too."""
    for variable in ("HOME", "TMPDIR", "XDG_CACHE_HOME"):
        folder = tmp_path / "relay" / variable.lower()
        folder.mkdir(parents=True)
        monkeypatch.setenv(variable, str(folder))
    with Relay(tmp_path / "relay", settings=SETTINGS) as running:
        yield running


@pytest.mark.slow
def test_no_marker_is_written_anywhere(relay: Relay) -> None:
    session = Session(relay, make_markers(relay.name))
    session.markers["push token"] = f"openpgp:MrkToken{random_text(60)}"
    said = asyncio.run(_whole_session(session))
    after_kill = search(wanted(session), files_below(relay.folder), said)
    assert (relay.data / "store.db-wal").stat().st_size > 0, "the log should have been caught with the last commits in it"
    relay.start()
    while_running = search(wanted(session), files_below(relay.folder), {"status": status(relay)})
    relay.stop()
    at_the_end = search(wanted(session), files_below(relay.folder), {})
    found = {find for find in (*after_kill, *while_running, *at_the_end) if not _is_known(find)}
    assert found == set()
    _judge_log(relay)


def _is_known(find: Find) -> bool:
    """Push tokens stand in the store as the app gave them: encrypted for the notification service, which this relay must hand them to."""
    return find.marker == "push token" and Path(find.where).name.startswith("store.db")


def _judge_log(relay: Relay) -> None:
    """The log works, at DEBUG, and is made of whole JSON objects."""
    lines = [json.loads(line) for line in relay.output().splitlines()]
    events = {line["event"] for line in lines}
    assert {"relay.ready", "relay.stopping", "bug"} <= events
    bug = next(line for line in lines if line["event"] == "bug")
    assert bug["kind"] == "ValueError"
    assert ".py:" in bug["places"]
    assert "crash" not in events


_CRASHES = """
import sys, threading
from razdar.adapters.log import mask_crashes, start_logging
start_logging("debug")
mask_crashes()
class Broken:
    def __del__(self):
        raise ValueError(sys.argv[1])
def fail():
    raise LookupError(sys.argv[1])
Broken()
thread = threading.Thread(target=fail)
thread.start()
thread.join()
raise RuntimeError(sys.argv[1])
"""


def test_what_nobody_caught_is_told_without_its_text() -> None:
    """Python itself would print it: for threads, for destructors, and at the end of the process."""
    marker = f"mrkcrash{random_text(10)}"
    done = subprocess.run([sys.executable, "-c", _CRASHES, marker], capture_output=True, env=Relay.environment(), check=False)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["kind"] for line in lines] == ["ValueError", "LookupError", "RuntimeError"]
    assert all(line["event"] == "crash" and line["places"] for line in lines)
    assert search({"marker": needles(marker)}, [], {"output": done.stdout + done.stderr}) == []
    assert done.returncode == 1


async def _whole_session(session: Session) -> dict[str, bytes]:
    """Ends with a kill that leaves the last commits in the store's log. What `status` said before."""
    await success(session)
    await failure(session)
    await web(session)
    await asyncio.to_thread(from_elsewhere, session)
    said = await asyncio.to_thread(status, session.relay)
    sending = await session.smtp("sender")
    for seed in range(10, 20):
        await sending.send([session.person("recipient").address], session.message(seed))
    session.relay.kill()
    sending.line.close()
    return {"status": said}
