# SPDX-License-Identifier: AGPL-3.0-or-later
"""How long things stay, in relay days, and what the stored day tells."""

import pytest

from razdar.policy.metadata import server_metadata
from razdar.policy.retention import ACCOUNT_STEP_DAYS, account_expiry, entry_expiry, message_expiry
from razdar.settings import Settings

SETTINGS = Settings()


def test_messages_stay_their_whole_time() -> None:
    """`expires <= day` means gone (ports/store.py): 20 whole days lie between the end of day 5 and the beginning of day 26."""
    assert message_expiry(5, 3000, SETTINGS) == 26
    assert message_expiry(5, 199_999, SETTINGS) == 26
    assert message_expiry(5, 200_000, SETTINGS) == 13


@pytest.mark.parametrize("settings", [SETTINGS, Settings(keep_days=3, keep_large_days=9)])
def test_the_day_of_an_entry_does_not_tell_a_large_message(settings: Settings) -> None:
    """A day of their own would show who shares a large message (tests/linkage); and no entry goes before its body."""
    days = {message_expiry(5, size_bytes, settings) for size_bytes in (3000, 200_000)}
    assert entry_expiry(5, settings) == max(days)


def test_the_time_is_a_setting() -> None:
    settings = Settings(keep_days=1, keep_large_days=2, large_bytes=10)
    assert message_expiry(1, 9, settings) == 3
    assert message_expiry(1, 10, settings) == 4


@pytest.mark.parametrize("day", range(1, 60))
def test_accounts_stay_their_whole_time_and_at_most_a_step_longer(day: int) -> None:
    assert 90 < account_expiry(day, SETTINGS) - day <= 90 + ACCOUNT_STEP_DAYS


def test_the_stored_day_tells_the_last_login_to_ten_days() -> None:
    days = [account_expiry(day, SETTINGS) for day in range(1, 101)]
    assert {days.count(day) for day in days[9:-10]} == {10}
    assert all(day % ACCOUNT_STEP_DAYS == 0 for day in days)


def test_metadata_says_only_what_is_configured() -> None:
    assert server_metadata(SETTINGS) == {"/shared/vendor/deltachat/maxsmtprecipients": "1000"}
    settings = Settings(operator="A school", contact="mailto:a@b.test", turn="t.test:3478:1:x", iroh_relay="https://i.test", recipients=7)
    assert server_metadata(settings) == {
        "/shared/comment": "A school",
        "/shared/admin": "mailto:a@b.test",
        "/shared/vendor/deltachat/maxsmtprecipients": "7",
        "/shared/vendor/deltachat/turn": "t.test:3478:1:x",
        "/shared/vendor/deltachat/irohrelay": "https://i.test",
    }
