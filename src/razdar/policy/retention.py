# SPDX-License-Identifier: AGPL-3.0-or-later
"""When things go. Relay days count the days that the relay ran (ports/store.py), so neither a wrong clock nor a cut deletes anything early.

The day that is running when something arrives does not count: it may be over in a minute, and the published time is a promise.
"""

from razdar.settings import Settings

ACCOUNT_STEP_DAYS = 10
"""The day on which an account goes is stored in clear. Rounded up to this, it tells the last login to ten days and not to one."""


def message_expiry(day: int, size_bytes: int, settings: Settings) -> int:
    """Relay day on which a message of this size goes if nobody fetches it; its body is gone then."""
    return day + 1 + (settings.keep_large_days if size_bytes >= settings.large_bytes else settings.keep_days)


def entry_expiry(day: int, settings: Settings) -> int:
    """Relay day on which the entry of a message in a mailbox goes: the same for messages of every size.

    This day is stored in clear. If large messages had a shorter one, everybody with one on that day would be seen to share it; groups of
    thirty were found that way (tests/linkage). The body still goes early, and its entry is skipped from then on.
    """
    return day + 1 + max(settings.keep_days, settings.keep_large_days)


def account_expiry(day: int, settings: Settings) -> int:
    """Relay day on which an account that logs in today goes if nobody logs in again: a multiple of ACCOUNT_STEP_DAYS."""
    return -(-(day + 1 + settings.account_days) // ACCOUNT_STEP_DAYS) * ACCOUNT_STEP_DAYS
