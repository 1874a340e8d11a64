# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where the journal's lines go: standard error, one JSON object a line, and nothing of what libraries would write.

asyncio, ssl and the HTTP server put peers' addresses into their messages (a failed handshake is enough). Of their warnings only the fact is
written down: which library, how serious, which kind of exception. Their text goes nowhere, at any level.
"""

import json
import logging
import sys
import threading
import traceback
from typing import TextIO

OWN = "razdar"


def start_logging(level: str, to: TextIO | None = None) -> None:
    """From now on the journal is written from `level` on, and libraries' warnings without their text. May be called again."""
    stream = to or sys.stderr
    own = logging.getLogger(OWN)
    own.handlers = [_Own(stream)]
    own.setLevel(level.upper())
    own.propagate = False
    root = logging.getLogger()
    root.handlers = [_Foreign(stream)]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)


def mask_crashes() -> None:
    """What nobody caught, in a thread, in a destructor or at the end, is written as its kind and the places it passed, without its text.

    For the whole process and for good, so only the command that runs a relay calls it.
    """
    sys.excepthook = lambda _kind, error, _trace: _crashed(error)
    sys.unraisablehook = lambda what: _crashed(what.exc_value)
    threading.excepthook = lambda what: _crashed(what.exc_value)


def _crashed(error: BaseException | None) -> None:
    trace = traceback.extract_tb(error.__traceback__) if error is not None else []
    places = " ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in trace[-8:])
    logging.getLogger(OWN).critical("%s", json.dumps({"event": "crash", "kind": type(error).__name__, "places": places}))


class _Own(logging.StreamHandler[TextIO]):
    """Lines of the journal as they are."""


class _Foreign(logging.StreamHandler[TextIO]):
    """The fact that a library had something to say."""

    def format(self, record: logging.LogRecord) -> str:
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        return json.dumps({"event": "library", "name": record.name.split(".")[0], "level": record.levelname.lower(), "kind": kind})
