# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the real client makes of the reports about mail for other relays, in the very words that this relay writes."""

import pytest
from tests.interop.test_client_facts import message_id, people, salam
from tests.lab.client import Core
from tests.lab.scripted import DOMAIN, ScriptedRelay

from razdar.model.address import Address
from razdar.model.verdict import Refusal
from razdar.wire.report import Kind, delivery_report
from razdar.wire.smtp import replies

pytestmark = [pytest.mark.client, pytest.mark.slow]


def report(original: bytes, refusal: Refusal, kind: Kind, nonce: str) -> bytes:
    failed = [(Address("baharbaharbahar", "other.example"), refusal)]
    sender = Address("alialiali", DOMAIN)
    return delivery_report(reporting_domain=DOMAIN, to=sender, failed=failed, original=original, now=1_790_000_000, nonce=nonce, kind=kind)


def test_a_delay_changes_nothing_and_a_late_failure_is_shown_where_reports_are_read(core: Core, scripted: ScriptedRelay) -> None:
    """With force_encryption off; with it on, the default, neither is looked at (docs/interop.md, fact 1)."""
    ali, bahar = people(core, scripted, "ali", "bahar")
    ali.account.set_config("force_encryption", "0")
    message, mail = salam(scripted, ali, bahar)
    assert message_id(mail)
    scripted.put("alialiali", report(mail, replies.STILL_TRYING, Kind.DELAYED, "aa"))
    ali.until(lambda: scripted.count("UID STORE 1 +FLAGS (\\Seen)") or None)
    assert message.get_snapshot().error is None
    scripted.put("alialiali", report(mail, replies.NOT_IN_TIME, Kind.FAILED_LATER, "bb"))
    words = ali.failed(message)
    assert words.startswith("این پیام به این نشانی‌ها نرسید")
    assert "رلهٔ گیرنده مدت درازی در دسترس نبود" in words
    assert "The other relay could not be reached for too long" in words


def test_a_secure_join_header_does_not_make_a_report_readable(core: Core, scripted: ScriptedRelay) -> None:
    """The one kind of mail in clear that the client looks at by default; the header alone is not enough."""
    ali, bahar = people(core, scripted, "ali", "bahar")
    message, mail = salam(scripted, ali, bahar)
    late = report(mail, replies.NOT_IN_TIME, Kind.FAILED_LATER, "aa")
    scripted.put("alialiali", late.replace(b"MIME-Version", b"Secure-Join: report\r\nMIME-Version", 1))
    ali.event("ImapMessageDeleted")
    assert message.get_snapshot().error is None
