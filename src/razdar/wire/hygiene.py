# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a relay takes out of the header so that messages tell less about people than their apps and other servers wrote into them.

Everything else, the body included, leaves byte for byte as it came: signatures over it stay good. Nothing is added but the one subject that
all messages share. In particular there is no `Received` field: it would record when and from where somebody wrote.
"""

from razdar.wire.mime import FIELDS_MAX, HEADER_BYTES_MAX, read_header

SUBJECT = b"Subject: [...]\r\n"
"""The subject that stands outside of every encrypted message (header protection, RFC 9788)."""

_NOT_SUBMITTED = frozenset({"received", "x-originating-ip", "x-mailer", "user-agent", "bcc", "return-path"})
_NOT_DELIVERED = frozenset({"dkim-signature", "authentication-results", "received"})


def for_submission(message: bytes, *, header_bytes: int = HEADER_BYTES_MAX, header_fields: int = FIELDS_MAX) -> bytes:
    """The message without fields that name the app, the network or hidden recipients, and with the one subject. Raises MimeError."""
    fields, body_start = read_header(message, limit_bytes=header_bytes, fields_max=header_fields)
    kept: list[bytes] = []
    has_subject = False
    for field in fields:
        if field.name == "subject":
            kept += [] if has_subject else [SUBJECT]
            has_subject = True
        elif field.name not in _NOT_SUBMITTED:
            kept.append(field.raw)
    return _with_header(kept if has_subject else [*kept, SUBJECT], message, body_start)


def for_mailbox(message: bytes, *, header_bytes: int = HEADER_BYTES_MAX, header_fields: int = FIELDS_MAX) -> bytes:
    """The message without what servers wrote for each other; the same object if there was nothing of it. Raises MimeError."""
    fields, body_start = read_header(message, limit_bytes=header_bytes, fields_max=header_fields)
    kept = [field.raw for field in fields if field.name not in _NOT_DELIVERED]
    return message if len(kept) == len(fields) else _with_header(kept, message, body_start)


def _with_header(header: list[bytes], message: bytes, body_start: int) -> bytes:
    return b"".join([*header, memoryview(message)[body_start - 2 :]])
