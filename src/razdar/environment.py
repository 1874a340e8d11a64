# SPDX-License-Identifier: AGPL-3.0-or-later
"""Makes the environment that a command needs, on first use, and goes on in it.

Runs before anything is installed, so it knows the standard library only. One environment for the relay, one for `try`, one for tests (and
one for tests with a browser, where there is a chromium), each from a lock with a hash for every file; only ready-made wheels are taken, so
no compiler is needed. A stamp written at the very end says for which lock and Python it was made: an interrupted or outdated one is made
anew. Two starts at once wait for each other. Where the checkout cannot be written, the environments live in the person's cache folder. A
folder `wheels` beside the launcher (or $RAZDAR_WHEELS) replaces the network.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from razdar.model.trouble import Trouble

CHECKOUT = Path(__file__).resolve().parents[2]
_INSTALLED = {
    **dict.fromkeys(("up", "invite", "check", "backup", "restore", "dns", "verify"), ""),
    **dict.fromkeys(("audit", "wheel"), "-release"),
    "try": "-try",
    "test": "-test",
    "bench": "-test",
}
"""Commands that need more than the standard library, and the environment of each."""
_STAMP = "razdar-stamp"
_PIP = (22, 3)
"""The first pip that can install into another environment (`--python`)."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A folder made from a lock."""

    folder: Path
    lock: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def stamp(self) -> str:
        """What the folder is for: this lock, this Python, this machine."""
        digest = hashlib.sha256(self.lock.read_bytes()).hexdigest()
        return f"{digest} {sys.implementation.cache_tag} {platform.machine()}\n"

    def is_ready(self) -> bool:
        try:
            return (self.folder / _STAMP).read_text() == self.stamp() and self.python.exists()
        except OSError:
            return False


def environment_for(command: str, checkout: Path = CHECKOUT) -> Environment:
    """The environment that `./razdar COMMAND` runs in."""
    suffix = _INSTALLED[command]
    if command == "test" and shutil.which("chromium"):
        suffix = "-browser"  # the tests and what drives it
    return Environment(_place(checkout, f".venv{suffix}"), checkout / f"requirements{suffix}.lock")


def _place(checkout: Path, name: str) -> Path:
    inside = checkout / name
    if os.access(inside if inside.exists() else checkout, os.W_OK) or (inside / _STAMP).exists():
        return inside
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "razdar" / hashlib.sha256(os.fsencode(checkout)).hexdigest()[:12] / name


def prepare(environment: Environment) -> None:
    """The environment is ready. Trouble, in one sentence, if it cannot be made."""
    try:
        environment.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(environment.folder.parent):
            if not environment.is_ready():
                _make(environment)
    except OSError as error:
        where = environment.folder
        raise Trouble(
            f"محیط اجرا در {where} ساخته نشد: {error.strerror}؛ فضای دیسک و اجازهٔ نوشتن را بررسی کنید.",
            f"The environment {where} cannot be made: {error.strerror}; check disk space and write permission.",
        ) from error


def _make(environment: Environment) -> None:
    started = time.monotonic()
    _say(
        "برنامه‌های لازم نصب می‌شود؛ تنها همین یک بار، کمتر از دو دقیقه …",
        "Installing what is needed; only this once, less than two minutes …",
    )
    shutil.rmtree(environment.folder, ignore_errors=True)
    pip = _empty_environment(environment)
    _install(pip, environment)
    (environment.folder / _STAMP).write_text(environment.stamp())
    _say(f"آماده شد ({time.monotonic() - started:.0f} ثانیه).", f"Ready ({time.monotonic() - started:.0f} seconds).")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else makes an environment in `folder`. The lock goes with the process, however it ends, and with the pip it started."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    os.set_inheritable(descriptor, True)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("نصب دیگری در جریان است؛ منتظر می‌مانیم …", "Another start is installing; waiting for it …")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _empty_environment(environment: Environment) -> Sequence[str]:
    """A folder with a Python and nothing else; returns the pip command that installs into it."""
    base = _base_python()
    has_pip, has_ensurepip = _pip_version(base) >= _PIP, _works(base, "import ensurepip; ensurepip.version()")
    if not _works(base, "import venv") or not (has_pip or has_ensurepip):
        raise Trouble(
            "ماژول venv یا pip پایتون نصب نیست؛ این را اجرا کنید: apt install python3-venv",
            "Python's venv module or pip is missing; run: apt install python3-venv",
        )
    command = [base, "-I", "-m", "venv", *(["--without-pip"] if has_pip else []), str(environment.folder)]
    _run(command, "محیط پایتون ساخته نشد", "The Python environment could not be made")
    if has_pip:
        return [base, "-m", "pip", "--python", str(environment.python)]
    return [str(environment.python), "-m", "pip"]


