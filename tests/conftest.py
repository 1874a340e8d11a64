# SPDX-License-Identifier: AGPL-3.0-or-later
"""What holds for every test: coroutines run in asyncio; what needs a namespace of its own is skipped, with a word, where there is none."""

import os

import pytest

_WORD = "needs a network namespace of its own: run it with ./razdar test, on a system that allows user namespaces"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--overload-seconds", type=float, default=30, help="how long tests/integration/test_overload.py keeps the load up")
    parser.addoption("--federation-messages", type=int, default=300, help="how many tests/integration/test_federation_kill.py sends")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("RAZDAR_NAMESPACE"):
        return
    for item in items:
        if item.get_closest_marker("namespace"):
            item.add_marker(pytest.mark.skip(reason=_WORD))


@pytest.fixture
def anyio_backend() -> str:
    """For tests with `pytest.mark.anyio`; not trio too."""
    return "asyncio"
