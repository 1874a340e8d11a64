"""Every test of the contract runs against every store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from razdar.adapters.memory import MemoryStore
from razdar.adapters.sqlite import open_store
from razdar.ports.store import Store


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    opened: Store
    opened = MemoryStore() if request.param == "memory" else await open_store(tmp_path, reserve_bytes=65_536, wal_bytes=1_000_000)
    yield opened
    await opened.close()
