# SPDX-License-Identifier: AGPL-3.0-or-later
"""What reaches the log: our own lines, and of libraries' lines only that there was one."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest

from razdar.adapters.log import start_logging
from razdar.servers.journal import Journal


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What is logged during the test; logging is as before afterwards."""
    own, root, out = logging.getLogger("razdar"), logging.getLogger(), io.StringIO()
    before = [(logger, logger.handlers, logger.level, logger.propagate) for logger in (own, root)]
    start_logging("info", out)
    yield out
    for logger, handlers, level, propagate in before:
        logger.handlers, logger.level, logger.propagate = handlers, level, propagate
    logging.captureWarnings(False)


def _lines(written: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_the_journal_is_written_once(written: io.StringIO) -> None:
    Journal().note("message.accepted", size_class=3)
    assert _lines(written) == [{"event": "message.accepted", "size_class": 3}]


def test_a_library_may_name_a_peer_and_the_log_does_not(written: io.StringIO) -> None:
    loop = asyncio.new_event_loop()
    loop.call_exception_handler({"message": "SSL handshake failed on 192.0.2.7", "exception": OSError("192.0.2.7")})
    loop.close()
    logging.getLogger("uvicorn.error").warning("%s said nonsense", "192.0.2.7")
    logging.getLogger("py.warnings").warning("192.0.2.7")  # what logging.captureWarnings makes of warnings
    assert _lines(written) == [
        {"event": "library", "name": "asyncio", "level": "error", "kind": "OSError"},
        {"event": "library", "name": "uvicorn", "level": "warning", "kind": ""},
        {"event": "library", "name": "py", "level": "warning", "kind": ""},
    ]


def test_debug_level_is_for_our_own_lines_only(written: io.StringIO) -> None:
    start_logging("debug", written)
    logging.getLogger("asyncio").debug("connected to 192.0.2.7")
    logging.getLogger("razdar").debug("ours")
    assert written.getvalue() == "ours\n"


def test_levels_hold(written: io.StringIO) -> None:
    start_logging("error", written)
    Journal().note("message.accepted")
    reference = Journal().bug(ValueError("somebody@chat.example"))
    assert [line.get("reference") for line in _lines(written)] == [reference]
    assert "somebody" not in written.getvalue()
