# SPDX-License-Identifier: AGPL-3.0-or-later
"""`./razdar bench`: hands its words to bench/run.py, in the environment of the tests."""

import os
import subprocess
import sys
from collections.abc import Sequence

from razdar.environment import CHECKOUT


def run(words: Sequence[str]) -> int:
    """The benchmark's exit code."""
    environment = os.environ | {"PYTHONPATH": f"{CHECKOUT / 'src'}{os.pathsep}{CHECKOUT}"}
    return subprocess.run([sys.executable, "-m", "bench.run", *words], cwd=CHECKOUT, env=environment, check=False).returncode  # noqa: S603
