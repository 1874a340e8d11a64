# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every target takes its seeds, and a short run of mutations of them with fixed chances. The long runs are made with Atheris (run.py)."""

import random

import pytest
from tests.fuzz.run import LENGTHS, SEEDS
from tests.fuzz.targets import TARGETS

RUNS = 300
OFTEN = [b"\r\n", b"\0", b"\xff", b'"', b"{", b"[", b"(", b"--", b"=", b"9" * 20, b" ", b"\n", b""]


def seeds(target: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((SEEDS / target).iterdir())]


def test_every_target_has_seeds() -> None:
    assert {path.name for path in SEEDS.iterdir()} == set(TARGETS)
    assert set(LENGTHS) <= set(TARGETS)
    assert all(seeds(target) for target in TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_and_their_mutations(target: str) -> None:
    chance, corpus = random.Random(target), seeds(target)
    TARGETS[target](b"")
    for data in corpus:
        TARGETS[target](data)
    for _ in range(RUNS):
        mutated = bytearray(chance.choice(corpus))
        for _ in range(chance.choice([1, 1, 2, 5])):
            place, length = chance.randrange(len(mutated) + 1), chance.choice([0, 1, 1, 4, 30])
            other = chance.choice(corpus)
            start = chance.randrange(len(other) + 1)
            mutated[place : place + length] = chance.choice([chance.choice(OFTEN), other[start : start + 20], chance.randbytes(2)])
        try:
            TARGETS[target](bytes(mutated))
        except Exception as error:
            raise AssertionError(f"fuzz input {bytes(mutated)!r}") from error
