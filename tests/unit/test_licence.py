# SPDX-License-Identifier: AGPL-3.0-or-later
"""Each source file names its licence in one line, at the top or below `#!` (https://spdx.dev/learn/handling-license-info/)."""

from pathlib import Path

import pytest

from razdar.environment import CHECKOUT

_LINE = "SPDX-License-Identifier: AGPL-3.0-or-later"
_SCRIPTS = ("razdar", ".ci/lock", ".ci/run", "packaging/copy-certificate", "packaging/razdar.service")
_FILES = [CHECKOUT / name for name in _SCRIPTS]
for _folder in ("src", "tests", "bench"):
    _FILES += [path for kind in ("py", "js", "css") for path in (CHECKOUT / _folder).rglob(f"*.{kind}")]


def _top(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((line for line in lines if not line.startswith("#!")), "")


def test_every_source_file_names_the_licence() -> None:
    assert len(_FILES) > 400
    assert [str(path.relative_to(CHECKOUT)) for path in _FILES if _top(path).strip("/*# ") != _LINE] == []


@pytest.mark.parametrize("name", ["pyproject.toml", "README.md", "README.fa.md"])
def test_the_same_licence_is_named_everywhere(name: str) -> None:
    assert "AGPL-3.0-or-later" in (CHECKOUT / name).read_text(encoding="utf-8")
