# SPDX-License-Identifier: AGPL-3.0-or-later
"""Our signatures before the verifier that Postfix relays run: opendkim, out of the packages that the chatmail peer of the tests is made of.

Skipped where these packages have not been unpacked yet (tests/lab/chatmail_peer).
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

from razdar.adapters.dkim_key import DkimKey
from razdar.environment import CHECKOUT
from razdar.services.dkim_signing import SELECTOR, signing

MAIL = Path(__file__).parent.parent / "mail"
PROGRAMS = sorted((CHECKOUT / "build/chatmail-peer").glob("*/usr/sbin/opendkim"), key=lambda path: path.stat().st_mtime)
pytestmark = pytest.mark.skipif(not PROGRAMS, reason="opendkim has not been unpacked")


def said(message: bytes, folder: Path) -> str:
    """What opendkim says of a message, with our key in place of DNS."""
    root = PROGRAMS[-1].parents[2]
    libraries = {str(path.parent) for path in root.rglob("*.so*")}
    key = DkimKey.load((MAIL / "dkim/key.pem").read_bytes())
    (folder / "keys").write_text(f"{SELECTOR}._domainkey.one.example {key.record().decode()}\n")
    (folder / "conf").write_text(f"Mode v\nTestDNSData file:{folder}/keys\nSyslog no\n")
    (folder / "message").write_bytes(message)
    words = [str(PROGRAMS[-1]), "-x", f"{folder}/conf", "-v", "-t", f"{folder}/message"]
    run = subprocess.run(
        words, env=os.environ | {"LD_LIBRARY_PATH": ":".join(sorted(libraries))}, capture_output=True, text=True, timeout=30
    )
    if "shared libraries" in run.stderr:
        pytest.skip("these packages do not fit this machine")
    return run.stdout + run.stderr


def ours(letter: bytes) -> bytes:
    return signing("one.example", DkimKey.load((MAIL / "dkim/key.pem").read_bytes()))(letter)


@pytest.mark.parametrize("file", sorted((MAIL / "accepted").glob("*.eml")), ids=lambda file: file.stem)
def test_it_accepts_ours(file: Path, tmp_path: Path) -> None:
    assert re.search(r"verification \(s=razdar,? d=one\.example.*\) succeeded", said(ours(file.read_bytes()), tmp_path))


@pytest.mark.parametrize("change", ["Subject", "To", "Reply-To", "body"])
def test_it_refuses_what_was_changed_or_added(change: str, tmp_path: Path) -> None:
    message = ours((MAIL / "accepted/text.eml").read_bytes())
    message = message + b"more\r\n" if change == "body" else f"{change}: added@two.example\r\n".encode() + message
    assert "succeeded" not in said(message, tmp_path)
