# SPDX-License-Identifier: AGPL-3.0-or-later
"""`/mxdeliv`: one message from relay to relay as an HTTP request (docs/federation.md).

    POST /mxdeliv
    X-MAIL-FROM: sender@peer.example              empty: the null sender
    X-MAIL-TO: one@relay.example                  once for each recipient

The body is the message. 200 with the words of SMTP: taken for everybody who can receive it. 400 with the words of SMTP: for nobody.
"""

from collections.abc import Iterable

from razdar.model.address import parse_address, undeliverable
from razdar.model.message import Envelope
from razdar.model.verdict import Refusal
from razdar.wire.smtp import replies

PATH = "/mxdeliv"
FROM, TO = b"x-mail-from", b"x-mail-to"


def read_envelope(headers: Iterable[tuple[bytes, bytes]], recipients_max: int) -> Envelope | Refusal:
    """What the fields say; names in lower case. A recipient that is no address stays as it was written, for the report about it."""
    senders: list[bytes] = []
    recipients: list[bytes] = []
    for name, value in headers:
        if name in (FROM, TO):
            (senders if name == FROM else recipients).append(value.strip(b" \t"))
    if len(senders) != 1:
        return replies.BAD_MAIL_SYNTAX
    if len(recipients) > recipients_max:
        return replies.TOO_MANY_RECIPIENTS
    sender = parse_address(senders[0].decode("latin-1"))
    if sender is None and senders[0]:
        return replies.BAD_SENDER_ADDRESS
    addresses = []
    for recipient in recipients:
        text = recipient.decode("utf-8", "replace")
        address = parse_address(text) or undeliverable(text)
        if address is None:
            return replies.BAD_RECIPIENT_ADDRESS
        addresses.append(address)
    return Envelope(sender, tuple(addresses)) if addresses else replies.NO_VALID_RECIPIENT


def is_strict(message: bytes | bytearray) -> bool:
    """Whether every CR and LF is part of a CRLF and there is no NUL: what is one message here is one everywhere (CVE-2023-51764)."""
    pairs = message.count(b"\r\n")
    return message.count(b"\n") == pairs and message.count(b"\r") == pairs and message.find(0) < 0
