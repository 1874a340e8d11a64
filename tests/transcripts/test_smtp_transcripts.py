# SPDX-License-Identifier: AGPL-3.0-or-later
"""Plays every dialogue of tests/transcripts/smtp, in one write per step and cut into packets of one and of seven bytes."""

from pathlib import Path

import pytest
from tests.transcripts.player import Player, smtp_reply, transcripts
from tests.transcripts.smtp_driver import SmtpDriver

FOLDER = Path(__file__).parent / "smtp"


@pytest.mark.parametrize("chunk", [None, 1, 7])
@pytest.mark.parametrize("path", transcripts(FOLDER), ids=lambda path: path.stem)
def test_smtp_dialogue(path: Path, chunk: int | None) -> None:
    driver = SmtpDriver()
    Player(driver, unit=smtp_reply, directives=driver.directives, chunk=chunk).play(path.read_text())
