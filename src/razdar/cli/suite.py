# SPDX-License-Identifier: AGPL-3.0-or-later
"""`./razdar test`: every check a change has to pass, the same here and in CI.

pytest runs in a user, mount and network namespace of its own, where tests may use port 25, add addresses and have their own /etc/hosts
without changing anything on the host. Where the system does not allow that, the tests that need it are skipped and say so. Formatting,
linting and types are looked at beside it, on the other core, and speak only if they have found something. With words for pytest, pytest
runs alone.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from razdar.cli.terminal import say
from razdar.environment import CHECKOUT

_NAMESPACES = (("unshare", "--mount", "--net"), ("unshare", "--user", "--map-root-user", "--mount", "--net"))
"""For root, and for everybody else (user_namespaces(7)); the first that works is taken."""


def run(words: Sequence[str]) -> int:
    """0 if every check passed."""
    quick = "--quick" in words
    for_pytest = [word for word in words if word != "--quick"]
    environment = _variables()
    beside = {} if for_pytest else {name: _start(command, environment) for name, command in _STATIC}
    namespace = _namespace()
    if namespace:
        environment["RAZDAR_NAMESPACE"] = "1"
    else:
        say("No namespace of our own is allowed here: tests that need one are skipped.")
    if beside:
        say(f"== beside pytest: {', '.join(beside)}")
    if namespace and not quick and not for_pytest:  # packages of the peer (tests/lab/chatmail_peer): inside there is no network
        subprocess.run([sys.executable, "-m", "tests.lab.chatmail_peer"], cwd=CHECKOUT, env=environment, check=False)
    pytest = [sys.executable, "-m", "razdar.cli.namespace", *(["-m", "not slow and not client"] if quick else []), *for_pytest]
    say(f"== pytest {' '.join(pytest[3:])}".rstrip())
    result = subprocess.run([*namespace, *pytest], cwd=CHECKOUT, env=environment, check=False).returncode  # noqa: S603
    failed = [name for name, process in beside.items() if not _passed(name, process)]
    return result or (1 if failed else 0)


_STATIC = (
    ("ruff check", ("ruff", "check", "--quiet", ".")),
    ("ruff format", ("ruff", "format", "--check", "--quiet", ".")),
    ("mypy", ("mypy",)),
)


def _start(command: Sequence[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", *command]
    return subprocess.Popen(line, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # noqa: S603


def _passed(name: str, process: subprocess.Popen[str]) -> bool:
    """Waits for it; says what it found, if anything."""
    found, _ = process.communicate()
    if process.returncode:
        say("", f"== {name} FAILED", found)
    return process.returncode == 0


def _variables() -> dict[str, str]:
    """Programs of the environment come first in PATH; nothing is kept where nothing can be kept."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    environment["PYTHONPATH"] = f"{CHECKOUT / 'src'}{os.pathsep}{CHECKOUT}"
    if not os.access(CHECKOUT, os.W_OK):
        environment |= {"MYPY_CACHE_DIR": os.devnull, "RUFF_NO_CACHE": "true", "PYTEST_ADDOPTS": "-p no:cacheprovider"}
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
    if os.getuid() != 0:  # in a user namespace we are called root, and pytest would take /tmp/pytest-of-root, which is root's
        temporary = Path(tempfile.gettempdir()) / f"razdar-tests-{os.getuid()}"
        temporary.mkdir(mode=0o700, exist_ok=True)
        environment.setdefault("PYTEST_DEBUG_TEMPROOT", str(temporary))
    return environment


def _namespace() -> Sequence[str]:
    """The words before a command that give it a namespace, or none where that is not allowed."""
    if shutil.which("unshare") is None:
        return ()
    probes = (each for each in _NAMESPACES if subprocess.run([*each, "true"], check=False, capture_output=True).returncode == 0)  # noqa: S603
    return next(probes, ())
