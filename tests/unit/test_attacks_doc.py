# SPDX-License-Identifier: AGPL-3.0-or-later
"""docs/attacks.md names only tests that exist."""

import re

from razdar.environment import CHECKOUT

_TEXT = (CHECKOUT / "docs/attacks.md").read_text(encoding="utf-8")
_FILE = re.compile(r"`(tests/[\w/]+\.(?:py|txt))`(?:: ((?:`\w+`(?:, )?)+))?")


def test_every_named_test_exists() -> None:
    named = 0
    for path, names in _FILE.findall(_TEXT):
        source = (CHECKOUT / path).read_text(encoding="utf-8")
        for name in re.findall(r"\w+", names):
            assert re.search(rf"^(?:async )?def {name}\(", source, re.MULTILINE), f"{path} has no {name}"
            named += 1
    assert named > 100
    assert named == len(re.findall(r"`test_\w+`", _TEXT)), "a test is named without its file"


def test_every_attack_has_a_test_or_says_why_not() -> None:
    rows = [line for line in _TEXT.splitlines() if line.startswith("| ") and not line.startswith(("| attack", "| ---"))]
    assert len(rows) > 40
    assert all("`tests/" in row or "comes with federation" in row for row in rows)
