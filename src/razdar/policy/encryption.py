# SPDX-License-Identifier: AGPL-3.0-or-later
"""Only encrypted mail passes, so that nobody, the operator included, can read what people write.

Looks at structure only; nothing is decrypted. The rules, where they come from and what they cannot see stand in docs/encryption-policy.md.
A refusal costs linear time and little memory, whatever the bytes are; no bytes make these functions raise.
"""

from collections.abc import Sequence

from razdar.model.verdict import ACCEPT, Verdict
from razdar.wire import openpgp, shapes
from razdar.wire.address_field import only_address
from razdar.wire.mime import FIELDS_MAX, HEADER_BYTES_MAX, Field, MimeError, header_values, read_header
from razdar.wire.report import LOCAL_PART
from razdar.wire.report_shape import require_report
from razdar.wire.smtp.replies import MALFORMED_MESSAGE, UNENCRYPTED


def require_encryption(
    message: bytes, *, is_incoming: bool = False, header_bytes: int = HEADER_BYTES_MAX, header_fields: int = FIELDS_MAX
) -> Verdict:
    """Accepts one OpenPGP message in PGP/MIME, a secure-join request and, from another relay, a delivery report; nothing else."""
    try:
        fields, body_start = read_header(message, limit_bytes=header_bytes, fields_max=header_fields)
    except MimeError:
        return MALFORMED_MESSAGE
    if is_incoming and _is_delivery_report(message, fields, body_start):
        return ACCEPT
    if header_values(fields, "secure-join") and _is_secure_join(message, fields, body_start):
        return ACCEPT
    return ACCEPT if _is_encrypted(message, fields, body_start, skip_version=is_incoming) else UNENCRYPTED


def _is_encrypted(message: bytes, fields: Sequence[Field], body_start: int, *, skip_version: bool) -> bool:
    try:
        return openpgp.is_encrypted(shapes.encrypted_data(message, fields, body_start, skip_version=skip_version))
    except MimeError:
        return False


def _is_secure_join(message: bytes, fields: Sequence[Field], body_start: int) -> bool:
    try:
        return header_values(fields, "secure-join") == [shapes.secure_join_request(message, fields, body_start)]
    except MimeError:
        return False


def _is_delivery_report(message: bytes, fields: Sequence[Field], body_start: int) -> bool:
    sender = only_address(fields, "from", skip_comment=True)
    if sender is None or sender.local != LOCAL_PART or not shapes.is_report(fields):
        return False
    try:
        require_report(message, fields, body_start)
    except MimeError:
        return False
    return True
