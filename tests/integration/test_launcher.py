# SPDX-License-Identifier: AGPL-3.0-or-later
"""The launcher makes real environments with real pip, from wheels made here: no network is needed.

Each test has a small checkout of its own: the launcher, the module it starts, a package `tiny` in the lock, and a command line that says
where it runs and which `tiny` it sees.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from razdar.environment import CHECKOUT, needs_environment

pytestmark = pytest.mark.slow

_COMMAND_LINE = """
import sys

def main():
    import tiny
    print(sys.prefix, tiny.VERSION, *sys.argv[1:])
    return 3
"""


def _wheel(folder: Path, version: str) -> str:
    """Makes the wheel `tiny` (PEP 427); returns its hash."""
    folder.mkdir(exist_ok=True)
    information = f"tiny-{version}.dist-info"
    files = {
        "tiny.py": f"VERSION = '{version}'\n",
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n",
        f"{information}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{name},sha256={_digest(text)},{len(text)}" for name, text in files.items()]
    files[f"{information}/RECORD"] = "\n".join([*record, f"{information}/RECORD,,", ""])
    wheel = folder / f"tiny-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


class Checkout:
    """A small copy of the project, in a folder with a space in its name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        package = folder / "src/razdar"
        for name in ("__init__.py", "__main__.py", "environment.py", "model/__init__.py", "model/trouble.py"):
            (package / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / "src/razdar" / name, package / name)
        (package / "cli").mkdir()
        (package / "cli/__init__.py").write_text(_COMMAND_LINE)
        shutil.copy(CHECKOUT / "razdar", folder / "razdar")
        self.lock("1.0")

    def lock(self, version: str, *, digest: str | None = None) -> None:
        """From now on the lock asks for this version of `tiny`."""
        true = _wheel(self.folder / "wheels", version)
        (self.folder / "requirements.lock").write_text(f"tiny=={version} \\\n    --hash=sha256:{digest or true}\n")

    def start(self, *words: str, **environment: str) -> "subprocess.Popen[str]":
        variables = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "PIP_DISABLE_PIP_VERSION_CHECK": "1", **environment}
        pipe = subprocess.PIPE
        return subprocess.Popen([self.folder / "razdar", *words], stdout=pipe, stderr=pipe, text=True, env=variables, cwd="/")

    def run(self, *words: str, **environment: str) -> tuple[int, str, str]:
        """Exit code, output and errors of one start."""
        started = self.start(*words, **environment)
        out, err = started.communicate(timeout=120)
        return started.returncode, out, err


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    folder = tmp_path / "a checkout"
    folder.mkdir()
    return Checkout(folder)


def test_first_start_installs_and_later_ones_are_fast(checkout: Checkout) -> None:
    code, out, err = checkout.run("up", "--set", "a b")
    assert (code, out) == (3, f"{checkout.folder / '.venv'} 1.0 up --set a b\n")
    assert "Installing" in err
    assert "نصب" in err
    started = time.monotonic()
    assert checkout.run("up") == (3, f"{checkout.folder / '.venv'} 1.0 up\n", "")
    assert time.monotonic() - started < 2


def test_a_new_lock_is_installed(checkout: Checkout) -> None:
    checkout.run("up")
    checkout.lock("2.0")
    code, out, err = checkout.run("up")
    assert (code, out.split()[-2]) == (3, "2.0")
    assert "Installing" in err


def test_a_file_that_is_not_the_locked_one_is_refused_and_repaired_later(checkout: Checkout) -> None:
    checkout.lock("1.0", digest="0" * 64)
    code, out, err = checkout.run("up")
    assert (code, out) == (1, "")
    assert "RAZDAR_WHEELS" in err
    assert "Traceback" not in err
    checkout.lock("1.0")
    assert checkout.run("up")[0] == 3


def test_an_interrupted_installation_is_repaired(checkout: Checkout) -> None:
    """Killed when a part of the folder is there; what the launcher had started may still be at work in it."""
    environment = checkout.folder / ".venv"
    first = checkout.start("up")
    while not (environment / "bin/python").exists():
        assert first.poll() is None
    first.kill()
    first.communicate()
    assert not (environment / "razdar-stamp").exists()
    code, out, _err = checkout.run("up")
    assert (code, out.split()[-2]) == (3, "1.0")


def test_a_python_that_is_gone_is_replaced(checkout: Checkout) -> None:
    checkout.run("up")
    python = checkout.folder / ".venv/bin/python"
    python.unlink()
    python.symlink_to("/nonexistent/python3.11")
    code, _out, err = checkout.run("up")
    assert code == 3
    assert "Installing" in err


