# SPDX-License-Identifier: AGPL-3.0-or-later
"""A short run of the fuzz target with fixed seeds: the transcripts as corpus, mutated and mixed."""

import random
from pathlib import Path

import pytest
from tests.fuzz.fuzz_imap import imap
from tests.transcripts.player import parse, transcripts, unescape

FOLDER = Path(__file__).parent.parent / "transcripts" / "imap"
CORPUS = [
    unescape(step.text) + b"\r\n" * (step.kind == "C:")
    for path in transcripts(FOLDER)
    for step in parse(path.read_text())
    if step.kind in ("C:", "C|")
]
GRAMMAR = [
    b"{3}\r\n",
    b"{3+}\r\n",
    b"\r\n",
    b"(",
    b")",
    b'"',
    b"\\",
    b"[",
    b"]",
    b"*",
    b"\0",
    b"~{9+}\r\n",
    b"BODY[1.TEXT]",
    b"1:*",
    b"DONE\r\n",
]
RUNS = 250


def mutated(chance: random.Random) -> bytes:
    """Commands from real dialogues in another order, sometimes with bytes changed, cut out or doubled."""
    login = b"l LOGIN alice@chat.example correct-horse\r\n" if chance.random() < 0.8 else b""
    data = bytearray(b"".join([login, b"s SELECT INBOX\r\n", *chance.choices(CORPUS, k=chance.randrange(1, 25))]))
    for _ in range(chance.choice([0, 1, 1, 3, 8])):
        place = chance.randrange(len(login), len(data))
        length = chance.randrange(8)
        data[place : place + length] = chance.choice([b"", bytes(data[place : place + 2 * length]), chance.randbytes(length), *GRAMMAR])
    return bytes([chance.randrange(256)]) + bytes(data)


@pytest.mark.parametrize("seed", range(4))
def test_fuzz_imap(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(RUNS):
        data = mutated(chance)
        try:
            imap(data)
        except Exception as error:
            raise AssertionError(f"fuzz input {data!r}") from error


def test_nothing_and_noise() -> None:
    chance = random.Random(7)
    noise = [b"", b"\0", b"\1"] + [chance.randbytes(chance.randrange(300)) for _ in range(300)]
    for data in noise:
        imap(data)
    assert len(noise) == 303
