# SPDX-License-Identifier: AGPL-3.0-or-later
"""BODY and BODYSTRUCTURE (RFC 3501 section 7.4.2): the tree of parts as nested lists. BODY leaves the extension data out."""

from .envelope import envelope
from .responses import nstring, parenthesised, string
from .structure import Parameters, Part, parameters_of


def body_structure(message: bytes, part: Part, *, is_extended: bool) -> bytes:
    """The list of `part` and everything in it. Recursion is as deep as the walker that made the tree allows."""
    if part.is_multipart:
        children = b"".join(body_structure(message, child, is_extended=is_extended) for child in part.children)
        pieces = [children, string(part.kind[1])]
        if is_extended:
            pieces += [_parameters(part.parameters), *_placement(part)]
        return parenthesised(pieces)
    pieces = _basic(part)
    if part.embedded is not None:
        inner = part.embedded
        pieces += [envelope(message[inner.start : inner.body]), body_structure(message, inner, is_extended=is_extended)]
    if part.embedded is not None or part.kind[0] == b"text":
        pieces.append(b"%d" % _lines(message, part))
    if is_extended:
        pieces += [nstring(part.fields.get(b"content-md5")), *_placement(part)]
    return parenthesised(pieces)


def _basic(part: Part) -> list[bytes]:
    return [
        string(part.kind[0]),
        string(part.kind[1]),
        _parameters(part.parameters),
        nstring(part.fields.get(b"content-id")),
        nstring(part.fields.get(b"content-description")),
        string(part.fields.get(b"content-transfer-encoding", b"7bit")),
        b"%d" % (part.end - part.body),
    ]


def _lines(message: bytes, part: Part) -> int:
    lines = message.count(b"\n", part.body, part.end)
    return lines if part.end == part.body or message[part.end - 1] == 10 else lines + 1


def _parameters(parameters: Parameters) -> bytes:
    return parenthesised(string(piece) for pair in parameters for piece in pair) if parameters else b"NIL"


def _placement(part: Part) -> list[bytes]:
    """Disposition, language, location."""
    disposition = b"NIL"
    if b"content-disposition" in part.fields:
        word, parameters = parameters_of(part.fields[b"content-disposition"])
        disposition = parenthesised([string(word), _parameters(parameters)])
    return [disposition, nstring(part.fields.get(b"content-language")), nstring(part.fields.get(b"content-location"))]