def test_two_at_once_wait_for_each_other(checkout: Checkout) -> None:
    both = [checkout.start("up"), checkout.start("up")]
    said = [started.communicate(timeout=120) for started in both]
    assert [started.returncode for started in both] == [3, 3]
    assert sum("Installing" in err for _out, err in said) == 1


def test_wheels_of_another_folder_serve_an_island(checkout: Checkout, tmp_path: Path) -> None:
    (checkout.folder / "wheels").rename(tmp_path / "stick")
    assert checkout.run("up", RAZDAR_WHEELS=str(tmp_path / "stick"))[0] == 3


def test_help_waits_for_no_installation(checkout: Checkout) -> None:
    (checkout.folder / "src/razdar/cli/__init__.py").write_text("def main():\n    print('help')\n    return 0\n")
    for words in ([], ["--help"], ["up", "--help"], ["config"], ["status"]):
        assert checkout.run(*words) == (0, "help\n", "")
    assert not (checkout.folder / ".venv").exists()


def test_what_needs_an_environment() -> None:
    assert all(needs_environment([word]) for word in ("up", "try", "test", "bench", "invite", "dns", "verify"))
    assert not any(needs_environment(words) for words in ([], ["-h"], ["test", "--help"], ["config"], ["status"], ["upp"]))


def test_nothing_is_imported_from_where_the_person_is(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "tiny.py").write_text("raise SystemExit('taken from the current folder')")
    environment = {"PATH": os.environ["PATH"], "HOME": "/"}
    command = [str(checkout.folder / "razdar"), "up"]
    started = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert (started.returncode, started.stdout.split()[-2]) == (3, "1.0")


def test_it_can_be_started_through_a_link(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "razdar").symlink_to(checkout.folder / "razdar")
    started = subprocess.run([tmp_path / "razdar", "config"], capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]})
    assert "No module named 'tiny'" in started.stderr  # it found the checkout, which only lacks an environment for `config`


def _python_without(folder: Path, *lines: str) -> str:
    """A Python for which these lines fail."""
    wrapper = folder / "python"
    cases = "|".join(f'*"{line}"*' for line in lines)
    wrapper.write_text(f'#!/bin/sh\ncase "$*" in {cases}) exit 1 ;; esac\nexec "{sys._base_executable}" "$@"\n')  # type: ignore[attr-defined]
    wrapper.chmod(0o755)
    return str(wrapper)


def test_no_venv_module_is_told_in_one_sentence(checkout: Checkout, tmp_path: Path) -> None:
    for number, missing in enumerate((["import venv"], ["import ensurepip", "import pip"])):
        folder = tmp_path / str(number)
        folder.mkdir()
        code, out, err = checkout.run("up", RAZDAR_PYTHON=_python_without(folder, *missing))
        assert (code, out) == (1, "")
        assert "apt install python3-venv" in err.splitlines()[-1]


def test_the_pip_of_the_environment_serves_where_the_system_has_none(checkout: Checkout, tmp_path: Path) -> None:
    assert checkout.run("up", RAZDAR_PYTHON=_python_without(tmp_path, "import pip;"))[0] == 3


@pytest.mark.namespace
def test_an_old_python_is_told_in_one_sentence(checkout: Checkout, tmp_path: Path) -> None:
    """Every Python in reach is too old: /usr/bin/python3 is covered, in this namespace only."""
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    system = Path("/usr/bin/python3")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("dirname", "readlink"):
        (tools / name).symlink_to(shutil.which(name) or "")
    if system.exists():
        subprocess.run(["mount", "--bind", old, system.resolve()], check=True)
    try:
        code, out, err = checkout.run("up", PATH=f"{tmp_path}:{tools}", RAZDAR_PYTHON=str(old))
    finally:
        if system.exists():
            subprocess.run(["umount", system.resolve()], check=True)
    assert (code, out, len(err.splitlines())) == (1, "", 2)
    assert "Python 3.11" in err


@pytest.mark.namespace
def test_a_checkout_that_cannot_be_written_uses_the_cache_folder(checkout: Checkout, tmp_path: Path) -> None:
    subprocess.run(["mount", "--bind", checkout.folder, checkout.folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", checkout.folder], check=True)
        for _again in range(2):
            code, out, err = checkout.run("up", XDG_CACHE_HOME=str(tmp_path / "cache"))
            assert code == 3
            assert out.startswith(str(tmp_path / "cache/razdar"))
    finally:
        subprocess.run(["umount", checkout.folder], check=True)
    assert err == ""
