# SPDX-License-Identifier: AGPL-3.0-or-later
"""Delivery reports in this relay's name (services/reporter.py); what stands in them is tests/unit/test_report.py's."""

from collections.abc import Iterator
from email import message_from_bytes
from email.utils import parsedate_to_datetime

import pytest
from tests.mail.make import encrypted_message
from tests.service_world import DOMAIN, FakeClock, address

from razdar.services.reporter import Reporter
from razdar.wire.report import Kind
from razdar.wire.smtp import replies

SENDER = address("anna12345")
FAILED = [(address("boris1234"), replies.NO_SUCH_USER)]
ORIGINAL = encrypted_message(str(SENDER), ["boris1234@relay.example"])


@pytest.fixture
def reporter() -> Reporter:
    numbers: Iterator[int] = iter(range(1, 10))
    return Reporter(DOMAIN, FakeClock(), lambda size: next(numbers).to_bytes(size, "big"))


def test_it_is_from_this_relay_and_of_this_moment(reporter: Reporter) -> None:
    report = message_from_bytes(reporter(SENDER, FAILED, ORIGINAL))
    assert str(report["From"]).endswith(f"@{DOMAIN}>")
    assert report["To"] == f"<{SENDER}>"
    assert parsedate_to_datetime(report["Date"]).timestamp() == reporter.clock.now()


def test_each_has_96_random_bits_of_its_own(reporter: Reporter) -> None:
    first, second = (message_from_bytes(reporter(SENDER, FAILED, ORIGINAL))["Message-ID"] for _ in range(2))
    assert (first, second) == (f"<{1:024x}@{DOMAIN}>", f"<{2:024x}@{DOMAIN}>")


def test_it_fails_unless_told_otherwise(reporter: Reporter) -> None:
    assert b"Action: failed" in reporter(SENDER, FAILED, ORIGINAL)
    assert b"Action: delayed" in reporter(SENDER, FAILED, ORIGINAL, Kind.DELAYED)
