# SPDX-License-Identifier: AGPL-3.0-or-later
"""Nobody writes in another person's name: login, envelope sender and `From:` are one address."""

from razdar.model.address import Address
from razdar.model.verdict import ACCEPT, Verdict
from razdar.wire.address_field import only_address
from razdar.wire.mime import FIELDS_MAX, HEADER_BYTES_MAX, MimeError, read_header
from razdar.wire.smtp.replies import INVALID_FROM, MALFORMED_MESSAGE, NOT_YOUR_ADDRESS


def check_sender(login: Address, envelope_sender: Address | None) -> Verdict:
    """Accepts only the login's own address. The null sender `<>` is for delivery reports, which no person writes."""
    return ACCEPT if envelope_sender == login else NOT_YOUR_ADDRESS


def check_from(
    message: bytes, envelope_sender: Address, *, header_bytes: int = HEADER_BYTES_MAX, header_fields: int = FIELDS_MAX
) -> Verdict:
    """Accepts exactly one `From:` field with exactly one address that is the envelope sender, in any case of letters."""
    try:
        fields, _ = read_header(message, limit_bytes=header_bytes, fields_max=header_fields)
    except MimeError:
        return MALFORMED_MESSAGE
    return ACCEPT if only_address(fields, "from") == envelope_sender else INVALID_FROM
