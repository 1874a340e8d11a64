# SPDX-License-Identifier: AGPL-3.0-or-later
"""DIR/names.txt: other relays as the operator wrote them down, one line each. They replace DNS for these names.

    relay.example  192.0.2.7 2001:db8::7  https=8443 smtp=8025  pin=3f…9a  dkim=razdar:v=DKIM1;k=rsa;p=MIIB…

A name, then words in any order: addresses in the order to try; ports (443 and 25 unless said); the certificate's SHA-256, as `pin=` or, as
long as nobody has compared it with the peer's operator, as `seen=`; keys as selector and TXT record without spaces. A word that begins with
`#` begins a remark. A mistake anywhere refuses the whole file and names its line: half a file would send mail astray.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from razdar.adapters.files import write_private
from razdar.model.address import parse_address
from razdar.model.trouble import file_not_read, file_not_written, names_line_malformed
from razdar.ports.resolver import Peer
from razdar.wire.dkim.key import parse_key

FILE_NAME = "names.txt"
HTTPS_PORT, SMTP_PORT = 443, 25
_HEAD = """\
# رله‌های دیگر، هر خط یکی؛ به‌جای DNS به کار می‌رود. با ‎./razdar peer‎ یا با دست نوشته می‌شود. شرح: docs/federation.md
# Other relays, one a line; used in place of DNS. Written by ./razdar peer or by hand; explained in docs/federation.md
"""
_PIN = re.compile(r"[0-9a-f]{64}")
_SELECTOR = re.compile(r"[a-z0-9_](?:[a-z0-9._-]{0,61}[a-z0-9])?")
_BYTES_MAX = 4_194_304


@dataclass(slots=True)
class _Words:
    addresses: list[str] = field(default_factory=list)
    ports: dict[str, int] = field(default_factory=dict)
    pins: dict[str, str] = field(default_factory=dict)
    dkim: list[tuple[str, bytes]] = field(default_factory=list)


def read_names(path: Path) -> Mapping[str, Peer]:
    """The entries by name; none if there is no file. Trouble with the line if it has a mistake."""
    peers: dict[str, Peer] = {}
    for number, line in enumerate(_lines(path), 1):
        words = _before_remark(line)
        if not words:
            continue
        try:
            peer = read_peer(words)
        except ValueError as error:
            raise names_line_malformed(path, number, str(error)) from error
        if peer.name in peers:
            raise names_line_malformed(path, number, peer.name)
        peers[peer.name] = peer
    return peers


def read_peer(words: Sequence[str]) -> Peer:
    """The peer that these words of a line say. ValueError with the wrong word."""
    name, found = check_name(words[0]), _Words()
    for word in words[1:]:
        _read_word(word, found)
    if not found.addresses or len(found.pins) > 1:
        raise ValueError(words[0])
    pin = next(iter(found.pins.values()), "")
    https, smtp = found.ports.get("https", HTTPS_PORT), found.ports.get("smtp", SMTP_PORT)
    return Peer(name, tuple(found.addresses), https, smtp, pin, tuple(found.dkim), is_confirmed="seen" not in found.pins)


def check_name(text: str) -> str:
    """The name in lower case. ValueError if no address can end in it."""
    address = parse_address(f"x@{text}")
    if address is None:
        raise ValueError(text)
    return address.domain


def check_pin(text: str) -> str:
    """SHA-256 as 64 hexadecimal digits in lower case; colons and any case are taken. ValueError if it is none."""
    pin = text.replace(":", "").lower()
    if _PIN.fullmatch(pin) is None:
        raise ValueError(text)
    return pin


def check_key(text: str) -> tuple[str, bytes]:
    """Selector and record of `SELECTOR:RECORD`. ValueError if there is no key in it."""
    selector, _, record = text.partition(":")
    content = re.sub(r"[\s\"]", "", record).encode()
    if _SELECTOR.fullmatch(selector.lower()) is None or parse_key(content) is None:
        raise ValueError(text)
    return selector.lower(), content


def _read_word(word: str, found: _Words) -> None:
    key, equals, value = word.partition("=")
    if not equals:
        found.addresses.append(str(ipaddress.ip_address(word)))
    elif key in ("https", "smtp") and key not in found.ports and value.isdecimal() and 0 < int(value) < 65_536:
        found.ports[key] = int(value)
    elif key in ("pin", "seen") and key not in found.pins:
        found.pins[key] = check_pin(value)
    elif key == "dkim":
        found.dkim.append(check_key(value))
    else:
        raise ValueError(word)


def write_peer(peer: Peer) -> str:
    """The peer's line."""
    words = [peer.name, *peer.addresses]
    words += [f"https={peer.https_port}"] if peer.https_port != HTTPS_PORT else []
    words += [f"smtp={peer.smtp_port}"] if peer.smtp_port != SMTP_PORT else []
    words += [f"{'pin' if peer.is_confirmed else 'seen'}={peer.pin}"] if peer.pin else []
    return " ".join([*words, *(f"dkim={selector}:{record.decode('ascii')}" for selector, record in peer.dkim)])


def put_peer(path: Path, name: str, peer: Peer | None) -> bool:
    """The file has this entry for `name`, or none; other lines and remarks stay. Whether there was one before. Trouble as `read_names`."""
    was_there = name in read_names(path)
    lines = [line for line in _lines(path) if _name_of(line) != name] or _HEAD.splitlines()
    lines += [write_peer(peer)] if peer is not None else []
    try:
        write_private(path, "".join(f"{line}\n" for line in lines).encode())
    except OSError as error:
        raise file_not_written(path, error.strerror or "?") from error
    return was_there


def _name_of(line: str) -> str:
    words = _before_remark(line)
    return words[0].lower() if words else ""


def _before_remark(line: str) -> list[str]:
    words = line.split()
    return words[: next((at for at, word in enumerate(words) if word.startswith("#")), len(words))]


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > _BYTES_MAX:
            raise file_not_read(path, "too big")
        return path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise file_not_read(path, getattr(error, "strerror", None) or "not UTF-8") from error


class NamesBook:
    """The entries in force. Implements `ports.resolver.PeerBook`; asking costs no I/O."""

    def __init__(self, path: Path) -> None:
        """Empty until `reload`, as if there were no file."""
        self._path = path
        self._peers: Mapping[str, Peer] = {}
        self._seen: object = ()

    def find(self, name: str) -> Peer | None:
        return self._peers.get(name.lower())

    def reload(self) -> None:
        """The entries are those of the file now. Trouble, and the old ones stay, if it has a mistake."""
        seen = self._state()
        self._peers = read_names(self._path)
        self._seen = seen

    def reload_if_changed(self) -> bool:
        """Whether the file had changed and is in force. Trouble as in `reload`; asked again, it is tried again."""
        if self._state() == self._seen:
            return False
        self.reload()
        return True

    def _state(self) -> object:
        try:
            status = self._path.stat()
        except OSError:
            return ()
        return status.st_mtime_ns, status.st_ino, status.st_size
