# SPDX-License-Identifier: AGPL-3.0-or-later
"""The load generator: a process of its own that plays one case against a server and prints what it measured as JSON.

    python -m bench.load < spec.json

It reads the server's processor time itself at the borders of the measured phase, and tells its own: on a machine with two cores the reader
has to judge whether the generator stood in the way.
"""

import asyncio
import json
import sys
from typing import Any

import uvloop
from bench.crowd import crowd, visit, welcome
from bench.pairs import pairs, steady
from bench.spec import Spec

CASES = {"visit": visit, "welcome": welcome, "pairs": pairs, "steady": steady, "crowd": crowd}
LIMIT_S = 600.0
"""Whatever happens, a case ends."""


async def _play(spec: Spec) -> dict[str, Any]:
    async with asyncio.timeout(LIMIT_S):
        return await CASES[spec.case](spec)


def main() -> None:
    print(json.dumps(uvloop.run(_play(Spec.from_json(sys.stdin.read())))))


if __name__ == "__main__":
    main()
