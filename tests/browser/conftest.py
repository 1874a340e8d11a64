# SPDX-License-Identifier: AGPL-3.0-or-later
"""A browser for the tests of this folder: Debian's chromium, driven by Playwright. Without either they are skipped and say why."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from tests.browser.stage import Stage, staged

CHROMIUM = shutil.which("chromium")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if "/tests/browser/" in str(item.path)]
    why = "" if CHROMIUM else "no chromium on this machine (apt install chromium): no page was looked at in a browser"
    try:
        import playwright  # noqa: F401 - only whether it is there
    except ImportError:
        why = why or "Playwright is not installed: it comes with ./razdar test where there is a chromium (requirements-browser.lock)"
    for item in here:
        item.add_marker(pytest.mark.slow)
        if why:
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """One browser for all tests of a file; each takes a context of its own.

    It ends with the file: Playwright keeps an event loop running in the main thread, in which no test of others could run its own.
    """
    from playwright.sync_api import sync_playwright

    # As root chromium cannot have its sandbox; what it shows here is our own.
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def stage(chromium: Any) -> Iterator[Stage]:
    """Where the pages are shown; it closes before the browser does."""
    with staged() as stage:
        yield stage


@pytest.fixture(scope="session")
def axe() -> str:
    """The accessibility checker, as a script."""
    from importlib.resources import files

    return files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
