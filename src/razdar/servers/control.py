# SPDX-License-Identifier: AGPL-3.0-or-later
"""The control socket DIR/run/control.sock: how `./razdar invite` and `status` speak to the relay that runs.

One line of JSON in, one line out: `{"op": "status"}` → `{…}`; a Trouble of the relay comes back as `{"trouble": [persian, english]}`. Only
the relay's own user can open the socket (mode 0600 in a folder of mode 0700), and whoever is that user could read the data folder
anyway, so there is no further authentication. What the operations do is handed in; nothing is logged of them but their names.
"""

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from razdar.model.trouble import Trouble, not_running
from razdar.servers.journal import Journal

Handler = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Takes the whole request and returns the whole answer."""

_LINE_BYTES = 65_536
_PATIENCE_S = 60.0
_SUN_PATH = 107
"""Longest path of a Unix socket, unix(7)."""


def control_path(data: Path) -> Path:
    return data / "run" / "control.sock"


class ControlServer:
    """Serves `handlers`, by operation, to the user who runs the relay."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler], journal: Journal) -> None:
        self._path = path
        self._handlers = handlers
        self._journal = journal
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """The socket accepts. One that a crashed relay left is replaced: the caller holds the lock on the data folder."""
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            with _short(self._path) as address:
                listener.bind(address)
        finally:
            os.umask(mask)
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=_LINE_BYTES)

    async def close(self) -> None:
        """The socket is gone."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                answer = await self._answer(await reader.readuntil(b"\n"))
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError, RecursionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked has gone, or did not ask in our words
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> Mapping[str, Any]:
        request = json.loads(line)
        handler = self._handlers.get(str(request.get("op"))) if isinstance(request, dict) else None
        if handler is None:
            return {"trouble": ["رله این فرمان را نمی‌شناسد.", "The relay does not know this operation."]}
        try:
            return await handler(request)
        except Trouble as trouble:
            return {"trouble": [trouble.persian, trouble.english]}
        except Exception as error:
            reference = self._journal.bug(error)
            persian = f"خطایی در رله رخ داد؛ در گزارش رله {reference} را پیدا کنید."
            return {"trouble": [persian, f"The relay has a bug; its log says more at {reference}."]}


def ask(data: Path, request: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer of the relay that runs on `data`. Trouble if none runs there, or in the relay's own words."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_PATIENCE_S)
        try:
            with _short(control_path(data)) as address:
                connection.connect(address)
            connection.sendall(json.dumps(request).encode() + b"\n")
            line = connection.makefile("rb").readline()
        except OSError as error:
            raise not_running(data) from error
    if not line:
        raise Trouble("رله پاسخی نداد؛ گزارش آن را ببینید.", "The relay gave no answer; look at its log.")
    answer: Mapping[str, Any] = json.loads(line)
    if "trouble" in answer:
        raise Trouble(*answer["trouble"])
    return answer


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name of `path` that fits into a socket address however deep the data folder lies."""
    if len(os.fsencode(path)) <= _SUN_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
