# SPDX-License-Identifier: AGPL-3.0-or-later
"""Fuzzing with Atheris: `python -m tests.fuzz.run TARGET --seconds 600`.

Atheris is no dependency of the project; CONTRIBUTING.md says how to make an environment that has it. What is found lands in the folder
given with --found, the growing corpus in the one given with --corpus; seeds are those of tests/fuzz/seeds/TARGET. libFuzzer's own limits
(10 s by the wall's clock and 1 GiB for one input) turn slowness and hunger into findings.
"""

import argparse
import importlib
import sys
import tempfile
from pathlib import Path

SEEDS = Path(__file__).parent / "seeds"
WORDS = Path(__file__).parent / "words"
READERS = ("tarfile", "h11", "tomllib", "email")
"""Other people's code that our own hands hostile bytes to; without it the fuzzer would be blind inside."""
LENGTHS = {"mime": 8192, "pgp": 4096, "dkim": 4096, "backup": 16_384, "seals": 1024, "links": 512}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--found", type=Path, default=Path(tempfile.gettempdir()))
    given = parser.parse_args()
    atheris = importlib.import_module("atheris")

    with atheris.instrument_imports(include=["razdar", *READERS]):
        targets = importlib.import_module("tests.fuzz.targets").TARGETS
    corpus = given.corpus or Path(tempfile.mkdtemp(prefix="corpus"))
    corpus.mkdir(parents=True, exist_ok=True)
    given.found.mkdir(parents=True, exist_ok=True)
    flags = [f"-max_total_time={given.seconds}", "-timeout=10", "-rss_limit_mb=1024", f"-artifact_prefix={given.found}/{given.target}-"]
    flags += [f"-max_len={LENGTHS.get(given.target, 2048)}", "-print_final_stats=1", "-close_fd_mask=0"]
    words = WORDS / f"{given.target}.dict"
    flags += [f"-dict={words}"] if words.exists() else []
    atheris.Setup([sys.argv[0], *flags, str(corpus), str(SEEDS / given.target)], targets[given.target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
