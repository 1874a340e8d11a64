# SPDX-License-Identifier: AGPL-3.0-or-later
"""The header of a message: its fields as they came, in their order, and the few values that a relay looks at (RFC 5322, RFC 2045).

Fast and strict: one pass over bounded bytes, and what could be read in two ways is an error, because a client might read it the other way.
The body is never parsed here. The raw bytes of every field are kept, so that what is not changed on purpose leaves as it came.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from razdar.wire.errors import PeerError

HEADER_BYTES_MAX = 131_072
"""Default for the settings' `header_bytes`; the apps send about 500."""

FIELDS_MAX = 1000
"""Default for the settings' `header_fields`. A message that crossed ten relays has about 100."""

# Field name: printable ASCII without the colon (RFC 5322 section 2.2), and nothing between it and the colon (the obsolete syntax of section
# 4.5 lets two parsers see two different names). Body: lines folded by CRLF and white space; no bare CR or LF, no NUL. Possessive
# quantifiers: no backtracking, so linear time.
_FIELD = re.compile(rb"([!-9;-~]++):([^\r\n\0]*+(?:\r\n[ \t][^\r\n\0]*+)*+)\r\n")
_FOLD = re.compile(rb"\r\n(?=[ \t])")

_ATOM = r"[!#$%&'*+.0-9A-Z^_`a-z{|}~-]++"  # RFC 2045 section 5.1
_MEDIA_TYPE = re.compile(rf"({_ATOM})/({_ATOM})[ \t]*+")
_PARAMETER = re.compile(rf';[ \t]*+({_ATOM})[ \t]*+=[ \t]*+(?:({_ATOM})|"((?:[^"\\]|\\.)*+)")[ \t]*+')
_QUOTED_PAIR = re.compile(r"\\(.)")


class MimeError(PeerError):
    """The header cannot be read in one way only, or it is too big."""


@dataclass(frozen=True, slots=True)
class Field:
    """One header field. `name` is in lower case; `raw` is all of it: name, colon, value with its folding, CRLF."""

    name: str
    raw: bytes

    @property
    def value(self) -> str:
        """Unfolded and without white space at both ends. What is no UTF-8 becomes U+FFFD, which no address and no keyword contains."""
        return _FOLD.sub(b"", self.raw[len(self.name) + 1 : -2]).decode("utf-8", "replace").strip(" \t")


@dataclass(frozen=True, slots=True)
class ContentType:
    """A media type and its parameters, names and type in lower case (RFC 2045 section 5.1)."""

    media_type: str
    parameters: dict[str, str]


def split_message(message: bytes, limit_bytes: int = HEADER_BYTES_MAX) -> tuple[list[Field], memoryview]:
    """Header fields in their order, and the body, not copied.

    Raises MimeError if there is no header, a field is malformed (NUL, bare CR or LF, a space before the colon), there are more than
    FIELDS_MAX of them, or no empty line within the first `limit_bytes`.
    """
    fields, body_start = read_header(message, limit_bytes=limit_bytes)
    return fields, memoryview(message)[body_start:]


def read_header(data: bytes, start: int = 0, limit_bytes: int = HEADER_BYTES_MAX, fields_max: int = FIELDS_MAX) -> tuple[list[Field], int]:
    """The fields from `start` on, and where the body begins. Also for the header of a part. Raises MimeError."""
    end = data.find(b"\r\n\r\n", start, start + limit_bytes)
    if end < 0:
        raise MimeError("the message has no header that ends in time")
    fields: list[Field] = []
    at = start
    while at < end:
        found = _FIELD.match(data, at, end + 2)
        if found is None or len(fields) >= fields_max:
            raise MimeError("a header field is malformed or one too many")
        fields.append(Field(found[1].decode("ascii").lower(), found[0]))
        at = found.end()
    if not fields:
        raise MimeError("the message has no header")
    return fields, end + 4


def header_values(fields: Sequence[Field], name: str) -> list[str]:
    """The values of all fields called `name` (lower case), in their order."""
    return [field.value for field in fields if field.name == name]


def content_type(fields: Sequence[Field]) -> ContentType | None:
    """The type that the only Content-Type field names; None if there is no such field, several, or one that is not plain RFC 2045.

    Comments, parameters given twice and the split or encoded parameters of RFC 2231 (names with `*`) are not plain: parsers differ on them.
    """
    values = header_values(fields, "content-type")
    return parse_content_type(values[0]) if len(values) == 1 else None


def parse_content_type(value: str) -> ContentType | None:
    """`type/subtype; name=value; …`, or None."""
    kind = _MEDIA_TYPE.match(value)
    if kind is None:
        return None
    parameters: dict[str, str] = {}
    at = kind.end()
    while found := _PARAMETER.match(value, at):
        name = found[1].lower()
        if name in parameters or "*" in name:
            return None
        parameters[name] = found[2] or _QUOTED_PAIR.sub(r"\1", found[3] or "")
        at = found.end()
    rest = value[at:].strip(" \t")
    return ContentType(f"{kind[1]}/{kind[2]}".lower(), parameters) if rest in ("", ";") else None
