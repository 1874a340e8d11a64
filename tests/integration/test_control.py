# SPDX-License-Identifier: AGPL-3.0-or-later
"""The control socket between a relay and the commands, over a real socket."""

import asyncio
import json
import socket
import stat
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from razdar.adapters.files import private_folder
from razdar.model.trouble import Trouble
from razdar.servers.control import ControlServer, ask, control_path
from razdar.servers.journal import Journal


async def _echo(request: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"heard": dict(request)}


async def _refuse(_request: Mapping[str, Any]) -> Mapping[str, Any]:
    raise Trouble("بسته است.", "It is closed.")


async def _break(_request: Mapping[str, Any]) -> Mapping[str, Any]:
    raise KeyError("somebody@chat.example")


@contextmanager
def _relay(data: Path) -> Iterator[Journal]:
    """A control server on `data` in a thread of its own."""
    journal, ready, loop = Journal(), threading.Event(), asyncio.new_event_loop()
    done = asyncio.Event()

    async def serve() -> None:
        private_folder(data / "run")
        server = ControlServer(control_path(data), {"echo": _echo, "refuse": _refuse, "break": _break}, journal)
        await server.start()
        ready.set()
        await done.wait()
        await server.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield journal
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(10)
        loop.close()


def test_question_and_answer(tmp_path: Path) -> None:
    with _relay(tmp_path):
        assert ask(tmp_path, {"op": "echo", "uses": 3}) == {"heard": {"op": "echo", "uses": 3}}
    assert not control_path(tmp_path).exists()


def test_only_the_owner_may_open_it(tmp_path: Path) -> None:
    with _relay(tmp_path):
        status = control_path(tmp_path).stat()
        assert (stat.S_ISSOCK(status.st_mode), stat.S_IMODE(status.st_mode)) == (True, 0o600)


def test_the_relays_own_words_arrive(tmp_path: Path) -> None:
    with _relay(tmp_path), pytest.raises(Trouble) as caught:
        ask(tmp_path, {"op": "refuse"})
    assert (caught.value.persian, caught.value.english) == ("بسته است.", "It is closed.")


def test_a_bug_is_counted_and_its_text_stays_inside(tmp_path: Path) -> None:
    with _relay(tmp_path) as journal:
        with pytest.raises(Trouble, match="bug") as caught:
            ask(tmp_path, {"op": "break"})
        assert ask(tmp_path, {"op": "echo"})["heard"]
    assert journal.counts["bug"] == 1
    assert "somebody" not in caught.value.english


@pytest.mark.parametrize(
    "line", [b"\n", b"[]\n", b'"echo"\n', b"{\n", b"\xff\n", b'{"op": "unknown"}\n', b"x" * 70_000 + b"\n", b"cut off"]
)
def test_nonsense_does_not_stop_it(tmp_path: Path, line: bytes) -> None:
    with _relay(tmp_path) as journal:
        with socket.socket(socket.AF_UNIX) as raw:
            raw.connect(str(control_path(tmp_path)))
            raw.sendall(line)
            raw.shutdown(socket.SHUT_WR)
            raw.settimeout(10)
            answer = raw.makefile("rb").readline()
        assert answer == b"" or "trouble" in json.loads(answer)
        assert ask(tmp_path, {"op": "echo"})["heard"]
    assert journal.counts["bug"] == 0


def test_no_relay_is_told(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="No relay is running"):
        ask(tmp_path, {"op": "status"})


def test_a_socket_left_by_a_crash_is_told_and_replaced(tmp_path: Path) -> None:
    private_folder(tmp_path / "run")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(control_path(tmp_path)))
    with pytest.raises(Trouble, match="No relay is running"):
        ask(tmp_path, {"op": "status"})
    with _relay(tmp_path):
        assert ask(tmp_path, {"op": "echo"})["heard"]


def test_a_deep_data_folder_works(tmp_path: Path) -> None:
    """Socket addresses hold 107 bytes, unix(7)."""
    deep = tmp_path / ("x" * 100) / ("y" * 100)
    with _relay(deep):
        assert ask(deep, {"op": "echo"})["heard"]
