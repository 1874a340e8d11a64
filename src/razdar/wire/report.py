# SPDX-License-Identifier: AGPL-3.0-or-later
"""The delivery report that tells a sender who did not get a message (RFC 3464, RFC 6522).

Written for what the Delta Chat core reads (docs/interop.md): it takes the words of the first part, `Action` of the first recipient and, to
find the message that the report is about, the `Message-ID` in the third part. One report marks the whole message as failed, so it names
everybody who was missed and says that the others were not. It has no subject, because the core would put that in front of the words.
Persian first, because its readers are.
"""

from collections.abc import Sequence
from email.utils import formatdate
from enum import Enum

from razdar.model.address import Address
from razdar.model.verdict import Refusal
from razdar.wire.mime import MimeError, split_message
from razdar.wire.smtp import replies

LOCAL_PART = "mailer-daemon"

_QUOTED_FIELDS = {"message-id", "date", "from", "to", "subject"}

_PERSIAN = {
    replies.NO_SUCH_USER: "چنین کاربری اینجا نیست",
    replies.MAILBOX_FULL: "صندوق پر است",
    replies.NOT_REACHABLE: "این رله به آن دامنه دسترسی ندارد",
    replies.NO_SUCH_DOMAIN: "رله‌ای به این نام نیست",
    replies.DOMAIN_TAKES_NO_MAIL: "آن دامنه پیام نمی‌گیرد",
    replies.DOMAIN_IS_OURS: "آن دامنه به همین رله برمی‌گردد",
    replies.NOT_IN_TIME: "رلهٔ گیرنده مدت درازی در دسترس نبود",
    replies.STILL_TRYING: "رلهٔ گیرنده اکنون در دسترس نیست؛ این رله همچنان تلاش می‌کند",
    replies.QUEUE_FULL: "پیام‌های زیادی منتظر رله‌های دیگر است؛ کمی بعد دوباره بفرستید",
    replies.TOO_MANY_UNKNOWN: "نشانی‌های ناشناختهٔ زیادی پشت سر هم بود؛ کمی بعد دوباره بفرستید",
    replies.BAD_RECIPIENT_ADDRESS: "این نشانی درست نیست",
    replies.BUSY: "سرِ رله شلوغ است؛ کمی بعد دوباره بفرستید",
}


class Kind(Enum):
    """What a report says: the words before and after the addresses in Persian, then in English, and the `Action` of RFC 3464."""

    FAILED = (
        *("این پیام به این نشانی‌ها نرسید:", "به گیرندگان دیگر رسیده است."),
        *("This message did not reach:", "The other recipients have it.", "failed"),
    )
    """Told at once: whoever is not named has the message."""
    FAILED_LATER = ("این پیام به این نشانی‌ها نرسید:", "", "This message did not reach:", "", "failed")
    """Told about a message that waited: nothing is said about others."""
    DELAYED = (
        *("این پیام هنوز به این نشانی‌ها نرسیده است:", "لازم نیست کاری بکنید؛ رله آن را نگه می‌دارد و دوباره می‌فرستد."),
        *("This message has not yet reached:", "You need not do anything: the relay keeps it and tries again.", "delayed"),
    )
    """The last word has not been said."""

    def __init__(self, persian: str, persian_end: str, english: str, english_end: str, action: str) -> None:
        self.persian = persian
        self.persian_end = persian_end
        self.english = english
        self.english_end = english_end
        self.action = action


def delivery_report(
    *,
    reporting_domain: str,
    to: Address,
    failed: Sequence[tuple[Address, Refusal]],
    original: bytes,
    now: int,
    nonce: str,
    kind: Kind = Kind.FAILED,
) -> bytes:
    """A whole message to `to`. `failed` has at least one entry; `now` is Unix seconds, `nonce` random hexadecimal digits."""
    mark = b"report-" + nonce.encode("ascii")
    parts = [
        _part("text/plain; charset=utf-8", _words(kind, failed).encode("utf-8"), b"8bit"),
        _part("message/delivery-status", _status(kind, reporting_domain, failed).encode("ascii"), b"7bit"),
        _part("text/rfc822-headers", _quoted_fields(original), b"8bit"),
    ]
    body = b"".join(b"--" + mark + b"\r\n" + part for part in parts)
    return _header(reporting_domain, to, now, nonce).encode("ascii") + b"\r\n" + body + b"--" + mark + b"--\r\n"


def _header(domain: str, to: Address, now: int, nonce: str) -> str:
    lines = [
        f"From: <{LOCAL_PART}@{domain}>",
        f"To: <{to}>",
        f"Date: {formatdate(now)}",
        f"Message-ID: <{nonce}@{domain}>",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="report-{nonce}"',
    ]
    return "".join(line + "\r\n" for line in lines)


def _part(kind: str, content: bytes, encoding: bytes) -> bytes:
    return b"Content-Type: " + kind.encode("ascii") + b"\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n" + content + b"\r\n"


def _words(kind: Kind, failed: Sequence[tuple[Address, Refusal]]) -> str:
    persian = [f"{_written(address)}\r\n{_PERSIAN[refusal]}" if refusal in _PERSIAN else _written(address) for address, refusal in failed]
    english = [f"{_written(address)}\r\n{refusal.text}" for address, refusal in failed]
    blocks = [kind.persian, *persian, kind.persian_end, kind.english, *english, kind.english_end]
    return "\r\n\r\n".join(block for block in blocks if block) + "\r\n"


def _status(kind: Kind, domain: str, failed: Sequence[tuple[Address, Refusal]]) -> str:
    """RFC 3464 section 2: fields of the message, then a group for each recipient, with an empty line before each group."""
    groups = [f"Reporting-MTA: dns; {domain}\r\n"]
    for address, refusal in failed:
        diagnostic = f"smtp; {refusal.code} {refusal.enhanced} {refusal.text}"
        groups.append(
            f"Final-Recipient: {_typed(address)}\r\n"
            f"Action: {kind.action}\r\n"
            f"Status: {refusal.enhanced}\r\n"
            f"Diagnostic-Code: {diagnostic}\r\n"
        )
    return "\r\n".join(groups)


def _written(address: Address) -> str:
    """As the person wrote it, also what is no address (model/address.py, `undeliverable`)."""
    return str(address).removesuffix("@")


def _typed(address: Address) -> str:
    """With its address type; other letters than ASCII in the seven-bit form of RFC 6533 section 3."""
    text = _written(address)
    if text.isascii():
        return f"rfc822; {text}"
    return "utf-8; " + "".join(letter if letter.isascii() and letter not in " \\" else f"\\x{{{ord(letter):02X}}}" for letter in text)


def _quoted_fields(original: bytes) -> bytes:
    """The fields that tell which message it was; none of what apps and servers wrote besides."""
    try:
        fields, _ = split_message(original)
    except MimeError:
        return b""
    return b"".join(field.raw for field in fields if field.name in _QUOTED_FIELDS)