def _install(pip: Sequence[str], environment: Environment) -> None:
    options = ["--quiet", "--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--no-warn-script-location"]
    wheels = Path(os.environ.get("RAZDAR_WHEELS") or CHECKOUT / "wheels")
    source = ["--no-index", "--find-links", str(wheels)] if wheels.is_dir() else []
    command = [*pip, "install", *options, "--require-hashes", "--only-binary", ":all:", *source, "-r", str(environment.lock)]
    _run(
        command,
        "برنامه‌های لازم نصب نشد؛ اتصال را بررسی کنید یا پوشهٔ آن‌ها را در RAZDAR_WHEELS بگذارید",
        "What is needed could not be installed; check the connection, or put a folder with the wheels into RAZDAR_WHEELS",
    )


def _base_python() -> str:
    """The interpreter that environments are made from: the chosen one, or ours, seen through an environment that we may run in."""
    return os.environ.get("RAZDAR_PYTHON") or str(getattr(sys, "_base_executable", sys.executable))


def _works(python: str, line: str) -> bool:
    return subprocess.run([python, "-I", "-c", line], check=False, capture_output=True).returncode == 0  # noqa: S603


def _pip_version(python: str) -> tuple[int, ...]:
    """(0,) if there is none."""
    asked = subprocess.run([python, "-c", "import pip; print(pip.__version__)"], check=False, capture_output=True, text=True)  # noqa: S603
    return tuple(int(part) for part in asked.stdout.strip().split(".") if part.isdecimal()) or (0,)


def _run(command: Sequence[str], persian: str, english: str) -> None:
    """The command has succeeded; a dot a second shows that it is at work. Trouble, after the command's own last words, if not."""
    quiet = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    shows = sys.stderr.isatty()
    with subprocess.Popen(command, env=quiet, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, close_fds=False) as process:  # noqa: S603
        said = ""
        while process.returncode is None:
            try:
                said, _ = process.communicate(timeout=1)
            except subprocess.TimeoutExpired:
                _write("." if shows else "")
    _write("\n" if shows else "")
    if process.returncode:
        _write("\n".join([*said.strip().splitlines()[-5:], ""]))
        raise Trouble(f"{persian}.", f"{english}.")


def _say(persian: str, english: str) -> None:
    _write(f"{persian}\n{english}\n")


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def main() -> int:
    """Go on in the right environment, making it first if need be."""
    words = sys.argv[1:]
    if not needs_environment(words):
        return _go_on()
    environment = environment_for(words[0])
    try:
        if not environment.is_ready():
            prepare(environment)
    except Trouble as trouble:
        _say(trouble.persian, trouble.english)
        return 1
    except KeyboardInterrupt:
        return 130
    if Path(sys.prefix) != environment.folder:
        arguments = [str(environment.python), "-P", "-m", "razdar", *words]
        os.execv(arguments[0], arguments)  # noqa: S606
    return _go_on()


def needs_environment(words: Sequence[str]) -> bool:
    """False for what works with the standard library: nobody waits for an installation to read `--help`."""
    return bool(words) and words[0] in _INSTALLED and not {"-h", "--help"} & set(words)


def _go_on() -> int:
    from razdar.cli import main as command_line

    return command_line()


if __name__ == "__main__":
    sys.exit(main())
