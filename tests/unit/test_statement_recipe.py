# SPDX-License-Identifier: AGPL-3.0-or-later
"""The lines of docs/console.md by which anybody checks the signed number of blocks, run as they stand, with sh, jq and OpenSSL 3."""

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from razdar.environment import CHECKOUT
from razdar.wire.statement import Statement

MISSING = [tool for tool in ("jq", "openssl") if shutil.which(tool) is None]
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def recipe() -> str:
    """The block of lines in which openssl is called."""
    blocks = re.findall(r"```\n(.*?)```", (CHECKOUT / "docs/console.md").read_text("utf-8"), re.DOTALL)
    (found,) = [block for block in blocks if "openssl" in block]
    return str(found)


def check(folder: Path, blocks: int, signed: int) -> subprocess.CompletedProcess[str]:
    """What the lines say of a statement about so many blocks whose signature is for another number."""
    text, told = (Statement("relay.example", number, "2026-11-21").text() for number in (blocks, signed))
    parts = {"signature": KEY.sign(told.encode()), "key": KEY.public_key().public_bytes_raw()}
    answer = {"statement": text} | {name: base64.b64encode(content).decode() for name, content in parts.items()}
    (folder / "status.json").write_text(json.dumps({"blocks": answer}))
    return subprocess.run(["sh", "-e", "-c", recipe()], cwd=folder, capture_output=True, text=True, check=False, timeout=30)


@pytest.mark.skipif(bool(MISSING), reason=f"not on this machine: {', '.join(MISSING)}")
def test_the_recipe_believes_the_relay_and_nobody_else(tmp_path: Path) -> None:
    right = check(tmp_path, 3, 3)
    assert (right.returncode, "Signature Verified Successfully" in right.stdout) == (0, True), right.stderr
    assert check(tmp_path, 2, 3).returncode != 0
