# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mailbox names on the wire: modified UTF-7 (RFC 3501 section 5.1.3).

Every name has exactly one spelling: what does not come back the same after decoding and encoding is refused, so that two spellings can
never mean one folder. INBOX is written in any case and always means INBOX.
"""

import re
from base64 import b64decode, b64encode

from razdar.wire.errors import PeerError

NAME_BYTES_MAX = 1000
INBOX = "INBOX"

_SHIFTED = re.compile(rb"&([A-Za-z0-9+,]*)-")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_PLAIN_RUN = re.compile(r"[\x20-\x7e]+")


def decode_name(wire: bytes) -> str:
    """The mailbox name; `inbox` in any case is INBOX. Raises PeerError."""
    name = decode_text(wire)
    return INBOX if name.upper() == INBOX else name


def decode_text(wire: bytes) -> str:
    """A name, or a part or pattern of one. Raises PeerError if it is too long, not spelled the one way, or has controls in it."""
    if len(wire) > NAME_BYTES_MAX:
        raise PeerError("Mailbox name too long")
    try:
        text = "".join(_decoded(wire))
    except (UnicodeDecodeError, ValueError):
        raise PeerError("Mailbox name is not modified UTF-7") from None
    if _CONTROL.search(text):
        raise PeerError("Control character in a mailbox name")
    if encode_name(text) != wire:
        raise PeerError("Mailbox name is not modified UTF-7")
    return text


def encode_name(name: str) -> bytes:
    """`name` in modified UTF-7. Total: what no name may contain becomes `?`."""
    encoded: list[bytes] = []
    position = 0
    for run in _PLAIN_RUN.finditer(name):
        encoded.append(_shifted(name[position : run.start()]))
        encoded.append(run[0].replace("&", "&-").encode("ascii"))
        position = run.end()
    encoded.append(_shifted(name[position:]))
    return b"".join(encoded)


def _decoded(wire: bytes) -> list[str]:
    pieces: list[str] = []
    position = 0
    for shift in _SHIFTED.finditer(wire):
        pieces.append(wire[position : shift.start()].decode("ascii"))
        pieces.append(_unshifted(shift[1]))
        position = shift.end()
    pieces.append(wire[position:].decode("ascii"))
    return pieces


def _unshifted(encoded: bytes) -> str:
    if not encoded:
        return "&"
    padded = encoded.replace(b",", b"/") + b"=" * (-len(encoded) % 4)
    return b64decode(padded, validate=True).decode("utf-16-be")


def _shifted(text: str) -> bytes:
    if not text:
        return b""
    return b"&" + b64encode(text.encode("utf-16-be", "replace")).rstrip(b"=").replace(b"/", b",") + b"-"
