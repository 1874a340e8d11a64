# SPDX-License-Identifier: AGPL-3.0-or-later
"""The last good answer for each name, kept on disk for the time when DNS is gone.

There are no times in it and no counts, and the file is sorted, so it tells only that this relay once looked these names up. A name that was
good twice, at different times, is not pushed out by any number of names that were seen once: whoever sends mail from thousands of
invented domains costs us other invented domains. The file is a convenience: damaged or missing, it is empty.
"""

import asyncio
import base64
import json
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from razdar.adapters.files import write_private
from razdar.ports.resolver import Mx

FILE_NAME = "known-names.json"
SEEN_ONCE_MAX, PROVEN_MAX = 1_000, 5_000
_FILE_BYTES_MAX = 16_777_216
Key = tuple[str, str]
"""`mx`, `addresses` or `txt`, and the name in lower case."""


class KnownNames:
    """Good answers by kind and name, bounded."""

    def __init__(self, path: Path | None) -> None:
        """What the file holds; None: only in RAM."""
        self._path = path
        self._once: OrderedDict[Key, tuple[object, ...]] = OrderedDict()
        self._proven: OrderedDict[Key, tuple[object, ...]] = OrderedDict(_read(path) if path is not None else {})
        self._is_changed = False

    def __len__(self) -> int:
        return len(self._once) + len(self._proven)

    def find(self, kind: str, name: str) -> tuple[object, ...] | None:
        """The last good answer."""
        return self._proven.get((kind, name)) or self._once.get((kind, name))

    def note(self, kind: str, name: str, values: tuple[object, ...]) -> None:
        """DNS says so now. Nothing (`values` empty) forgets a key: it was revoked.

        An address stays: whoever answers there has to show the relay's certificate, and a censor may say that a name does not exist.
        """
        key = kind, name
        if not values:
            if kind == "txt":
                self._is_changed |= (self._once.pop(key, None) or self._proven.pop(key, None)) is not None
            return
        self._is_changed |= self.find(kind, name) != values
        if key in self._once or key in self._proven:
            self._once.pop(key, None)
            self._put(self._proven, key, values, PROVEN_MAX)
        else:
            self._put(self._once, key, values, SEEN_ONCE_MAX)

    def _put(self, place: OrderedDict[Key, tuple[object, ...]], key: Key, values: tuple[object, ...], most: int) -> None:
        place[key] = values
        place.move_to_end(key)
        while len(place) > most:
            place.popitem(last=False)

    async def save(self) -> None:
        """The file is as new as this, if anything changed and the disk takes it; if not it is tried again the next time."""
        if self._path is None or not self._is_changed:
            return
        self._is_changed = False
        try:
            await asyncio.to_thread(write_private, self._path, _written({**self._once, **self._proven}))
        except OSError:  # a full disk; nobody's mail depends on this file
            self._is_changed = True


def _written(answers: Mapping[Key, tuple[object, ...]]) -> bytes:
    tables: dict[str, dict[str, list[Any]]] = {"mx": {}, "addresses": {}, "txt": {}}
    for kind, name in sorted(answers):
        tables[kind][name] = [_to_json(value) for value in answers[kind, name]]
    return json.dumps(tables, indent=1).encode()


def _to_json(value: object) -> Any:
    if isinstance(value, Mx):
        return [value.preference, value.host]
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _read(path: Path) -> dict[Key, tuple[object, ...]]:
    try:
        if path.stat().st_size > _FILE_BYTES_MAX:
            return {}
        tables = json.loads(path.read_bytes())
        pairs = [
            ((kind, str(name)), tuple(_FROM_JSON[kind](value) for value in values))
            for kind in _FROM_JSON
            for name, values in tables[kind].items()
        ]
        return {key: values for key, values in pairs[:PROVEN_MAX] if values}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


_FROM_JSON: Mapping[str, Any] = {
    "mx": lambda value: Mx(int(value[0]), str(value[1])),
    "addresses": str,
    "txt": lambda value: base64.b64decode(value, validate=True),
}
