# SPDX-License-Identifier: AGPL-3.0-or-later
"""Feeds broken mail to everything that reads mail. One invariant: no exception but MimeError, and nothing slower than a tenth of a second.

    python -m tests.fuzz.fuzz_mime [SECONDS [SEED]]

Mutates the corpus; prints the seed of a failure, which repeats it. tests/property has the short form of it that runs with every test.
"""

import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from razdar.model.address import Address
from razdar.policy.encryption import require_encryption
from razdar.policy.sender import check_from
from razdar.wire.hygiene import for_mailbox, for_submission
from razdar.wire.mime import MimeError

CORPUS = Path(__file__).parent.parent / "mail"
SOMEBODY = Address("alialiali", "relay.test")
TOKENS = [b"\r\n", b"\r\n\r\n", b"Content-Type: ", b"boundary=", b"--", *(bytes([byte]) for byte in b'\0\t\n\r "(:;=\xff')]


def mutated(mail: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """A few cuts, copies and tokens in random places."""
    for _ in range(rng.randrange(1, 6)):
        start = rng.randrange(len(mail) + 1)
        end = min(len(mail), start + rng.choice([0, 0, 1, 2, 10, 100]))
        other = rng.choice(others)
        place = rng.randrange(len(other))
        piece = rng.choice([rng.choice(TOKENS), other[place : place + rng.randrange(200)], rng.randbytes(3), b""])
        mail = mail[:start] + piece * rng.choice([1, 1, 1, 50]) + mail[end:]
    return mail


def try_everything(mail: bytes) -> None:
    """Raises whatever the code under test should not have raised."""
    require_encryption(mail)
    require_encryption(mail, is_incoming=True)
    check_from(mail, SOMEBODY)
    for change in (for_submission, for_mailbox):
        try:
            change(mail)
        except MimeError:
            continue


def run(seconds: float, seed: int) -> int:
    """How many inputs were tried."""
    corpus = [path.read_bytes() for path in sorted(CORPUS.glob("*/*.eml"))]
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        rng = random.Random(seed + count)
        mail = mutated(rng.choice(corpus), corpus, rng)
        start = time.perf_counter()
        try:
            try_everything(mail)
        except Exception:
            print(f"seed {seed + count}", file=sys.stderr)
            raise
        assert time.perf_counter() - start < 0.1, f"slow: seed {seed + count}"
        count += 1
    return count


if __name__ == "__main__":
    print(run(float(sys.argv[1]) if len(sys.argv) > 1 else 10, int(sys.argv[2]) if len(sys.argv) > 2 else 0))
