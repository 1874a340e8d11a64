# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where the parts of a MIME message are (RFC 2045, RFC 2046), as offsets into its bytes.

A small walker of our own, as the input is hostile: nesting and number of parts are bounded, each level costs one pass over its bytes at the
speed of a compiled search, nothing is decoded or copied. What is too deep stays one opaque part; what is too much is not seen.
"""

import re
from dataclasses import dataclass, field

from . import header
from .tokens import TokenKind, tokens

DEPTH_MAX = 20
PARTS_MAX = 1000
HEADERS_MAX = 1_048_576
"""Bytes of header that are looked at in all parts together; what comes later has default fields."""
BOUNDARY_MAX = 200  # RFC 2046 section 5.1.1 says 70
PARAMETERS_MAX = 50

_FIELDS = frozenset(
    {
        b"content-type",
        b"content-transfer-encoding",
        b"content-id",
        b"content-description",
        b"content-disposition",
        b"content-language",
        b"content-location",
        b"content-md5",
    }
)
_TOKEN = re.compile(rb"[!-~]{1,100}")

Parameters = tuple[tuple[bytes, bytes], ...]


@dataclass(slots=True)
class Part:
    """A message or a part of one: header from `start`, body from `body` to `end`."""

    start: int
    body: int
    end: int
    kind: tuple[bytes, bytes]
    """Type and subtype in lower case."""
    parameters: Parameters
    fields: dict[bytes, bytes]
    """The Content-… fields by lower-case name."""
    children: list["Part"] = field(default_factory=list)
    """Of a multipart."""
    embedded: "Part | None" = None
    """The message in a message/rfc822."""

    @property
    def is_multipart(self) -> bool:
        return self.kind[0] == b"multipart"


class _Walk:
    def __init__(self, message: bytes) -> None:
        self.message = message
        self.parts = 0
        self.header_bytes = 0

    def part(self, start: int, end: int, depth: int, default: tuple[bytes, bytes]) -> Part:
        self.parts += 1
        body = header.body_offset(self.message, start, end)
        self.header_bytes += body - start
        fields = header.values(self.message[start:body], _FIELDS) if self.header_bytes <= HEADERS_MAX or not depth else {}
        kind, parameters = _content_type(fields.get(b"content-type"), default)
        part = Part(start, body, end, kind, parameters, fields)
        if part.is_multipart or kind == (b"message", b"rfc822"):
            self._open(part, depth)
        return part

    def _open(self, part: Part, depth: int) -> None:
        boundary = dict(part.parameters).get(b"boundary", b"")
        if depth >= DEPTH_MAX or self.parts >= PARTS_MAX or (part.is_multipart and not 0 < len(boundary) <= BOUNDARY_MAX):
            part.kind = (b"application", b"octet-stream") if depth else (b"text", b"plain")
        elif part.is_multipart:
            default = (b"message", b"rfc822") if part.kind[1] == b"digest" else (b"text", b"plain")
            for start, end in self._slices(part, boundary):
                if self.parts < PARTS_MAX:  # earlier ones may have had many parts of their own
                    part.children.append(self.part(start, end, depth + 1, default))
        else:
            part.embedded = self.part(part.body, part.end, depth + 1, (b"text", b"plain"))

    def _slices(self, part: Part, boundary: bytes) -> list[tuple[int, int]]:
        """The byte ranges between the delimiters; never none, as a multipart has at least one part."""
        delimiter = re.compile(rb"\n--" + re.escape(boundary) + rb"(--)?[ \t]*+(?:\r?\n|\Z)")
        found: list[tuple[int, int]] = []
        opened: int | None = None
        position = max(part.body - 1, part.start)  # the line end before the first delimiter is the header's
        while len(found) < PARTS_MAX - self.parts and (mark := delimiter.search(self.message, position, part.end)) is not None:
            if opened is not None:
                found.append((opened, max(opened, mark.start() - (self.message[mark.start() - 1] == 13))))
            opened = None if mark[1] else mark.end()
            if opened is None:
                break
            position = mark.end() - 1
        if opened is not None:
            found.append((opened, part.end))
        return found or [(part.end, part.end)]


def structure(message: bytes) -> Part:
    """The tree of parts."""
    return _Walk(message).part(0, len(message), 0, (b"text", b"plain"))


def locate(root: Part, path: tuple[int, ...]) -> Part | None:
    """The part with this number (RFC 3501 section 6.4.5); part 1 of what is no multipart is its own body."""
    inside: Part | None = root
    part = root
    for number in path:
        if inside is None:
            return None
        if inside.is_multipart:
            if number > len(inside.children):
                return None
            part = inside.children[number - 1]
        elif number == 1:
            part = inside
        else:
            return None
        inside = part.embedded if part.embedded is not None else part if part.is_multipart else None
    return part


def parameters_of(value: bytes) -> tuple[bytes, Parameters]:
    """`word; name=value; …`: the word as written (`text/plain`, `attachment`) and the parameters with lower-case names."""
    groups: list[list[bytes]] = [[]]
    for token in tokens(value):
        if token.kind is TokenKind.SPECIAL and token.text == b";":
            groups.append([])
            if len(groups) > PARAMETERS_MAX:
                break
        elif token.kind is not TokenKind.COMMENT:
            groups[-1].append(token.text)
    named = [(group[0].lower(), b"".join(group[2:])) for group in groups[1:] if len(group) >= 2 and group[1] == b"="]
    return b"".join(groups[0]), tuple(named)


def _content_type(value: bytes | None, default: tuple[bytes, bytes]) -> tuple[tuple[bytes, bytes], Parameters]:
    if value is None:
        return default, ((b"charset", b"us-ascii"),) if default[0] == b"text" else ()
    word, parameters = parameters_of(value)
    kind, _, subtype = word.lower().partition(b"/")
    if not (_TOKEN.fullmatch(kind) and _TOKEN.fullmatch(subtype)):
        return (b"text", b"plain"), parameters
    return (kind, subtype), parameters
