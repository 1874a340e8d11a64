# SPDX-License-Identifier: AGPL-3.0-or-later
"""The three shapes of mail that may pass: PGP/MIME (RFC 3156 section 4), the secure-join request and the delivery report.

The first two are read from the first byte of the body to the last, and whatever the shape does not ask for is an error. So nothing can
stand before, between, beside or after the parts, whichever boundary line a client might take for the real one. Each function raises
MimeError where the message has another shape; what follows from that is policy/encryption.py's business.
"""

import re
from collections.abc import Sequence

from razdar.wire import openpgp
from razdar.wire.mime import ContentType, Field, MimeError, content_type, header_values, read_header

PART_HEADER_BYTES = 1_024
"""The header of one part; the apps send about 90."""

_PART_FIELDS = {"content-type", "content-transfer-encoding", "content-disposition", "content-description", "content-id"}
_UNENCODED = {"7bit", "8bit", "binary"}
BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")  # RFC 2046 section 5.1.1
_BLANK_LINES = re.compile(rb"(?:[ \t]*+\r\n)*+")
_BLANK_REST = re.compile(rb"[ \t]*+(?:\r\n[ \t]*+)*+\Z")
_LINE_END = re.compile(rb"[ \t]*+\r\n")
_VERSION = re.compile(rb"(?:[ \t]*+\r\n)*+[ \t]*+Version: 1[ \t]*+\r\n")
_REQUEST = re.compile(rb"(?:[ \t]*+\r\n)*+[ \t]*+secure-join: (v[cg]-request)[ \t]*+\r\n", re.IGNORECASE)


def encrypted_data(message: bytes, fields: Sequence[Field], body_start: int, *, skip_version: bool = False) -> bytes:
    """The OpenPGP data of a multipart/encrypted message with exactly its two parts, out of its armor.

    `skip_version`: see `openpgp.dearmor`.
    """
    delimiter = _delimiter(fields, "multipart/encrypted")
    at = _open_part(message, body_start, delimiter, "application/pgp-encrypted")
    at = _match(_VERSION, message, at).end()
    at = _open_part(message, at, delimiter, "application/octet-stream")
    start = _match(_BLANK_LINES, message, at).end()
    end = openpgp.find_armor(message, start)
    if end is None:
        raise MimeError("there is no armored message")
    _close(message, _match(_LINE_END, message, end).end(), delimiter)
    data = openpgp.dearmor(message, start, end, skip_version=skip_version)
    if data is None:
        raise MimeError("something besides base64 is inside the armor")
    return data


def secure_join_request(message: bytes, fields: Sequence[Field], body_start: int) -> str:
    """`vc-request` or `vg-request`: all that the only part, text/plain, says: alone or, as the apps do, in multipart/mixed."""
    kind = _single_type(fields)
    if kind.media_type == "text/plain":
        request = _match(_REQUEST, message, body_start)
        _match(_BLANK_REST, message, request.end())
    else:
        delimiter = _delimiter(fields, "multipart/mixed")
        request = _match(_REQUEST, message, _open_part(message, body_start, delimiter, "text/plain"))
        _close(message, request.end(), delimiter)
    return request[1].decode("ascii").lower()


def is_report(fields: Sequence[Field]) -> bool:
    """Whether the header is that of a delivery report, apart from its sender. Nothing is said about the body."""
    kind = content_type(fields)
    return kind is not None and kind.media_type == "multipart/report" and any(header_values(fields, "auto-submitted"))


def _single_type(fields: Sequence[Field]) -> ContentType:
    """The type of a message or part whose body stands there as it is, without base64 or quoted-printable."""
    kind = content_type(fields)
    encodings = header_values(fields, "content-transfer-encoding")
    if kind is None or len(encodings) > 1 or not _UNENCODED.issuperset(map(str.lower, encodings)):
        raise MimeError("the type or encoding of a part is missing or unclear")
    return kind


def _delimiter(fields: Sequence[Field], media_type: str) -> bytes:
    kind = _single_type(fields)
    boundary = kind.parameters.get("boundary", "")
    if kind.media_type != media_type or BOUNDARY.fullmatch(boundary) is None:
        raise MimeError("the message is no such multipart")
    return b"--" + boundary.encode("ascii")


def _open_part(message: bytes, at: int, delimiter: bytes, media_type: str) -> int:
    """Past blank lines, delimiter and header of a part of this type: where its body begins."""
    at = _match(_BLANK_LINES, message, at).end()
    if not message.startswith(delimiter, at):
        raise MimeError("a part is missing")
    at = _match(_LINE_END, message, at + len(delimiter)).end()
    fields, at = read_header(message, at, PART_HEADER_BYTES)
    names = {field.name for field in fields}
    if len(names) != len(fields) or not names <= _PART_FIELDS or _single_type(fields).media_type != media_type:
        raise MimeError("the header of a part is not what belongs there")
    return at


def _close(message: bytes, at: int, delimiter: bytes) -> None:
    """Nothing but blank lines and the closing delimiter are left."""
    at = _match(_BLANK_LINES, message, at).end()
    if not message.startswith(delimiter + b"--", at):
        raise MimeError("there is more than there should be")
    _match(_BLANK_REST, message, at + len(delimiter) + 2)


def _match(pattern: re.Pattern[bytes], message: bytes, at: int) -> re.Match[bytes]:
    found = pattern.match(message, at)
    if found is None:
        raise MimeError("the body has another shape")
    return found
