# SPDX-License-Identifier: AGPL-3.0-or-later
"""`./razdar queue`: what waits for which other relay, how old it is and why it waits. No person's address is in it: none is asked for."""

import argparse
import json
from collections.abc import Mapping
from typing import Any

from razdar.cli.terminal import persian_digits, say
from razdar.servers.control import ask

REASONS = {
    "no-such-domain": ("چنین نامی در DNS نیست", "DNS knows no such name"),
    "no-mail-here": ("آن دامنه پیام نمی‌گیرد", "that domain takes no mail"),
    "ourselves": ("آن دامنه به همین رله برمی‌گردد", "that domain leads back to this relay"),
    "no-route": ("نشانی‌اش پیدا نمی‌شود", "its address cannot be found out"),
    "not-connected": ("پاسخی نمی‌دهد", "it does not answer"),
    "not-trusted": ("گواهی‌اش پذیرفتنی نیست", "its certificate cannot be trusted"),
    "no-tls": ("رمزگذاری ندارد", "it offers no encryption"),
    "broken-off": ("اتصال میانهٔ راه قطع شد", "the connection broke off"),
    "too-busy": ("اکنون چیزی نمی‌پذیرد", "it takes nothing at this moment"),
}
"""By the words of ports/courier.py, `Reason`."""
_UNTRIED = ("در نوبت است", "it is its turn soon")


def run(arguments: argparse.Namespace) -> int:
    """Two lines for each relay that something waits for, or all as JSON."""
    relays = ask(arguments.data, {"op": "queue"})["relays"]
    if arguments.json:
        say(json.dumps(relays, indent=2, ensure_ascii=False))
        return 0
    if not relays:
        say("چیزی منتظر رلهٔ دیگری نیست.", "Nothing waits for another relay.")
    for relay in relays:
        say(str(relay["relay"]), *_words(relay), "")
    return 0


def _words(relay: Mapping[str, Any]) -> tuple[str, str]:
    waiting, days = int(relay["waiting"]), int(relay["oldest_days"])
    persian, english = REASONS.get(str(relay["reason"]), _UNTRIED)
    persian_next, english_next = _next(relay["next_try_seconds"])
    return (
        persian_digits(f"  {waiting} پیام، کهنه‌ترینشان {days} روزه؛ {persian}؛ {persian_next}"),
        f"  {waiting} waiting, the oldest for {days} relay days; {english}; {english_next}",
    )


def _next(seconds: int | None) -> tuple[str, str]:
    if seconds is None:
        return "همین حالا فرستاده می‌شود", "being sent right now"
    minutes = -(-seconds // 60)
    return f"تلاش بعدی تا {minutes} دقیقهٔ دیگر", f"next try within {minutes} minutes"
