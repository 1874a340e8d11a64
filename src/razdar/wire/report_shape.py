# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a delivery report from another relay may look like (RFC 3462, RFC 3464), so that it is a report and no letter in clear.

A report is the one thing in clear that another relay may put into a mailbox, and whoever has a domain is another relay. So it is read from
the first byte of the body to the last, like the other shapes: words in plain text, the fields of the failure, and perhaps the header of the
message or the message that it is about, which is one that could have left here. No HTML, no file, no fourth part, nothing after the end,
and nothing in the header that an app would act upon. As wide as what Postfix and our own relay write (wire/report.py).
"""

import re
from collections.abc import Sequence

from razdar.wire.mime import ContentType, Field, MimeError, content_type, header_values, read_header
from razdar.wire.shapes import BOUNDARY, PART_HEADER_BYTES

REPORT_BYTES = 524_288
"""Postfix gives back 50 kB of a message at most, Exim 100; our own report on a thousand people has 400."""
PREAMBLE_BYTES = 200

_WORDS = {"text/plain"}
_STATUS = {"message/delivery-status", "message/global-delivery-status"}
_HEADERS = {"text/rfc822-headers", "message/rfc822-headers", "message/global-headers"}
_WHOLE = {"message/rfc822", "message/global"}
_PART_FIELDS = {"content-type", "content-transfer-encoding", "content-description", "content-language", "content-id"}
_WORDS_PARAMETERS = {"charset", "format", "delsp"}
_UNENCODED = {"7bit", "8bit", "binary"}
_FIELDS = re.compile(rb"(?:[!-9;-~]++:[^\r\n\0]*+(?:\r\n[ \t][^\r\n\0]*+)*+(?:\r\n|\Z)|[ \t]*+\r\n)*+[ \t]*+")
_BLANK = re.compile(rb"\s*+")
_ACTED_UPON = ("chat-", "secure-join", "autocrypt", "list-")
"""Beginnings of the names of fields that apps go by."""


def require_report(message: bytes, fields: Sequence[Field], body_start: int) -> None:
    """Whether the message, whose header is that of a report (`shapes.is_report`), is nothing besides. Raises MimeError if it is more."""
    if len(message) > REPORT_BYTES:
        raise MimeError("the report is too long")
    if any(field.name.startswith(_ACTED_UPON) for field in fields):
        raise MimeError("a report has no business with that field")
    parts = _parts(bytes(message[body_start:]), _boundary(fields))
    if not 2 <= len(parts) <= 3:
        raise MimeError("a report has two or three parts")
    _require_words(parts[0])
    _require_status(parts[1])
    for part in parts[2:]:
        _require_original(part)


def _boundary(fields: Sequence[Field]) -> bytes:
    kind = content_type(fields)
    boundary = kind.parameters.get("boundary", "") if kind is not None else ""
    if (
        kind is None
        or kind.parameters.get("report-type", "delivery-status").lower() != "delivery-status"
        or not BOUNDARY.fullmatch(boundary)
    ):
        raise MimeError("this is a report of another kind")
    return b"--" + boundary.encode("ascii")


def _parts(body: bytes, delimiter: bytes) -> list[bytes]:
    """Whatever stands between lines that begin with the delimiter, wherever an app might see one."""
    preamble, *pieces = re.split(rb"(?:\A|(?<=\n))" + re.escape(delimiter), body)
    if len(preamble) > PREAMBLE_BYTES or not pieces:
        raise MimeError("there are no parts")
    *parts, end = pieces
    if not end.startswith(b"--") or not _BLANK.fullmatch(end, 2):
        raise MimeError("there is something after the end")
    if any(not re.match(rb"[ \t]*+\r\n", part) for part in parts):
        raise MimeError("a line only begins like the boundary")
    return [part.partition(b"\r\n")[2] for part in parts]


def _read(part: bytes, kinds: set[str]) -> tuple[ContentType, set[str], bytes]:
    """Type, encodings and content of a part of one of these kinds."""
    fields, start = read_header(part, 0, PART_HEADER_BYTES)
    names = {field.name for field in fields}
    kind = content_type(fields)
    encodings = {value.lower() for value in header_values(fields, "content-transfer-encoding")}
    if kind is None or kind.media_type not in kinds or len(names) != len(fields) or not names <= _PART_FIELDS:
        raise MimeError("the part does not belong into a report")
    return kind, encodings, part[start:]


def _require_words(part: bytes) -> None:
    kind, _, _ = _read(part, _WORDS)
    if not kind.parameters.keys() <= _WORDS_PARAMETERS:
        raise MimeError("the words are a file")


def _require_status(part: bytes) -> None:
    _, encodings, content = _read(part, _STATUS)
    fields = b"\r\n" + content.lower()
    if (
        not encodings <= _UNENCODED
        or not _FIELDS.fullmatch(content)
        or b"\r\naction:" not in fields
        or b"\r\nfinal-recipient:" not in fields
    ):
        raise MimeError("nothing is said of a recipient")


def _require_original(part: bytes) -> None:
    """Fields and nothing else; or a message whose header is that of one that could have left here."""
    kind, encodings, content = _read(part, _HEADERS | _WHOLE)
    if not encodings <= _UNENCODED:
        raise MimeError("the message is hidden by an encoding")
    if kind.media_type in _HEADERS:
        if not _FIELDS.fullmatch(content):
            raise MimeError("there is more than a header")
        return
    fields, _ = read_header(content)
    original = content_type(fields)
    if not header_values(fields, "secure-join") and (original is None or original.media_type != "multipart/encrypted"):
        raise MimeError("that message cannot have come from here")
