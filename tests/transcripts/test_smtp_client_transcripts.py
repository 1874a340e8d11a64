# SPDX-License-Identifier: AGPL-3.0-or-later
"""Plays every dialogue of tests/transcripts/smtp_client, in one write per step and cut into packets of one and of seven bytes."""

from pathlib import Path

import pytest
from tests.transcripts.player import transcripts
from tests.transcripts.smtp_client_driver import ClientDriver, ClientPlayer

FOLDER = Path(__file__).parent / "smtp_client"


@pytest.mark.parametrize("chunk", [None, 1, 7])
@pytest.mark.parametrize("path", transcripts(FOLDER), ids=lambda path: path.stem)
def test_smtp_client_dialogue(path: Path, chunk: int | None) -> None:
    driver = ClientDriver()
    ClientPlayer(driver, directives=driver.directives, chunk=chunk).play(path.read_text())
