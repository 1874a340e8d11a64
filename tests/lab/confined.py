# SPDX-License-Identifier: AGPL-3.0-or-later
"""Runs a program under the restrictions of packaging/razdar.service, as far as they can be had without systemd.

As a program it reads the unit, confines itself and becomes the words after `--`: it must begin in mount and PID namespaces of its own
(`unshare --mount --pid --fork`). What it does is what systemd does, with the kernel's own calls: no capabilities and no new privileges, the
file system read-only but for the data, a /proc of its own processes only, system calls and address families from a list, no memory that is
both written and run, limits. What cannot be had this way (another user, device lists, watchdog restarts) is left out.
"""

import ctypes
import errno
import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

UNIT = Path(__file__).resolve().parents[2] / "packaging/razdar.service"

_ALLOW, _REFUSE, _EQUAL, _MASKED_EQUAL, _NOT_EQUAL = 0x7FFF0000, 0x00050000 | errno.EPERM, 4, 7, 1
_FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10}
_PROT_WRITE_EXEC, _PROT_EXEC, _SHM_EXEC = 6, 4, 0o100000
_NEW_NAMESPACES = 0x7E020080
_PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 38, 24, 47, 4
_MS_REC_PRIVATE, _MS_BIND = 0x44000, 0x1000
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE, _READ_ONLY = 442, -100, 0x8000, 1

libc = ctypes.CDLL(None, use_errno=True)


def unit() -> Mapping[str, list[str]]:
    """The settings of the unit, each with all of its values."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


def command(data: Path, words: list[str]) -> list[str]:
    """The words that run `words` confined; `data` can be written."""
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", sys.executable, str(Path(__file__)), str(data), "--", *words]


def confine(data: Path) -> None:
    """From now on this process is restricted, and whatever it becomes."""
    settings = unit()
    _limits(settings)
    _files(data)
    _no_privileges()
    _arguments(settings)
    _calls(settings["SystemCallFilter"])  # last: afterwards not even a further filter is allowed


def _done(result: int, what: str) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno() or -result, f"{what}: {os.strerror(ctypes.get_errno() or -result)}")


def _limits(settings: Mapping[str, list[str]]) -> None:
    files = min(int(settings["LimitNOFILE"][0]), resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(int(settings["UMask"][0], 8))


def _files(data: Path) -> None:
    """ProtectSystem=strict, PrivateTmp, ProtectProc=invisible, ProcSubset=pid."""
    place = os.fsencode(data)
    _done(libc.mount(b"none", b"/", None, _MS_REC_PRIVATE, None), "private mounts")
    _done(libc.mount(place, place, None, _MS_BIND, None), "bind")
    _done(libc.mount(b"proc", b"/proc", b"proc", 0, b"hidepid=invisible,subset=pid"), "proc")
    for path, attributes in ((b"/", (_READ_ONLY, 0)), (place, (0, _READ_ONLY))):
        words = (ctypes.c_uint64 * 4)(*attributes, 0, 0)
        recursive = _AT_RECURSIVE if path == b"/" else 0
        _done(libc.syscall(_MOUNT_SETATTR, _AT_FDCWD, path, recursive, words, ctypes.sizeof(words)), "mount_setattr")


def _no_privileges() -> None:
    """CapabilityBoundingSet, here empty: the tests take high ports. The rest is dropped by the next execve (capabilities(7))."""
    for capability in range(64):
        if libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break
    libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    _done(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")


def _group(name: str) -> Iterator[str]:
    """System calls of a group, and of the groups in it, as systemd knows them; a bare name is itself."""
    if not name.startswith("@"):
        yield name
        return
    shown = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True).stdout
    for line in shown.splitlines()[1:]:
        word = line.strip()
        if word and not word.startswith("#"):
            yield from _group(word)


def allowed_calls(filters: list[str]) -> set[str]:
    """As systemd.exec(5) says: what the first list names, without what later lists with ~ name; @default is always allowed."""
    allowed: set[str] = set()
    for line in filters:
        names = {call for word in line.removeprefix("~").split() for call in _group(word)}
        allowed = allowed - names if line.startswith("~") else allowed | names
    return allowed | set(_group("@default"))


class _Comparison(ctypes.Structure):
    """struct scmp_arg_cmp of libseccomp."""

    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


class _Filter:
    """One seccomp filter; the kernel takes the strictest answer of all that are loaded."""

    def __init__(self, otherwise: int) -> None:
        self._seccomp = ctypes.CDLL("libseccomp.so.2")
        self._seccomp.seccomp_init.restype = ctypes.c_void_p
        self._context = ctypes.c_void_p(self._seccomp.seccomp_init(ctypes.c_uint32(otherwise)))

    def rule(self, action: int, call: str, *where: tuple[int, int, int, int]) -> None:
        number = self._seccomp.seccomp_syscall_resolve_name(call.encode())
        if number < 0:
            return  # of another processor, or newer than the library
        comparisons = (_Comparison * max(1, len(where)))(*(_Comparison(*each) for each in where))
        _done(self._seccomp.seccomp_rule_add_array(self._context, ctypes.c_uint32(action), number, len(where), comparisons), call)

    def load(self) -> None:
        _done(self._seccomp.seccomp_load(self._context), "seccomp")


def _calls(filters: list[str]) -> None:
    filter_ = _Filter(_REFUSE)
    for call in allowed_calls(filters):
        filter_.rule(_ALLOW, call)
    filter_.load()


def _arguments(settings: Mapping[str, list[str]]) -> None:
    """MemoryDenyWriteExecute, RestrictAddressFamilies, RestrictNamespaces: what systemd filters by arguments."""
    filter_ = _Filter(_ALLOW)
    filter_.rule(_REFUSE, "mmap", (2, _MASKED_EQUAL, _PROT_WRITE_EXEC, _PROT_WRITE_EXEC))
    for call in ("mprotect", "pkey_mprotect"):
        filter_.rule(_REFUSE, call, (2, _MASKED_EQUAL, _PROT_EXEC, _PROT_EXEC))
    filter_.rule(_REFUSE, "shmat", (2, _MASKED_EQUAL, _SHM_EXEC, _SHM_EXEC))
    families = {_FAMILIES[name] for name in settings["RestrictAddressFamilies"][0].split()}
    for family in set(range(64)) - families:
        filter_.rule(_REFUSE, "socket", (0, _EQUAL, family, 0))
    for bit in range(64):
        if _NEW_NAMESPACES >> bit & 1:
            filter_.rule(_REFUSE, "clone", (0, _MASKED_EQUAL, 1 << bit, 1 << bit))
    filter_.rule(_REFUSE, "unshare")
    filter_.rule(_REFUSE, "setns")
    filter_.load()


if __name__ == "__main__":
    confine(Path(sys.argv[1]))
    os.execv(sys.argv[3], sys.argv[3:])
