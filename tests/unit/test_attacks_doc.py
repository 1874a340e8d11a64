# SPDX-License-Identifier: AGPL-3.0-or-later
"""docs/attacks.md names only tests that exist, and one for every attack."""

from tests.named_tests import check_named_tests, named_tests

from razdar.environment import CHECKOUT

_TEXT = (CHECKOUT / "docs/attacks.md").read_text(encoding="utf-8")


def test_every_named_test_exists() -> None:
    assert check_named_tests(_TEXT) > 100


def test_every_attack_has_a_test() -> None:
    rows = [line for line in _TEXT.splitlines() if line.startswith("| ") and not line.startswith(("| attack", "| ---"))]
    assert len(rows) > 40
    assert [row for row in rows if not named_tests(row)] == []
