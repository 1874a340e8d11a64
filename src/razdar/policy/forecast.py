# SPDX-License-Identifier: AGPL-3.0-or-later
"""When something that shrinks will be used up, if it goes on as it did lately: a straight line through what was measured.

A straight line is all that a week of measurements supports; the answer is rounded by whoever shows it and is no promise.
"""

from collections.abc import Sequence
from statistics import StatisticsError, linear_regression

HOURS_NEEDED = 24
"""Less than a day says nothing: nights differ from days."""
HOURS_LOOKED_AT = 7 * 24
HORIZON_DAYS = 365


def days_left(measured: Sequence[tuple[int, int]]) -> int | None:
    """Whole days until nothing is left, from pairs of hour and what was left then, in their order.

    None: too little was measured, it does not shrink, or it lasts for more than a year.
    """
    if not measured:
        return None
    last_hour, left = measured[-1]
    recent = [(hour, value) for hour, value in measured if last_hour - hour < HOURS_LOOKED_AT]
    if last_hour - recent[0][0] < HOURS_NEEDED - 1:
        return None
    try:
        slope = linear_regression([hour for hour, _ in recent], [value for _, value in recent]).slope
    except StatisticsError:
        return None
    days = int(left / -slope / 24) if slope < 0 else HORIZON_DAYS + 1
    return days if days <= HORIZON_DAYS else None
