# SPDX-License-Identifier: AGPL-3.0-or-later
"""The header of a message as bytes: where it ends, its fields, the first field of a name.

No decoding and no objects: this is the way of every prefetch (nine fields of each new message). Fields are looked for in the first
`HEADER_BYTES_MAX` only, so that a header of ten megabytes of tiny fields (1.2 s, measured) cannot hold up everybody at each prefetch of its
victim. Lines that end with a bare LF are understood; nothing is repaired.
"""

import re
from collections.abc import Collection, Iterator

_FIELD = re.compile(rb"[^\n]*\n?(?:[ \t][^\n]*\n?)*")
_FOLD = re.compile(rb"\r?\n[ \t]?|\r|\0")
HEADER_BYTES_MAX = 131_072
"""What the encryption gate lets in by default (wire/mime.py); costs 30 ms if it is all tiny fields."""
VALUE_BYTES_MAX = 65536
"""How much of a field's value is looked at when it is parsed."""


def body_offset(message: bytes, start: int = 0, end: int | None = None) -> int:
    """Where the body begins: behind the first empty line, or `end` if there is none."""
    stop = len(message) if end is None else end
    for opening in (b"\r\n", b"\n"):
        if message.startswith(opening, start, stop):
            return start + len(opening)
    crlf = message.find(b"\n\r\n", start, stop)
    limit = stop if crlf < 0 else crlf
    bare = message.find(b"\n\n", start, limit)
    if bare >= 0:
        return bare + 2
    return stop if crlf < 0 else crlf + 3


def fields(header: bytes) -> Iterator[bytes]:
    """Each field with its folded lines and line ends; the empty line is none. What lies behind `HEADER_BYTES_MAX` is not looked at."""
    position = 0
    while position < min(len(header), HEADER_BYTES_MAX):
        found = _FIELD.match(header, position)
        if found is None or found.end() == position:  # cannot be: the pattern takes at least one byte
            return
        position = found.end()
        if header[found.start() : found.start() + 2] not in (b"\r\n", b"\n"):
            yield found[0]


def name_of(field: bytes) -> bytes:
    """In lower case; empty if the line has no colon."""
    name, colon, _ = field.partition(b":")
    return name.rstrip(b" \t").lower() if colon else b""


def selected(header: bytes, names: Collection[bytes], *, is_inverted: bool = False) -> bytes:
    """The fields with (or without) these lower-case names, and the empty line that always ends them (RFC 3501 section 6.4.5)."""
    chosen = [field for field in fields(header) if (name_of(field) in names) is not is_inverted]
    if chosen and not chosen[-1].endswith(b"\n"):
        chosen.append(b"\r\n")
    chosen.append(b"\r\n")
    return b"".join(chosen)


def value(header: bytes, name: bytes) -> bytes | None:
    """Unfolded value of the first field with this lower-case name, at most `VALUE_BYTES_MAX` of it; None if there is none."""
    for field in fields(header):
        if name_of(field) == name:
            return unfolded(field.partition(b":")[2])
    return None


def values(header: bytes, names: Collection[bytes]) -> dict[bytes, bytes]:
    """As `value`, for several names in one pass."""
    found: dict[bytes, bytes] = {}
    for field in fields(header):
        name = name_of(field)
        if name in names and name not in found:
            found[name] = unfolded(field.partition(b":")[2])
    return found


def unfolded(raw: bytes) -> bytes:
    """On one line (RFC 5322 section 2.2.3), without NUL and outer blanks."""
    return _FOLD.sub(b" ", raw[:VALUE_BYTES_MAX].strip()).strip()
