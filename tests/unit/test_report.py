# SPDX-License-Identifier: AGPL-3.0-or-later
"""The delivery report, read back with the standard library's parser: RFC 3464, and what the Delta Chat core looks at (docs/interop.md)."""

import email.policy
from email.message import EmailMessage
from email.parser import BytesParser

import pytest
from tests.mail.make import encrypted_message

from razdar.model.address import Address, undeliverable
from razdar.model.verdict import ACCEPT, Refusal
from razdar.policy.encryption import require_encryption
from razdar.wire import report
from razdar.wire.mime import header_values, split_message
from razdar.wire.smtp import replies

SENDER = Address("alialiali", "relay.test")
GONE, FULL = Address("nobodyhere", "relay.test"), Address("baharbaharbahar", "relay.test")
ORIGINAL = encrypted_message(str(SENDER), [str(GONE), str(FULL)])
NOW = 1_763_750_000


def made(
    failed: list[tuple[Address, Refusal]],
    original: bytes = ORIGINAL,
    domain: str = "relay.test",
    kind: report.Kind = report.Kind.FAILED,
) -> bytes:
    return report.delivery_report(
        reporting_domain=domain, to=SENDER, failed=failed, original=original, now=NOW, nonce="00ff00ff", kind=kind
    )


def parsed(failed: list[tuple[Address, Refusal]]) -> EmailMessage:
    message = BytesParser(policy=email.policy.default).parsebytes(made(failed))
    assert isinstance(message, EmailMessage)
    return message


BOTH = [(GONE, replies.NO_SUCH_USER), (FULL, replies.MAILBOX_FULL)]


def test_the_header_says_what_it_is() -> None:
    message = parsed(BOTH)
    assert message["From"] == "mailer-daemon@relay.test"
    assert message["To"] == "alialiali@relay.test"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["Message-ID"] == "<00ff00ff@relay.test>"
    assert message["Date"].datetime.timestamp() == NOW
    assert message["Subject"] is None
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"


def test_three_parts_of_which_the_second_is_for_machines() -> None:
    words, status, quoted = parsed(BOTH).iter_parts()
    assert words.get_content_type() == "text/plain"
    assert status.get_content_type() == "message/delivery-status"
    assert quoted.get_content_type() == "text/rfc822-headers"
    whole, *groups = status.iter_parts()
    assert whole["Reporting-MTA"] == "dns; relay.test"
    assert [(group["Final-Recipient"], group["Action"], group["Status"]) for group in groups] == [
        ("rfc822; nobodyhere@relay.test", "failed", "5.1.1"),
        ("rfc822; baharbaharbahar@relay.test", "failed", "5.2.2"),
    ]
    assert groups[1]["Diagnostic-Code"] == "smtp; 552 5.2.2 The mailbox is full"


def test_the_words_name_everybody_in_both_languages() -> None:
    words = next(parsed(BOTH).iter_parts()).get_content()
    persian, _, english = words.partition("This message")
    for address in (GONE, FULL):
        assert str(address) in persian
        assert str(address) in english
    assert "چنین کاربری اینجا نیست" in persian
    assert "There is no such user" in english
    assert "The other recipients have it." in english


def test_a_reason_without_a_persian_text_is_left_out_there() -> None:
    words = next(parsed([(GONE, replies.INTERNAL_ERROR)]).iter_parts()).get_content()
    assert words.count(replies.INTERNAL_ERROR.text) == 1
    assert words.count(str(GONE)) == 2


def test_every_reason_that_persian_knows_is_a_reply_of_ours() -> None:
    known = {value for value in vars(replies).values() if isinstance(value, Refusal)}
    assert set(report._PERSIAN) <= known


def test_the_third_part_leads_to_the_message() -> None:
    original, _ = split_message(ORIGINAL)
    quoted = list(parsed(BOTH).iter_parts())[2].get_payload()
    assert header_values(original, "message-id")[0] in quoted
    assert "PGP MESSAGE" not in quoted


def test_the_third_part_has_only_what_identifies_the_message() -> None:
    secret = b"X-Secret: yes\r\nReceived: from 192.0.2.1\r\n"
    assert b"X-Secret" not in made(BOTH, secret + ORIGINAL)
    assert b"192.0.2.1" not in made(BOTH, secret + ORIGINAL)


def test_an_unreadable_original_does_not_prevent_the_report() -> None:
    assert b"Final-Recipient: rfc822; nobodyhere@relay.test" in made(BOTH, b"no header")


@pytest.mark.parametrize("domain", ["relay.test", "[192.0.2.7]", "k7f3q9d2.razdar.alt"])
def test_another_relay_lets_the_report_through(domain: str) -> None:
    assert require_encryption(made(BOTH, domain=domain), is_incoming=True) == ACCEPT


def test_crlf_only() -> None:
    whole = made(BOTH)
    assert whole.count(b"\r\n") == whole.count(b"\r") == whole.count(b"\n")


def test_recipients_that_are_no_addresses_are_named_as_they_were_written() -> None:
    """RFC 6533 section 3: the status part stays in seven bits."""
    unfit = [undeliverable(text) for text in ("بهرام@relay.test", "no-address", 'a"b c@x')]
    written = made([(address, replies.BAD_RECIPIENT_ADDRESS) for address in unfit if address is not None])
    status = written.split(b"Content-Type: message/delivery-status")[1].split(b"--report")[0]
    assert status.isascii()
    assert rb"Final-Recipient: utf-8; \x{628}\x{647}\x{631}\x{627}\x{645}@relay.test" in status
    assert b"Final-Recipient: rfc822; no-address\r\n" in status
    assert "بهرام@relay.test\r\n".encode() in written
    assert [undeliverable(text) for text in ("", "a\rb@x", "a\0", "a\u2028b", "x" * 400)] == [None] * 5


def test_a_delay_is_no_failure() -> None:
    """The core takes `failed` in exactly these letters for a failure (docs/interop.md); RFC 3464 section 2.3.3 has `delayed`."""
    message = made([(GONE, replies.STILL_TRYING)], kind=report.Kind.DELAYED)
    assert b"\r\nAction: delayed\r\nStatus: 4.4.7\r\n" in message
    assert "لازم نیست کاری بکنید؛ رله آن را نگه می‌دارد".encode() in message
    assert b"failed" not in message.split(b"rfc822-headers")[0]


def test_a_late_failure_says_nothing_of_others() -> None:
    message = made([(GONE, replies.NOT_IN_TIME)], kind=report.Kind.FAILED_LATER)
    assert "رلهٔ گیرنده مدت درازی در دسترس نبود".encode() in message
    assert b"\r\nAction: failed\r\n" in message
    assert b"other recipients" not in message
    assert b"\r\n\r\n\r\n" not in message
