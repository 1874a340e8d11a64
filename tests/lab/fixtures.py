# SPDX-License-Identifier: AGPL-3.0-or-later
"""Fixtures: a core, a relay of ours, a scripted relay. Each test gets fresh ones; folders are pytest's temporary ones."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.lab.client import Core, running_core
from tests.lab.namespace import Names, own_names, require_namespace
from tests.lab.relay import Relay
from tests.lab.scripted import ScriptedRelay, scripted_relay


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    """A Delta Chat core without profiles."""
    with running_core(tmp_path / "core") as running:
        yield running


@pytest.fixture
def relay_factory(tmp_path: Path) -> Iterator[Callable[..., Relay]]:
    """Starts relays; `relay_factory(domain=…, bind=…, ports=…, settings=…)`. All end with the test, and must end cleanly."""
    with ExitStack() as running:

        def start(**options: object) -> Relay:
            folder = tmp_path / f"relay{len(running._exit_callbacks)}"  # type: ignore[attr-defined]
            return running.enter_context(Relay(folder, **options))  # type: ignore[arg-type]

        yield start


@pytest.fixture
def relay(relay_factory: Callable[..., Relay]) -> Relay:
    """A relay on free loopback ports with a name for life, as a newcomer has it."""
    return relay_factory()


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[ScriptedRelay]:
    """A relay that answers as the test says."""
    with scripted_relay(tmp_path) as running:
        yield running


@pytest.fixture
def names(tmp_path: Path) -> Iterator[Names]:
    """A hosts file of our own; needs the namespace."""
    require_namespace()
    with own_names(tmp_path) as hosts:
        yield hosts
