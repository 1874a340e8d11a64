# SPDX-License-Identifier: AGPL-3.0-or-later
"""docs/limits.md has every limit once, with tests that exist."""

import re

import pytest
from tests.named_tests import check_named_tests, named_tests

from razdar.environment import CHECKOUT
from razdar.settings import limits

_TEXT = (CHECKOUT / "docs/limits.md").read_text(encoding="utf-8")
_ROWS = [line.split(" | ") for line in _TEXT.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
_TESTED = [row for row in _ROWS if not row[-1].startswith("test ")]


def test_every_limit_has_one_row_and_nothing_else_has() -> None:
    settings = _TEXT[_TEXT.index("## Settings") : _TEXT.index("## Constants")]
    named = [name for row in re.findall(r"^\| (`.*?`) \|", settings, re.MULTILINE) for name in re.findall(r"\w+", row)]
    assert sorted(named) == sorted(limits())


@pytest.mark.parametrize("row", _TESTED, ids=lambda row: re.sub(r"\W+", " ", row[0]).strip()[:40])
def test_every_named_test_exists(row: list[str]) -> None:
    assert any(path.endswith(".py") for path, _ in named_tests(row[-1])), "no test is named"
    check_named_tests(row[-1])
