# SPDX-License-Identifier: AGPL-3.0-or-later
"""LIST wildcards (RFC 3501 section 6.3.8)."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from razdar.wire.imap.list_match import matches


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("*", "INBOX", True),
        ("%", "a/b", False),
        ("%/%", "a/b", True),
        ("a*", "a/b/c", True),
        ("inb%", "INBOX", True),
        ("Sent", "sent", False),
        ("", "", True),
        ("", "a", False),
        ("a%b", "a/b", False),
        ("*b", "a/b", True),
        ("پی*", "پیام", True),
        ("a%*%b", "a/x/b", True),
        ("%%%", "a/b", False),
        ("abc", "ab", False),
    ],
)
def test_matches(pattern: str, name: str, expected: bool) -> None:
    assert matches(pattern, name) is expected


@given(st.text("ab/*%", max_size=8), st.text("ab/", max_size=12))
def test_as_a_regular_expression_would(pattern: str, name: str) -> None:
    expression = "".join({"*": ".*", "%": "[^/]*"}.get(char, re.escape(char)) for char in pattern)
    assert matches(pattern, name) is (re.fullmatch(expression, name) is not None)


def test_nothing_to_backtrack() -> None:
    """VECTORS "LIST wildcards"."""
    began = time.perf_counter()
    assert not matches("*a%" * 333, "a/" * 500)
    assert time.perf_counter() - began < 0.2
