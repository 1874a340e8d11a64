# SPDX-License-Identifier: AGPL-3.0-or-later
"""A short run of the fuzz target with fixed seeds: the transcripts as corpus, mutated and mixed."""

import base64
import random
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest
from tests.fuzz.fuzz_smtp import smtp
from tests.transcripts.player import parse, transcripts, unescape

from razdar.wire.smtp.events import Event

FOLDER = Path(__file__).parent.parent / "transcripts" / "smtp"
CORPUS = [
    unescape(step.text) + b"\r\n" * (step.kind == "C:")
    for path in transcripts(FOLDER)
    for step in parse(path.read_text())
    if step.kind in ("C:", "C|")
]
RUNS = 1000
LOGIN = b"AUTH PLAIN " + base64.b64encode(b"\0alice@relay.example\0secret") + b"\r\n"
MAIL = b"MAIL FROM:<alice@relay.example>\r\n"
RCPT = b"RCPT TO:<bob@relay.example>\r\n"
DATA = b"DATA\r\n"
BEGINNINGS = [[], [LOGIN], [LOGIN, MAIL], [LOGIN, MAIL, RCPT, DATA], [MAIL, RCPT, DATA]]


def mutated(chance: random.Random) -> bytes:
    """Commands from real dialogues in another order, sometimes with bytes changed, cut out or doubled."""
    pieces = [b"EHLO c.example\r\n", *chance.choice(BEGINNINGS), *chance.choices([*CORPUS, MAIL, RCPT, DATA], k=chance.randrange(30))]
    data = bytearray(b"".join(pieces))
    for _ in range(chance.choice([0, 0, 0, 1, 3])):
        place, length = chance.randrange(len(data)), chance.randrange(8)
        doubled = bytes(data[place : place + 2 * length])
        data[place : place + length] = chance.choice([b"", doubled, chance.randbytes(length), b"\r\n", b"\n.\r\n"])
    return bytes([chance.randrange(256), chance.randrange(256)]) + bytes(data)


@pytest.mark.parametrize("seed", range(4))
def test_fuzz_smtp(seed: int) -> None:
    chance = random.Random(seed)
    seen: Counter[str] = Counter()
    for _ in range(RUNS):
        data = mutated(chance)
        try:
            smtp(data, seen)
        except Exception as error:
            raise AssertionError(f"fuzz input {data!r}") from error
    assert all(seen[event.__name__] > RUNS // 50 for event in get_args(Event)), "the corpus does not reach every event any more"


def test_nothing_at_all() -> None:
    seen: Counter[str] = Counter()
    for data in (b"", b"\0", b"\0\0"):
        smtp(data, seen)
    assert not seen
