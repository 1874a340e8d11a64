# SPDX-License-Identifier: AGPL-3.0-or-later
"""`./razdar check`: what is wrong with the machine or the relay's folder, and how to mend it."""

import argparse
import datetime
import json
import re
from collections.abc import Sequence

from razdar.checkup import Finding, Level, examine
from razdar.cli.given import run_config
from razdar.cli.terminal import persian_digits, say

_MARKS = {Level.FINE: "✓", Level.NOTE: "!", Level.WRONG: "✗"}
_NAMES = {
    "data": "پوشهٔ داده‌ها",
    "ports": "درگاه‌ها",
    "certificate": "گواهی",
    "clock": "ساعت",
    "disk": "دیسک",
    "limits": "محدودیت‌ها",
    "versions": "نسخه‌ها",
}


def run(arguments: argparse.Namespace) -> int:
    """0 if nothing is wrong; notes do not count."""
    findings = examine(run_config(arguments), datetime.datetime.now(datetime.UTC))
    is_sound = all(finding.level is not Level.WRONG for finding in findings)
    if arguments.json:
        _say_json(findings, is_sound=is_sound)
    else:
        _say_words(findings, is_sound=is_sound)
    return 0 if is_sound else 1


def _say_words(findings: Sequence[Finding], *, is_sound: bool) -> None:
    for finding in findings:
        say(
            f"{_MARKS[finding.level]} {_NAMES[finding.about]}: {_read_aloud(finding.persian)}",
            f"  {finding.about}: {finding.english}",
        )
    say("", *_SOUND if is_sound else _UNSOUND)


def _read_aloud(text: str) -> str:
    """Numbers in Persian digits; commands (between two left-to-right marks), dates, versions and what is English as they are."""
    parts = text.split(_MARK)
    return _MARK.join(part if at % 2 else _NUMBER.sub(_persian_number, part) for at, part in enumerate(parts))


def _persian_number(match: re.Match[str]) -> str:
    return persian_digits(match[0]).replace(".", "٫")


_MARK = "\u200e"
_NUMBER = re.compile(r"(?<![\w./:-])(?<![A-Za-z] )\d+(?:\.\d+)?(?![\w/:-]|\.\d| [A-Za-z])")
_SOUND = ("چیزی نیست که جلوی کار رله را بگیرد.", "Nothing is in the relay's way.")
_UNSOUND = ("آنچه با ✗ آمده باید درست شود.", "What is marked ✗ must be mended.")


def _say_json(findings: Sequence[Finding], *, is_sound: bool) -> None:
    records = [{"about": each.about, "level": each.level.value, "fa": each.persian, "en": each.english} for each in findings]
    say(json.dumps({"sound": is_sound, "findings": records}, indent=2, ensure_ascii=False))
