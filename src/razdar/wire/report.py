"""The delivery report that tells a sender who did not get a message (RFC 3464, RFC 6522).

Written for what the Delta Chat core reads (docs/interop.md): it takes the words of the first part, `Action` of the first recipient and, to
find the message that the report is about, the `Message-ID` in the third part. One report marks the whole message as failed, so it names
everybody who was missed and says that the others were not. It has no subject, because the core would put that in front of the words.
Persian first, because its readers are.
"""

from collections.abc import Sequence
from email.utils import formatdate

from razdar.model.address import Address
from razdar.model.verdict import Refusal
from razdar.wire.mime import MimeError, split_message
from razdar.wire.smtp import replies

LOCAL_PART = "mailer-daemon"

_QUOTED_FIELDS = {"message-id", "date", "from", "to", "subject"}

_PERSIAN = {
    replies.NO_SUCH_USER: "چنین کاربری اینجا نیست",
    replies.MAILBOX_FULL: "صندوق پر است",
    replies.NOT_REACHABLE: "این رله به آن دامنه نمی‌رسد",
    replies.TOO_MANY_UNKNOWN: "نشانی‌های ناشناس زیادی پشت سر هم بود؛ کمی بعد دوباره بفرستید",
    replies.BAD_RECIPIENT_ADDRESS: "این نشانی درست نیست",
    replies.BUSY: "رله سرش شلوغ است؛ کمی بعد دوباره بفرستید",
}


def delivery_report(
    *, reporting_domain: str, to: Address, failed: Sequence[tuple[Address, Refusal]], original: bytes, now: int, nonce: str
) -> bytes:
    """A whole message to `to`. `failed` has at least one entry; `now` is Unix seconds, `nonce` random hexadecimal digits."""
    mark = b"report-" + nonce.encode("ascii")
    parts = [
        _part("text/plain; charset=utf-8", _words(failed).encode("utf-8"), b"8bit"),
        _part("message/delivery-status", _status(reporting_domain, failed).encode("ascii"), b"7bit"),
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


def _words(failed: Sequence[tuple[Address, Refusal]]) -> str:
    persian = [f"{_written(address)}\r\n{_PERSIAN[refusal]}" if refusal in _PERSIAN else _written(address) for address, refusal in failed]
    english = [f"{_written(address)}\r\n{refusal.text}" for address, refusal in failed]
    blocks = ["این پیام به این نشانی‌ها نرسید:", *persian, "گیرندگان دیگر آن را گرفته‌اند."]
    blocks += ["This message did not reach:", *english, "The other recipients have it."]
    return "\r\n\r\n".join(blocks) + "\r\n"


def _status(domain: str, failed: Sequence[tuple[Address, Refusal]]) -> str:
    """RFC 3464 section 2: fields of the message, then a group for each recipient, with an empty line before each group."""
    groups = [f"Reporting-MTA: dns; {domain}\r\n"]
    for address, refusal in failed:
        diagnostic = f"smtp; {refusal.code} {refusal.enhanced} {refusal.text}"
        groups.append(
            f"Final-Recipient: {_typed(address)}\r\nAction: failed\r\nStatus: {refusal.enhanced}\r\nDiagnostic-Code: {diagnostic}\r\n"
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
