# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every parser that reads what others wrote, as a function of bytes.

One invariant for all: the bytes are accepted or refused as the peer's error; memory stays bounded; never another exception. Each target
also says what must be true of what it accepted. The sessions stand in files of their own (fuzz_smtp*.py, fuzz_imap.py), where the state
that they need does.
"""

import asyncio
import hashlib
import re
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import h11
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tests.dclogin import parse_dclogin
from tests.fuzz.fuzz_imap import imap
from tests.fuzz.fuzz_mime import try_everything
from tests.fuzz.fuzz_mxdeliv import relays
from tests.fuzz.fuzz_smtp import smtp
from tests.fuzz.fuzz_smtp_client import smtp_client

from razdar.adapters.backup_file import unpack
from razdar.config import FILE_NAME, read_config
from razdar.model.address import parse_address
from razdar.model.ids import AccountId
from razdar.model.trouble import Trouble
from razdar.servers.control import ControlServer
from razdar.servers.http_head import HeadLimits, StrictConnection, fault
from razdar.servers.journal import Journal
from razdar.vault import body, folder, seal
from razdar.vault.account_key import PrivateKey
from razdar.vault.dkim_key import verify
from razdar.wire import openpgp
from razdar.wire.dkim.key import parse_key
from razdar.wire.dkim.message import SIGNATURES_MAX, SignedMessage
from razdar.wire.dkim.tags import TagError, parse_tags
from razdar.wire.imap.body_structure import body_structure
from razdar.wire.imap.envelope import envelope
from razdar.wire.imap.framing import Bounds, Frame, Framer, Refused
from razdar.wire.imap.header import body_offset, selected
from razdar.wire.imap.structure import structure
from razdar.wire.links import Server, dclogin
from razdar.wire.mime import MimeError, parse_content_type

_ACCOUNT = AccountId(bytes(16))
_KEY = PrivateKey(_ACCOUNT, X25519PrivateKey.from_private_bytes(bytes(range(32))))
_CONTENT_KEY = bytes(32)


def framing(data: bytes) -> None:
    """IMAP commands and literals: whole ones only, within the bounds, however the bytes were cut into packets."""
    if len(data) < 2:
        return
    bounds, size, sent = Bounds(60 + data[0], 40 + data[0], 100, 200 if data[0] & 1 else None), data[1] + 1, data[2:]
    whole = _frames(bounds, sent, len(sent) + 1)
    assert len(whole) <= len(sent) + 1
    for frame in whole:
        if isinstance(frame, Frame):
            assert sum(map(len, frame.texts)) <= bounds.text_bytes
            assert sum(map(len, frame.literals)) <= bounds.literal_bytes + bounds.message_bytes
            assert not any(forbidden in text for text in frame.texts for forbidden in b"\0\r\n")
    pieces = _frames(bounds, sent, size)
    if b"{" not in sent:  # a peer that sends a literal before the word for it is told apart by when its bytes came
        assert list(map(_without_tag, whole)) == list(map(_without_tag, pieces))


def _without_tag(frame: Frame | Refused | bytes) -> Frame | Refused | bytes:
    """The tag of a line that is too long is that of its part that came."""
    return replace(frame, tag=None) if isinstance(frame, Refused) and frame.is_fatal else frame


def _frames(bounds: Bounds, sent: bytes, size: int) -> list[Frame | Refused | bytes]:
    framer, frames = Framer(bounds), []
    for start in range(0, len(sent), size):
        framer.receive(sent[start : start + size])
        while (frame := framer.next_frame()) is not None:
            frames.append(frame)
        assert framer.buffered_bytes <= bounds.text_bytes + bounds.literal_bytes + bounds.message_bytes + size
    return frames


def mime(data: bytes) -> None:
    """A whole message: the gate, the sender check, hygiene, and what IMAP reads of it."""
    try_everything(data)
    root = structure(data)
    described = body_structure(data, root, is_extended=True)
    assert len(described) <= 1_000 + 40 * len(data)  # a part of 5 bytes is described by 80
    assert described.startswith(b"(")
    assert not set(_without_literals(described)) & set(b"\r\n\0")
    end = body_offset(data)
    assert 0 <= end <= len(data)
    envelope(data[:end])
    selected(data[:end], [b"from", b"subject"])
    with suppress(UnicodeDecodeError):
        parse_content_type(data.decode())


def _without_literals(line: bytes) -> bytes:
    rest = b""
    while found := _LITERAL.search(line):
        rest += line[: found.start()]
        line = line[found.end() + int(found[1]) :]
    return rest + line


_LITERAL = re.compile(rb"\{(\d+)\}\r\n")


def pgp(data: bytes) -> None:
    """Structure and armor of OpenPGP: what is taken for encrypted has no room for a byte more or less."""
    if openpgp.is_encrypted(data):
        assert not openpgp.is_encrypted(data + b"\0")
        assert not openpgp.is_encrypted(data[:-1])
    end = openpgp.find_armor(data, 0)
    for skip_version in (False, True):
        decoded = None if end is None else openpgp.dearmor(data, 0, end, skip_version=skip_version)
        assert decoded is None or len(decoded) * 4 <= len(data) * 3
        openpgp.is_encrypted(decoded or b"")


def dkim(data: bytes) -> None:
    """A signed message and its key record, the first line: a proof is good for no other body and no other author."""
    record, _, message = data.partition(b"\r\n")
    parse_key(record)
    with suppress(TagError):
        parse_tags(record)
    try:
        signed = SignedMessage(message)
    except MimeError:
        return
    found = signed.signatures()
    assert len(found) <= SIGNATURES_MAX
    for signature in found:
        assert signature.domain in signature.key_name
        assert "from" in signature.signed
        if signed.check(signature, record, verify, 0):
            assert not SignedMessage(message + b"x\r\n").check(signature, record, verify, 0)
            assert not SignedMessage(b"From: x@evil.example\r\n" + message).signatures()


def links(data: bytes) -> None:
    """Whatever an address, a password and a host may hold, the link is read as what was written, in one line of ASCII."""
    written, password, host, *_ = *data.decode("utf-8", "replace").split("\0"), "", ""
    address = parse_address(written)
    if address is None or not password:
        return
    server = Server(host, 1, 65_535) if host else None
    link = dclogin(address, password, server)
    assert re.fullmatch(r"[!-~]+", link)
    assert parse_dclogin(link) == (address, password, server)


def http(data: bytes) -> None:
    """Heads and bodies of HTTP: h11 behind the strict reader. Whatever became a request had a head without fault."""
    limits = HeadLimits(head_bytes=600, target_bytes=100, fields=10)
    size = data[0] + 1 if data else 1
    connection = StrictConnection(limits)
    for start in range(1, len(data), size):
        try:
            connection.receive_data(data[start : start + size])
            while isinstance(event := connection.next_event(), h11.Event):
                if isinstance(event, h11.Request):
                    assert len(event.target) <= limits.target_bytes
                    assert len(event.headers) <= limits.fields
        except h11.RemoteProtocolError:
            assert 400 <= connection.refused.status < 500
            return
        if event is h11.PAUSED:
            return
        assert len(connection.trailing_data[0]) <= limits.head_bytes + size
    fault(data, limits)


def control(data: bytes) -> None:
    """The control socket: an answer in words for every line."""
    _LOOP.run_until_complete(_ask(data.partition(b"\n")[0]))


async def _ask(line: bytes) -> None:
    journal = Journal()
    server = ControlServer(Path("/nonexistent"), {"echo": _echo}, journal)
    reader, writer = asyncio.StreamReader(), _Sink()
    reader.feed_data(line + b"\n")
    reader.feed_eof()
    await server._serve(reader, cast("Any", writer))
    assert journal.counts["bug"] == 0


async def _echo(request: Mapping[str, Any]) -> Mapping[str, Any]:
    return request


class _Sink:
    """A stream writer that goes nowhere."""

    def write(self, _: bytes) -> None: ...
    async def drain(self) -> None: ...
    def close(self) -> None: ...


_LOOP = asyncio.new_event_loop()


def toml(data: bytes) -> None:
    """A configuration file: settings in range, or a sentence."""
    with tempfile.TemporaryDirectory(dir=_SHM) as name:
        (Path(name) / FILE_NAME).write_bytes(data)
        with suppress(Trouble):
            read_config(Path(name))


_SHM = "/dev/shm" if Path("/dev/shm").is_dir() else None


def seals(data: bytes) -> None:
    """What lies on the disk, changed by whoever had it in his hands, also with the public keys that lie there."""
    for opened in (data, seal.HPKE.encrypt(data, _KEY.key.public_key(), info=seal._CONTEXT)):
        with suppress(seal.SealBroken):
            seal.unseal(_KEY, opened)
    for opened in (data, seal.HPKE.encrypt(data, _KEY.key.public_key(), info=folder._CONTEXT)):
        with suppress(seal.SealBroken):
            found = folder.unseal_folder(_KEY, opened)
            assert isinstance(found.name, str)
            assert all(isinstance(keyword, str) for keyword in found.keywords)
    for blob in (data, AESGCM(_CONTENT_KEY).encrypt(bytes(12), data, body._CONTEXT)):
        with suppress(seal.SealBroken):
            assert len(body.decrypt_body(_CONTENT_KEY, blob)) <= len(blob)


def backup(data: bytes) -> None:
    """A file that somebody says is a backup, in clear: its check sum is made right, so that the archive is read."""
    for content in (data, b"razdar backup 1 clear\n" + hashlib.sha256(data).digest() + data):
        if b" 1 sealed\n" not in content[:30]:  # a passphrase costs 64 MiB each time and leads to an authenticated box
            with suppress(Trouble):
                assert set(unpack(content, "", ("one", "two"))) <= {"one", "two"}


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "smtp": smtp,
    "smtp_client": smtp_client,
    "relays": relays,
    "imap": imap,
    "framing": framing,
    "mime": mime,
    "pgp": pgp,
    "dkim": dkim,
    "links": links,
    "http": http,
    "control": control,
    "toml": toml,
    "seals": seals,
    "backup": backup,
}
