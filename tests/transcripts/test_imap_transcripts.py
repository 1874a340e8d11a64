# SPDX-License-Identifier: AGPL-3.0-or-later
"""Plays every dialogue of tests/transcripts/imap, in one write per step and cut into packets of one and of seven bytes.

A dialogue whose name begins with `clear_` starts without TLS.
"""

from pathlib import Path

import pytest
from tests.transcripts.imap_driver import ImapDriver, imap_unit
from tests.transcripts.player import Player, transcripts

FOLDER = Path(__file__).parent / "imap"


@pytest.mark.parametrize("chunk", [None, 1, 7])
@pytest.mark.parametrize("path", transcripts(FOLDER), ids=lambda path: path.stem)
def test_imap_dialogue(path: Path, chunk: int | None) -> None:
    driver = ImapDriver(is_tls=not path.stem.startswith("clear_"))
    Player(driver, unit=imap_unit, directives=driver.directives, chunk=chunk).play(path.read_text())
