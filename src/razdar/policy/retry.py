# SPDX-License-Identifier: AGPL-3.0-or-later
"""When another relay is tried again, and when a message that waits for it has waited long enough.

A relay that does not answer is tried after 30 seconds, then ever later up to an hour, each time a little earlier or later than the rule
says, so that a thousand relays that were cut off together do not all ring at the same moment when the cut ends. A sign of life brings the
next try forward; it does not make the intervals short again, because a relay that can speak but not listen shows many of them.

How long a message waits is counted in relay days (services/calendar.py), so a cut that we noticed costs it nothing.
"""

from dataclasses import dataclass, replace

from razdar.settings import Settings

FIRST_S = 30.0
LONGEST_S = 3_600.0
JITTER = 0.25
"""Part of an interval by which it may be shorter or longer."""
SIGN_PAUSE_S = 10.0
"""A sign of life does not bring a try within so much of the last one."""
DELAY_TOLD_S = 86_400
"""After so much waiting its sender hears of it, once."""
BREAKS = 2
"""A message that so often was what the line broke at steps aside for the others: it may be the cause."""
DEFERRED_IN_A_ROW = 3
"""When so many messages in a row are turned away for now, in whatever words, the relay means everything."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How the tries of one relay, or of one message, are spaced. Times are those of the monotonic clock."""

    failures: int = 0
    due_s: float = 0.0
    tried_s: float = float("-inf")

    def failed(self, now_s: float, chance: float) -> "Pace":
        """It was tried now and did not work. `chance` is uniform in 0 to 1."""
        return Pace(self.failures + 1, now_s + interval_s(self.failures + 1, chance), now_s)

    def sign(self, now_s: float) -> "Pace":
        """It is alive: the next try comes now, or `SIGN_PAUSE_S` after the last one."""
        return replace(self, due_s=min(self.due_s, max(now_s, self.tried_s + SIGN_PAUSE_S)))


RESTED = Pace()


def interval_s(failures: int, chance: float) -> float:
    """Seconds from the `failures`th failure to the next try."""
    longest = min(FIRST_S * float(1 << min(failures - 1, 16)), LONGEST_S)
    return longest * (1 - JITTER + 2 * JITTER * chance)


def keep_days(*, is_known: bool, is_gone: bool, settings: Settings) -> int:
    """Relay days that a message waits for a relay that cannot be reached.

    One that we have exchanged mail with is waited for long. When its name seems to have ended (`is_gone`), not as long, but it is waited
    for: in a cut DNS servers say that for names that exist. A name that nobody ever heard of and that does not exist is not waited for.
    """
    if is_gone:
        return settings.queue_days if is_known else 0
    return settings.queue_known_days if is_known else settings.queue_days


def is_over(queued_day: int, today: int, days: int) -> bool:
    """Whether the time of what was queued on `queued_day` is over; that day itself does not count."""
    return days == 0 or today >= queued_day + 1 + days
