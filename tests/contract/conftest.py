# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every test of the contract runs against every store."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from razdar.adapters.bus import LocalBus
from razdar.adapters.memory import MemoryStore
from razdar.adapters.sqlite import open_store
from razdar.ports.store import Store
from razdar.services.newcomers import Newcomers


@pytest.fixture(params=["memory", "sqlite", "newcomers"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    opened: Store = MemoryStore()
    if request.param == "sqlite":
        opened = await open_store(tmp_path, reserve_bytes=65_536, wal_bytes=1_000_000)
    elif request.param == "newcomers":
        opened = cast("Store", Newcomers(opened, LocalBus(), 1000, os.urandom))
    yield opened
    await opened.close()
