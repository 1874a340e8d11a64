# SPDX-License-Identifier: AGPL-3.0-or-later
"""docs/federation.md names only tests that exist."""

from tests.named_tests import check_named_tests

from razdar.environment import CHECKOUT

_TEXT = (CHECKOUT / "docs/federation.md").read_text(encoding="utf-8")


def test_every_named_test_exists() -> None:
    assert check_named_tests(_TEXT) > 100


def test_every_rule_has_a_reason_or_a_test() -> None:
    rows = [line.split(" | ") for line in _TEXT.splitlines() if line.startswith("| ") and not line.startswith(("| rule", "| ---"))]
    assert len(rows) > 30
    assert all(row[1].strip() or "`tests/" in row[-1] for row in rows)
