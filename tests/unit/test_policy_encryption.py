# SPDX-License-Identifier: AGPL-3.0-or-later
"""The encryption gate on whole messages: the corpus, and the shapes that a client may legally give its mail."""

from pathlib import Path

import pytest
from tests.mail import make

from razdar.model.verdict import ACCEPT
from razdar.policy.encryption import require_encryption
from razdar.wire.smtp.replies import MALFORMED_MESSAGE, UNENCRYPTED

CORPUS = Path(__file__).parent.parent / "mail"
SENDER, RECIPIENT = "alialiali@relay.test", "baharbaharbahar@relay.test"


def named(folder: str) -> list[object]:
    files = sorted((CORPUS / folder).glob("*.eml"))
    assert files, "the corpus is missing"
    return [pytest.param(path, id=path.stem) for path in files]


@pytest.mark.parametrize("path", named("accepted"))
def test_what_the_real_client_sends_passes(path: Path) -> None:
    assert require_encryption(path.read_bytes()) == ACCEPT
    assert require_encryption(path.read_bytes(), is_incoming=True) == ACCEPT


@pytest.mark.parametrize("path", named("refused"))
def test_what_anybody_could_read_does_not_pass(path: Path) -> None:
    assert require_encryption(path.read_bytes()) == UNENCRYPTED
    assert require_encryption(path.read_bytes(), is_incoming=True) == UNENCRYPTED


@pytest.mark.parametrize("path", named("incoming"))
def test_what_only_other_relays_may_send(path: Path) -> None:
    assert require_encryption(path.read_bytes()) == UNENCRYPTED
    assert require_encryption(path.read_bytes(), is_incoming=True) == ACCEPT


def test_the_refusal_has_the_words_that_the_client_looks_for() -> None:
    assert UNENCRYPTED.code == 523
    assert "Invalid Unencrypted Mail" in UNENCRYPTED.text


@pytest.mark.parametrize("size_bytes", [1000, 3000, 139_000, 2_000_000])
@pytest.mark.parametrize("readers", [1, 20, 1000])
def test_made_messages_of_every_size_pass(size_bytes: int, readers: int) -> None:
    message = make.encrypted_message(SENDER, [RECIPIENT] * readers, size_bytes, seed=readers)
    assert require_encryption(message) == ACCEPT
    assert abs(len(message) - size_bytes) < 300


def bend(old: bytes, new: bytes) -> bytes:
    message = make.encrypted_message(SENDER, [RECIPIENT])
    assert old in message
    return message.replace(old, new)


@pytest.mark.parametrize(
    "message",
    [
        bend(b"multipart/encrypted", b"Multipart/ENCRYPTED"),
        bend(b"Content-Type:", b"content-type:"),
        bend(b'; charset="utf-8"', b""),
        bend(b"Content-Transfer-Encoding: 7bit\r\n", b""),
        bend(b"Content-Transfer-Encoding: 7bit", b"Content-Transfer-Encoding: 8BIT"),
        bend(b"Content-Transfer-Encoding: 7bit", b"Content-Description: OpenPGP encrypted message"),
        bend(b"Version: 1\r\n\r\n", b"Version: 1\r\n"),
        bend(b"Version: 1\r\n", b"\r\n  Version: 1 \r\n\r\n"),
        bend(b"=YKqo\r\n", b""),
        bend(b"MESSAGE-----\r\n\r\n--", b"MESSAGE-----\r\n--"),
        make.encrypted_message(SENDER, [RECIPIENT])[:-2],
        make.encrypted_message(SENDER, [RECIPIENT])[:-2] + b" \t\r\n\r\n \r\n",
    ],
)
def test_the_freedoms_that_rfc_2046_and_3156_give(message: bytes) -> None:
    assert require_encryption(message) == ACCEPT


@pytest.mark.parametrize("word", ["vc-request", "vg-request"])
def test_secure_join_requests_of_older_apps_pass(word: str) -> None:
    request = make.secure_join_request(SENDER, RECIPIENT, word)
    assert require_encryption(request) == ACCEPT
    assert require_encryption(request.replace(b"\r\n\r\nSecure-Join: v", b"\r\n\r\n  SECURE-JOIN: V")) == ACCEPT


def test_a_secure_join_request_without_multipart_passes() -> None:
    plain = make.plain_message(SENDER, RECIPIENT, "secure-join: vc-request")
    assert require_encryption(b"Secure-Join: vc-request\r\n" + plain) == ACCEPT
    assert require_encryption(plain) == UNENCRYPTED


def test_a_secure_join_header_does_not_harm_an_encrypted_message() -> None:
    assert require_encryption(b"Secure-Join: vc-request\r\n" + make.encrypted_message(SENDER, [RECIPIENT])) == ACCEPT


def test_reports_by_postfix_name_their_sender_in_a_comment() -> None:
    report = (CORPUS / "incoming" / "delivery-report.eml").read_bytes()
    written = report.replace(b"<MAILER-DAEMON@elsewhere.test>", b"MAILER-DAEMON@elsewhere.test (Mail Delivery System)")
    assert written != report
    assert require_encryption(written, is_incoming=True) == ACCEPT


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"MAILER-DAEMON@", b"somebody@"),
        (b"From: ", b"From: <friend@elsewhere.test>, "),
        (b"Auto-Submitted: auto-replied\r\n", b""),
        (b"multipart/report", b"multipart/mixed"),
    ],
)
def test_a_report_needs_all_its_marks(old: bytes, new: bytes) -> None:
    report = (CORPUS / "incoming" / "delivery-report.eml").read_bytes()
    assert old in report
    assert require_encryption(report.replace(old, new), is_incoming=True) == UNENCRYPTED


def test_a_message_without_a_readable_header_is_malformed() -> None:
    assert require_encryption(b"") == MALFORMED_MESSAGE
    assert require_encryption(b"hello") == MALFORMED_MESSAGE
    assert require_encryption(make.encrypted_message(SENDER, [RECIPIENT]), header_bytes=200) == MALFORMED_MESSAGE
