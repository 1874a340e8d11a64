# SPDX-License-Identifier: AGPL-3.0-or-later
"""`./razdar wheel DIR`: the program as a wheel whose bytes anybody can make again from the same source.

hatchling, locked by hash, writes files in one order, with one mode and one time ($SOURCE_DATE_EPOCH, else a fixed day), so that neither the
machine nor the moment shows. The SHA-256 that is printed is the one to compare.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

from razdar.cli.terminal import say
from razdar.environment import CHECKOUT
from razdar.model.trouble import Trouble, file_not_written


def run(arguments: argparse.Namespace) -> int:
    """The wheel lies in the folder."""
    folder: Path = arguments.DIR.absolute()
    with tempfile.TemporaryDirectory(prefix="razdar-wheel-") as draft:
        built = _build(Path(draft))
        content = built.read_bytes()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / built.name).write_bytes(content)
    except OSError as error:
        raise file_not_written(folder / built.name, error.strerror or "?") from error
    say(
        "بستهٔ wheel ساخته شد؛ هر کس از همین متن بسازد باید به همین SHA-256 برسد:",
        "Built; whoever builds from the same source must get the same SHA-256:",
        f"    {hashlib.sha256(content).hexdigest()}  {folder / built.name}",
    )
    return 0


def _build(draft: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(draft)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)  # noqa: S603
    wheels = list(draft.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        why = (done.stderr.strip().splitlines() or ["?"])[-1]
        raise Trouble(f"بستهٔ wheel ساخته نشد: {why}", f"The wheel could not be built: {why}")
    return wheels[0]
