# SPDX-License-Identifier: AGPL-3.0-or-later
"""A real systemd as process 1 of namespaces of its own, with the relay's unit and next to nothing else, on a copy of this machine's files.

As a program it builds that world and becomes systemd: the machine's file system lies under an overlay in RAM, so nothing that happens
there stays; services of the machine are not seen, because the units come from a folder made here. The unit is the one we ship. A drop-in
says where the program of the tests is, since nothing can be installed there, and lets it be seen where that is under /root, /home or /tmp.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SYSTEMD = Path("/lib/systemd/systemd")
BOOT_S, GROUPS_S = 60.0, 5.0
LOOK_S = 0.1
DATA, SAID = "/var/lib/razdar", "/run/said.txt"
CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
_NEW = ("--pid", "--fork", "--kill-child", "--mount", "--net", "--uts", "--ipc", "--cgroup")
_TARGETS = {name: f"[Unit]\nDescription={name}\n" for name in ("sysinit.target", "basic.target", "network.target")}
_TARGETS["multi-user.target"] = "[Unit]\nDescription=the relay and nothing else\nRequires=razdar.service\nAllowIsolate=yes\n"
_HIDDEN = ("/root", "/home", "/tmp")  # by ProtectHome and PrivateTmp
_ID = 990


class NoSystemd(Exception):  # noqa: N818 - a property of the machine
    """It cannot be had here; the text says why."""


@dataclass(frozen=True, slots=True)
class System:
    """A running one. `pid`: its process 1, as seen from outside."""

    pid: int

    def run(self, words: Sequence[str], *, check: bool = True) -> str:
        """What a program said that ran inside, as root. Raises `CalledProcessError`."""
        inside = ["nsenter", "-t", str(self.pid), "--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup", "--root", "--wd"]
        return subprocess.run([*inside, *words], env=CLEAN, check=check, capture_output=True, text=True, timeout=60).stdout

    def of_service(self, name: str) -> str:
        """A property of razdar.service."""
        return self.run(["systemctl", "show", "razdar", "--value", "-p", name]).strip()

    def override(self, lines: str) -> None:
        """These lines of [Service] hold besides the unit's, in place of those of the last call; none: the unit's alone."""
        place = Path(f"/proc/{self.pid}/root/units/razdar.service.d/zz.conf")
        place.write_text(f"[Service]\n{lines}")
        self.run(["systemctl", "daemon-reload"])

    def until(self, name: str, value: str, patience_s: float = BOOT_S) -> None:
        """Until that property has that value; AssertionError if it does not come to that."""
        end_s = time.monotonic() + patience_s
        while (found := self.of_service(name)) != value:
            assert time.monotonic() < end_s, (name, found, self.run(["tail", "-n", "20", SAID], check=False))
            time.sleep(LOOK_S)


@contextmanager
def booted(folder: Path, settings: str) -> Iterator[System]:
    """systemd is up and looks after the relay, whose razdar.toml is `settings`. Raises `NoSystemd`."""
    if os.getuid() != 0 or not SYSTEMD.exists():
        raise NoSystemd("needs root and Debian's package systemd")
    (folder / "razdar.toml").write_text(settings, encoding="utf-8")
    groups = _groups(f"razdar-lab-{os.getpid()}")
    words = ["unshare", *_NEW, sys.executable, "-P", "-m", "tests.lab.real_systemd", str(folder)]
    with (folder / "console.txt").open("wb") as console:
        try:
            process = subprocess.Popen(words, cwd=REPOSITORY, stdout=console, stderr=console, preexec_fn=lambda: _enter(groups))
        except subprocess.SubprocessError as error:
            _leave(groups)
            raise NoSystemd("this process may not go into a control group of its own") from error
    try:
        yield _system(process, folder / "console.txt")
    finally:
        _end(process)
        _leave(groups)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Process 1 ends last: nothing of its namespace is left when it has gone."""
    with suppress(ValueError, ProcessLookupError, FileNotFoundError):
        os.kill(_inside(process), signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(BOOT_S)
    process.kill()
    process.wait()


def _inside(process: subprocess.Popen[bytes]) -> int:
    """Its process 1. ValueError if there is none yet."""
    (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(child)


def _system(process: subprocess.Popen[bytes], console: Path) -> System:
    """Once its process 1 answers questions about the relay's unit."""
    end_s = time.monotonic() + BOOT_S
    while time.monotonic() < end_s and process.poll() is None:
        with suppress(ValueError, subprocess.CalledProcessError, FileNotFoundError):
            system = System(_inside(process))
            if system.of_service("LoadState") == "loaded":
                return system
        time.sleep(LOOK_S)
    raise NoSystemd(console.read_text(errors="replace")[-500:] or "it did not begin")


# control groups: what systemd makes must go with it, so it gets a branch of its own in each hierarchy


def _groups(name: str) -> list[Path]:
    """Raises `NoSystemd`."""
    mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    places = [Path(fields[4]) for fields in mounts if fields[fields.index("-") + 1].startswith("cgroup")]
    branches = [place / name for place in places if place.name != "cpuset"]  # one of those would need processors first
    try:
        for branch in branches:
            branch.mkdir()
    except OSError as error:
        _leave(branches)
        raise NoSystemd("no control group of our own is allowed here") from error
    return branches


def _enter(branches: Sequence[Path]) -> None:
    for branch in branches:
        (branch / "cgroup.procs").write_text(str(os.getpid()))


def _leave(branches: Sequence[Path]) -> None:
    """They are gone. The kernel gives a group free a moment after its last process; one that it never gives free stays, empty."""
    end_s = time.monotonic() + GROUPS_S
    while (left := [branch for branch in branches if branch.exists()]) and time.monotonic() < end_s:
        for branch in left:
            with suppress(OSError):
                for folder in sorted((folder for folder in branch.rglob("*") if folder.is_dir()), reverse=True):
                    folder.rmdir()
                branch.rmdir()
        time.sleep(LOOK_S)


# inside


def _become(folder: Path) -> None:
    """The world is built and this process is systemd."""
    root = _files(folder)
    _write_unit(root / "units")
    _write_account(root, (folder / "razdar.toml").read_text(encoding="utf-8"))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    os.chroot(root)
    os.chdir("/")
    environment = CLEAN | {"container": "razdar-lab", "SYSTEMD_UNIT_PATH": "/units"}
    os.execve(SYSTEMD, [str(SYSTEMD), "--system", "--unit=multi-user.target", "--log-target=console"], environment)


def _files(folder: Path) -> Path:
    """The root: everything of this machine, and whatever is written goes into RAM."""
    room = folder / "system"
    room.mkdir()
    _mount("--make-rprivate", "/")
    _mount("-t", "tmpfs", "-o", "size=512m", "tmpfs", str(room))
    upper, work, root = (room / name for name in ("upper", "work", "root"))
    for each in (upper, work, root):
        each.mkdir()
    _mount("-t", "overlay", "overlay", "-o", f"lowerdir=/,upperdir={upper},workdir={work}", str(root))
    _mount("-t", "proc", "proc", str(root / "proc"))
    _mount("-t", "sysfs", "sysfs", str(root / "sys"))
    _mount("--rbind", "/dev", str(root / "dev"))
    _mount("-t", "tmpfs", "tmpfs", str(root / "run"))
    for source in {REPOSITORY, Path(sys.prefix), Path(sys.base_prefix)}:  # the overlay shows no file system that is mounted below /
        target = root / source.relative_to("/")
        target.mkdir(parents=True, exist_ok=True)
        _mount("--bind", str(source), str(target))
    program = root / "opt/razdar"
    program.mkdir(parents=True, exist_ok=True)
    _mount("--bind", str(REPOSITORY), str(program))
    return root


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def _write_unit(units: Path) -> None:
    units.mkdir()
    (units / "razdar.service").write_bytes((REPOSITORY / "packaging/razdar.service").read_bytes())
    for name, text in _TARGETS.items():
        (units / name).write_text(text)
    drop_in = units / "razdar.service.d"
    drop_in.mkdir()
    (drop_in / "tests.conf").write_text("\n".join(["[Service]", *_drop_in(), ""]))


def _drop_in() -> Iterator[str]:
    yield "ExecStart="
    yield f"ExecStart={sys.executable} -P -m razdar up --data {DATA} --quiet"
    yield "Environment=PYTHONPATH=/opt/razdar/src"
    yield f"StandardError=append:{SAID}"
    if needed := sorted({place for place in (sys.prefix, sys.base_prefix) if place.startswith(_HIDDEN)}):
        yield "ProtectHome=tmpfs"
        yield f"BindReadOnlyPaths={' '.join(needed)}"


def _write_account(root: Path, settings: str) -> None:
    """The user of the unit, and its data folder with settings."""
    for name, line in {"passwd": f"razdar:x:{_ID}:{_ID}::{DATA}:/usr/sbin/nologin\n", "group": f"razdar:x:{_ID}:\n"}.items():
        with (root / "etc" / name).open("a") as file:
            file.write(line)
    (root / "etc/machine-id").write_text("0" * 31 + "1\n")
    data = root / DATA[1:]
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    (data / "razdar.toml").write_text(settings, encoding="utf-8")
    for place in (data, data / "razdar.toml"):
        os.chown(place, _ID, _ID)


if __name__ == "__main__":
    _become(Path(sys.argv[1]))
