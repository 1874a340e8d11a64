# SPDX-License-Identifier: AGPL-3.0-or-later
"""First process inside the peer's mount and PID namespaces: lays the unpacked packages over the system, starts the programs, reaps.

    unshare --mount --pid --fork --kill-child python inside.py TREE… FOLDER ACCOUNTS_PROGRAM DOMAIN FIRST_ID

It ends when its standard input does, that is when whoever started it asks for that or dies; the kernel then ends every process of the PID
namespace, and the mounts go with the mount namespace. It prints "started" when the programs run (their ports may take a moment more).
"""

import ctypes
import os
import resource
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

END_S = 10
DICT = "/run/peer/dict.sock"
_BIND, _PRIVATE, _READ_ONLY, _RECURSIVE = 0x1000, 0x40000, 1, 0x4000
_DEVICES = ("null", "zero", "full", "random", "urandom")
_QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace")
_libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    words = (text.encode() or None for text in (source, target, kind))
    if _libc.mount(*words, flags, options.encode() or None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount {kind} on {target}: {os.strerror(number)}")


def lay_over(trees: Sequence[str], folder: str) -> None:
    """Sees /usr and /etc with the packages (the first tree hides others) and the peer's files, /mnt is the peer's folder.

    /run and /dev are all but empty. The host keeps its own of all these.
    """
    mount("none", "/", flags=_PRIVATE | _RECURSIVE)
    mount("proc", "/proc", "proc")
    trees_, folder_ = [os.open(tree, os.O_PATH) for tree in trees], os.open(folder, os.O_PATH)
    mount(f"/proc/self/fd/{folder_}", "/mnt", flags=_BIND)
    devices = {name: os.open(f"/dev/{name}", os.O_PATH) for name in _DEVICES}
    for place in ("/run", "/dev"):
        mount("tmpfs", place, "tmpfs")
    for name, handle in devices.items():
        Path("/dev", name).touch()
        mount(f"/proc/self/fd/{handle}", f"/dev/{name}", flags=_BIND)
    for place in ("/dev/shm", "/run/peer"):
        Path(place).mkdir()
    layers = [f"/run/peer/tree{number}" for number in range(len(trees_))]
    for layer, handle in zip(layers, trees_, strict=True):
        Path(layer).mkdir()
        mount(f"/proc/self/fd/{handle}", layer, flags=_BIND)
    mount("overlay", "/usr", "overlay", _READ_ONLY, f"lowerdir={':'.join(f'{layer}/usr' for layer in layers)}:/usr")
    mount("overlay", "/etc", "overlay", _READ_ONLY, f"lowerdir=/mnt/etc:{layers[-1]}/etc:/etc")
    mount("/mnt/hosts", "/etc/hosts", flags=_BIND)


def own(path: str, user: str, group: str, mode: int) -> None:
    place = Path(path)
    place.mkdir(exist_ok=True)
    os.chown(place, _number(user), _number(group))
    place.chmod(mode)


def _number(name: str) -> int:
    """From the passwd of this namespace; users and groups have the same numbers."""
    return next(int(line.split(":")[2]) for line in Path("/etc/passwd").read_text().splitlines() if line.startswith(name + ":"))


def make_folders() -> None:
    """With owners and modes as Postfix and Dovecot want them."""
    for path in ("/mnt", "/mnt/spool", "/mnt/spool/pid", "/mnt/log"):
        own(path, "root", "root", 0o755)
    for queue in _QUEUES:
        own(f"/mnt/spool/{queue}", "postfix", "root", 0o700)
    own("/mnt/spool/public", "postfix", "postdrop", 0o710)
    own("/mnt/spool/maildrop", "postfix", "postdrop", 0o730)
    own("/mnt/spool/opendkim", "opendkim", "opendkim", 0o750)
    own("/mnt/postfix", "postfix", "root", 0o700)
    own("/mnt/dovecot", "root", "root", 0o755)
    own("/mnt/temporary", "root", "root", 0o1777)
    own("/mnt/mail", "vmail", "vmail", 0o1777)
    own("/mnt/keys", "root", "opendkim", 0o750)
    os.chown("/mnt/keys/dkim.pem", _number("opendkim"), _number("opendkim"))
    for key in ("dkim.pem", "key.pem"):
        Path("/mnt/keys", key).chmod(0o600)


def start(accounts: str, domain: str, first_id: str) -> list[subprocess.Popen[bytes]]:
    """The account server finds its socket open as its standard input, so that nobody has to wait for it."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(DICT)
        listening.listen(1000)
        Path(DICT).chmod(0o666)
        line = [sys.executable, "-S", "-E", accounts, "/mnt/mail", domain, first_id]
        started = [subprocess.Popen(line, stdin=listening.fileno(), cwd="/mnt")]
    return started + [subprocess.Popen(line, stdin=subprocess.DEVNULL, cwd="/mnt") for line in PROGRAMS]


PROGRAMS = (
    ["/usr/sbin/opendkim", "-f", "-x", "/etc/opendkim.conf"],
    ["/usr/sbin/dovecot", "-F", "-c", "/etc/dovecot/dovecot.conf"],
    ["/usr/lib/postfix/sbin/master", "-c", "/etc/postfix", "-s"],
)


def reap_until_told() -> None:
    """Returns when standard input ends. Orphans are waited for all the while, so that their processor time counts with this process."""
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready, _, _ = select.select([0, wake], [], [])
        if 0 in ready and not os.read(0, 1):
            return
        if wake in ready:
            os.read(wake, 512)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def main() -> None:
    *trees, folder, accounts, domain, first_id = sys.argv[1:]
    with suppress(ValueError, OSError):  # as the packages' units have it; without the right to it, whatever is allowed
        resource.setrlimit(resource.RLIMIT_NOFILE, (65_535, 65_535))
    handle = os.open(accounts, os.O_RDONLY)  # the place of the file may be covered in a moment
    lay_over(trees, folder)
    make_folders()
    Path("/run/peer/accounts.py").write_bytes(os.read(handle, 1 << 20))
    started = start("/run/peer/accounts.py", domain, first_id)
    print("started", flush=True)
    reap_until_told()
    end(started[-2:])


def end(programs: Sequence[subprocess.Popen[bytes]]) -> None:
    """Dovecot and Postfix have ended in their own way, in time; the others keep nothing and end with us."""
    for process in programs:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)
    signal.signal(signal.SIGALRM, lambda *_: os._exit(1))  # the first process of a namespace has no default actions
    signal.alarm(END_S)
    waiting = {process.pid for process in programs}
    with suppress(ChildProcessError):
        while waiting:
            waiting.discard(os.wait()[0])


if __name__ == "__main__":
    main()
