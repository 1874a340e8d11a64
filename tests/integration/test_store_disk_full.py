# SPDX-License-Identifier: AGPL-3.0-or-later
"""Disk full at commit (VECTORS, resources): refused, nothing half done, deleting works, and it recovers by itself.

Two tests have a small file system of their own, in a user and mount namespace.
"""

import functools
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.integration.store_program import ENVIRONMENT, PROGRAM

IN_A_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec"]
SMALL_DISK = 'mount -t tmpfs -o size=6m tmpfs "$1"; shift; exec "$@"'


@functools.cache
def may_mount() -> bool:
    try:
        return subprocess.run([*IN_A_NAMESPACE, "mount -t tmpfs tmpfs /mnt"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def on_a_small_disk(what: str, folder: Path) -> Any:
    if not may_mount():
        pytest.skip("mounting in a user namespace is not allowed here")
    command = [*IN_A_NAMESPACE, SMALL_DISK, "sh", str(folder), *PROGRAM, what, str(folder)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60, env=ENVIRONMENT).stdout)


@pytest.mark.slow
def test_filled_by_deliveries(tmp_path: Path) -> None:
    facts = on_a_small_disk("fill", tmp_path)
    assert facts.pop("delivered") > 300
    assert facts.pop("next_delivery") == "StoreFull"
    assert [name for name, is_so in facts.items() if not is_so] == []


@pytest.mark.slow
def test_filled_by_somebody_else(tmp_path: Path) -> None:
    facts = on_a_small_disk("crowd", tmp_path)
    assert facts == {"large_delivery": "StoreFull", "whole_when_full": True, "removal": "done", "recovers": True}


@pytest.mark.slow
def test_a_write_that_fails_for_another_reason(tmp_path: Path) -> None:
    # RLIMIT_FSIZE: the log cannot grow although there is space.
    facts = json.loads(
        subprocess.run([*PROGRAM, "limit", str(tmp_path)], stdout=subprocess.PIPE, check=True, timeout=60, env=ENVIRONMENT).stdout
    )
    assert facts == {"large_delivery": "StoreUnavailable", "whole_after_failing": True, "recovers": True, "uids": [1, 2]}
