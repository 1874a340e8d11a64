# SPDX-License-Identifier: AGPL-3.0-or-later
"""docs/federation.md names only tests that exist."""

import re

from razdar.environment import CHECKOUT

_TEXT = (CHECKOUT / "docs/federation.md").read_text(encoding="utf-8")
_FILE = re.compile(r"`(tests/[\w/]+\.(?:py|txt))`(?:: ((?:`\w+`(?:, )?)+))?")


def test_every_named_test_exists() -> None:
    named = 0
    for path, names in _FILE.findall(_TEXT):
        source = (CHECKOUT / path).read_text(encoding="utf-8")
        for name in re.findall(r"\w+", names):
            assert re.search(rf"^ *(?:async )?def {name}\(", source, re.MULTILINE), f"{path} has no {name}"
            named += 1
    assert named == len(re.findall(r"`test_\w+`", _TEXT)), "a test is named without its file"


def test_every_rule_has_a_reason_or_a_test() -> None:
    rows = [line.split(" | ") for line in _TEXT.splitlines() if line.startswith("| ") and not line.startswith(("| rule", "| ---"))]
    assert len(rows) > 30
    assert all(row[1].strip() or "`tests/" in row[-1] for row in rows)


def test_links_lead_somewhere() -> None:
    assert all((CHECKOUT / "docs" / target).exists() for target in re.findall(r"\]\(([^)#:]+)\)", _TEXT))
