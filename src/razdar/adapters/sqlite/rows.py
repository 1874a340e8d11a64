# SPDX-License-Identifier: AGPL-3.0-or-later
"""How many rows travel into one statement and out of it.

Python gives up its interpreter lock around every step of SQLite and must get it back afterwards, up to 5 ms later beside a busy thread.
So a statement takes all its rows at once, as one JSON list with the byte strings beside it in one piece, and answers with one row. The
text of the statement is always the same, so that it is compiled once. Measured for 1000 recipients beside a thread that computes:
0.1 to 0.4 s, row by row 4.4 s (docs/storage.md).
"""

import json
from collections.abc import Iterable
from typing import Any


class Strip:
    """Byte strings laid end to end; SQL cuts them out with substr(:strip, position, length)."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._positions: dict[bytes, int] = {}
        self._end = 1  # SQL counts from 1

    def add(self, part: bytes) -> int:
        """The position of `part`."""
        position = self._end
        self._parts.append(part)
        self._end += len(part)
        return position

    def add_once(self, part: bytes) -> int:
        """The position of `part`, which is laid down at its first occurrence only."""
        position = self._positions.get(part)
        if position is None:
            position = self._positions[part] = self.add(part)
        return position

    def joined(self) -> bytes:
        return b"".join(self._parts)


def packed(rows: Iterable[object]) -> str:
    """Rows for json_each."""
    return json.dumps(list(rows), separators=(",", ":"))


def unpacked(answer: tuple[str]) -> Any:
    """What json_group_array or json_group_object answered."""
    return json.loads(answer[0])
