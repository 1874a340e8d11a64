# SPDX-License-Identifier: AGPL-3.0-or-later
"""One relay for all conformance tests, and a fresh account for each."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.conformance.people import Person
from tests.lab.relay import Relay


@pytest.fixture(scope="session")
def imap_relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """A real relay process."""
    with Relay(tmp_path_factory.mktemp("conformance")) as relay:
        yield relay


@pytest.fixture
def person(imap_relay: Relay) -> Iterator[Person]:
    """Somebody nobody else knows; all clients close with the test."""
    with ExitStack() as stack:
        yield Person(imap_relay, stack)


@pytest.fixture
def stranger(imap_relay: Relay) -> Iterator[Person]:
    """Somebody else."""
    with ExitStack() as stack:
        yield Person(imap_relay, stack)
