# SPDX-License-Identifier: AGPL-3.0-or-later
"""Stands between a relay and its disk: every fsync and fdatasync of it can be held back, or made to fail, and let through again.

The kernel asks us before each of these calls (seccomp with user notification, seccomp_unotify(2), Linux 5.5); the relay runs as it is and
knows nothing of it. Where the kernel or the sandbox has no such thing, the test is skipped with a word.
"""

import ctypes
import errno
import fcntl
import os
import platform
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum, auto

import pytest
from tests.lab.relay import Relay

_SECCOMP = {"x86_64": (317, 0xC000003E, (74, 75)), "aarch64": (277, 0xC00000B7, (82, 83))}
"""For each machine: the number of seccomp(2), its AUDIT_ARCH, fsync and fdatasync."""
_SET_MODE_FILTER, _NEW_LISTENER, _NO_NEW_PRIVS = 1, 8, 38
_ALLOW, _NOTIFY = 0x7FFF0000, 0x7FC00000
_LOAD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06
_RECEIVE, _SEND, _CONTINUE = 0xC0502100, 0xC0182101, 1
_NOTICE_BYTES = 80
_GET_ACTION_AVAILABLE = 2


class Mode(Enum):
    """What happens to the next call."""

    PASS = auto()
    HOLD = auto()
    FAIL = auto()


class SyncGate:
    """One relay's way to stable storage. `arrived` is set when a call is held back."""

    def __init__(self, listener: int, pass_first: int | None = None) -> None:
        """`pass_first`: let so many calls through and hold the next one."""
        self.arrived = threading.Event()
        self._pass_first = pass_first
        self._listener = listener
        self._mode = Mode.PASS
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def set(self, mode: Mode) -> None:
        """For calls from now on, and for one that is held back."""
        with self._changed:
            self._mode, self._pass_first = mode, None
            self.arrived.clear()
            self._changed.notify_all()

    def _serve(self) -> None:
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        while True:
            ready = poll.poll()
            if not ready or ready[0][1] & (select.POLLHUP | select.POLLERR | select.POLLNVAL):
                return  # the process has ended
            notice = bytearray(_NOTICE_BYTES)
            try:
                fcntl.ioctl(self._listener, _RECEIVE, notice)
                self._answer(struct.unpack_from("=Q", notice)[0])
            except OSError:  # killed while it waited
                continue

    def _answer(self, number: int) -> None:
        with self._changed:
            if self._pass_first is not None:
                self._mode = Mode.PASS if self._pass_first else Mode.HOLD
                self._pass_first = max(0, self._pass_first - 1)
            if self._mode is Mode.HOLD:
                self.arrived.set()
                self._changed.wait_for(lambda: self._mode is not Mode.HOLD)
            fails = self._mode is Mode.FAIL
        reply = struct.pack("=QqiI", number, 0, -errno.EIO if fails else 0, 0 if fails else _CONTINUE)
        fcntl.ioctl(self._listener, _SEND, bytearray(reply))

    def close(self) -> None:
        """After the end of the relay."""
        self.set(Mode.PASS)
        self._thread.join()
        os.close(self._listener)


@contextmanager
def gated(relay: Relay, pass_first: int | None = None) -> Iterator[SyncGate]:
    """The relay runs behind a gate; it is killed at the end of the block. It is ready, unless `pass_first` calls hold it up before that."""
    if not _is_possible():
        pytest.skip("needs seccomp with user notification: Linux 5.5 on x86-64 or arm64, and a sandbox that allows it")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        relay.spawn(_installer(theirs))
        _, (listener, *_), _, _ = socket.recv_fds(ours, 1, 1)
    gate = SyncGate(listener, pass_first)
    try:
        if pass_first is None:
            relay.wait_until_ready()
        yield gate
    finally:
        gate.set(Mode.PASS)
        relay.kill()
        gate.close()


def _is_possible() -> bool:
    if platform.machine() not in _SECCOMP:
        return False
    number, _, _ = _SECCOMP[platform.machine()]
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.syscall(number, _GET_ACTION_AVAILABLE, 0, ctypes.byref(ctypes.c_uint32(_NOTIFY))) == 0)


def _installer(channel: socket.socket) -> Callable[[], None]:
    """To be called in the child: its calls are reported from then on, to whoever gets the descriptor that it sends over `channel`."""
    number, _, _ = _SECCOMP[platform.machine()]
    libc, program = ctypes.CDLL(None, use_errno=True), _program()
    buffer = ctypes.create_string_buffer(program, len(program))
    header = ctypes.create_string_buffer(struct.pack("@HxxxxxxP", len(program) // 8, ctypes.addressof(buffer)))

    def install() -> None:
        libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
        listener = libc.syscall(number, _SET_MODE_FILTER, _NEW_LISTENER, header)
        if listener < 0:
            raise OSError(ctypes.get_errno(), "seccomp")
        socket.send_fds(channel, [b"."], [listener])
        assert buffer is not None  # the kernel reads it through `header`

    return install


def _program() -> bytes:
    """A filter (BPF): the two calls ask us, all others go on. Offsets as in struct seccomp_data."""
    _, machine, (fsync, fdatasync) = _SECCOMP[platform.machine()]
    steps = [
        (_LOAD, 0, 0, 4),
        (_JUMP_EQUAL, 0, 3, machine),
        (_LOAD, 0, 0, 0),
        (_JUMP_EQUAL, 2, 0, fsync),
        (_JUMP_EQUAL, 1, 0, fdatasync),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _NOTIFY),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
