# SPDX-License-Identifier: AGPL-3.0-or-later
"""A delivery report is the one kind of mail in clear that comes in: nobody makes a letter, a page or a file of it."""

import pytest
from tests.mail import make
from tests.unit.test_policy_incoming import REPORT

from razdar.model.address import Address
from razdar.model.verdict import ACCEPT
from razdar.policy.encryption import require_encryption
from razdar.wire.report import Kind, delivery_report
from razdar.wire.smtp import replies

SENDER, RECIPIENT = "alialiali@relay.test", "baharbaharbahar@other.test"
END = b"--ABC/elsewhere.test--"
PART = b"--ABC/elsewhere.test\r\n"


def original() -> bytes:
    return b"Return-Path: <alialiali@relay.test>\r\nReceived: from x\r\n\tby y; today\r\n" + make.encrypted_message(SENDER, [RECIPIENT])


def bent(old: bytes, new: bytes) -> bytes:
    assert old in REPORT, "the test bends nothing"
    return REPORT.replace(old, new)


def passes(report: bytes) -> bool:
    return require_encryption(report, is_incoming=True) == ACCEPT


def as_postfix_writes_it() -> bytes:
    """bounce(8): a preamble, descriptions of the parts, and the message itself."""
    report = REPORT.replace(b"\r\n\r\n" + PART, b"\r\n\r\nThis is a MIME-encapsulated message.\r\n\r\n" + PART, 1)
    report = report.replace(b"Content-Type: text/plain", b"Content-Description: Notification\r\nContent-Type: text/plain; charset=us-ascii")
    report = report.replace(
        b"Content-Type: text/rfc822-headers\r\n\r\nMessage-ID: <1@localhost>\r\n", b"Content-Type: message/rfc822\r\n\r\n" + original()
    )
    assert b"message/rfc822\r\n\r\nReturn-Path" in report
    return report


def test_reports_as_relays_write_them_pass() -> None:
    assert passes(REPORT)
    assert passes(as_postfix_writes_it())


@pytest.mark.parametrize("kind", Kind)
def test_reports_of_our_own_make_pass_also_about_a_thousand_people(kind: Kind) -> None:
    failed = [(Address(f"somebody{number}", "other.test"), replies.NO_SUCH_USER) for number in range(1000)]
    for about in (failed, failed[:1]):
        report = delivery_report(
            reporting_domain="other.test", to=Address("ali", "relay.test"), failed=about, original=original(), now=1, nonce="ab", kind=kind
        )
        assert passes(report)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b"Content-Type: text/plain\r\n", b"Content-Type: text/html\r\n", id="a page"),
        pytest.param(b"Content-Type: text/plain\r\n", b"Content-Type: text/plain; name=a.apk\r\n", id="words that are a file"),
        pytest.param(
            b"Content-Type: text/plain\r\n",
            b"Content-Type: text/plain\r\nContent-Disposition: attachment\r\n",
            id="words that are attached",
        ),
        pytest.param(b"Content-Type: message/delivery-status", b"Content-Type: image/png", id="a picture for the status"),
        pytest.param(b"Action: failed", b"Nothing: failed", id="a status without an action"),
        pytest.param(b"Action: failed\r\n", b"Action: failed\r\nThis is a letter\r\n", id="words in the status"),
        pytest.param(
            b"Message-ID: <1@localhost>\r\n", b"Message-ID: <1@localhost>\r\n\r\nThis is a letter\r\n", id="words behind the fields"
        ),
        pytest.param(b"text/rfc822-headers", b"message/rfc822", id="a message that could not have left here"),
        pytest.param(b"text/rfc822-headers", b"application/zip", id="a file for the message"),
        pytest.param(END, PART + b"Content-Type: text/plain\r\n\r\nmore\r\n" + END, id="a fourth part"),
        pytest.param(END, END + b"\r\nmore", id="an epilogue"),
        pytest.param(END, b"", id="no end"),
        pytest.param(b"User unknown.", b"--ABC/elsewhere.testing\r\nUser unknown.", id="a line like the boundary"),
        pytest.param(b"\r\n\r\n" + PART, b"\r\n\r\n" + b"more " * 50 + b"\r\n" + PART, id="a long preamble"),
        pytest.param(b"report-type=delivery-status", b"report-type=disposition-notification", id="a read receipt"),
        pytest.param(b"Auto-Submitted:", b"Chat-Version: 1.0\r\nAuto-Submitted:", id="a field that apps go by"),
        pytest.param(b"Auto-Submitted:", b"Secure-Join: vc-request\r\nAuto-Submitted:", id="secure-join"),
        pytest.param(b"User unknown.", b"x" * 600_000, id="a book"),
    ],
)
def test_nothing_but_a_report_passes_for_one(old: bytes, new: bytes) -> None:
    assert not passes(bent(old, new))


def test_a_report_hides_nothing_in_the_message_that_it_gives_back() -> None:
    report = as_postfix_writes_it()
    kind = b"multipart/encrypted"
    assert kind in report
    assert not passes(report.replace(kind, b"multipart/mixed"))
    assert not passes(report.replace(b"Content-Type: message/rfc822", b"Content-Transfer-Encoding: base64\r\nContent-Type: message/rfc822"))
