# SPDX-License-Identifier: AGPL-3.0-or-later
"""Runs a relay with cProfile on its event loop's thread; the statistics are written when it ends.

    python -m bench.profiled FILE up --data DIR …

Nothing in the product knows of this. Times inside are longer than without the profiler (about twice), their proportions roughly right.
"""

import cProfile
import sys

from razdar.cli import main


def profiled(words: list[str]) -> int:
    """The relay's exit code."""
    file, rest = words[0], words[1:]
    profile = cProfile.Profile()
    try:
        return int(profile.runcall(main, rest))
    finally:
        profile.dump_stats(file)


if __name__ == "__main__":
    sys.exit(profiled(sys.argv[1:]))
