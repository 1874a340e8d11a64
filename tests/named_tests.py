# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tests that a document names: `tests/unit/test_x.py` in backticks, and behind a colon the functions of it that are meant, each in
backticks as well. Transcripts are named by their file alone.
"""

import re

from razdar.environment import CHECKOUT

_NAMED = re.compile(r"`(tests/[\w/]+\.(?:py|txt))`(?:: ((?:`\w+`(?:, )?)+))?")


def named_tests(text: str) -> list[tuple[str, list[str]]]:
    """Files, each with the functions that are named behind it."""
    return [(path, re.findall(r"\w+", names)) for path, names in _NAMED.findall(text)]


def check_named_tests(text: str) -> int:
    """Every file that is named exists and has what is named behind it; no test is named without its file. Returns how many are named."""
    named = named_tests(text)
    for path, names in named:
        source = (CHECKOUT / path).read_text(encoding="utf-8")
        for name in names:
            assert re.search(rf"^(?:async )?def {name}\(", source, re.MULTILINE), f"{path} has no {name}"
    count = sum(len(names) for _, names in named)
    assert count == len(re.findall(r"`test_\w+`", text)), "a test is named without its file"
    return count
