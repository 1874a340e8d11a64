# SPDX-License-Identifier: AGPL-3.0-or-later
"""Postfix, Dovecot and OpenDKIM from Debian's packages, downloaded and unpacked into a folder under build/, and never installed.

`unpacked` asks apt (which needs no root for this) what the host lacks, downloads exactly those packages and unpacks them once; packages of
other versions get a folder of their own. The result is a tree to lay over /usr and /etc inside a mount namespace (inside.py).
Beside it, under `prompt`, lies a copy of one Dovecot library that tells of new mail at once instead of after half a second: chatmail relays
run a build of their own for that. Nothing on
the host changes but that folder. Where it cannot be had, `Unavailable` says why, in words for whoever reads a skipped test.
"""

import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
CACHE = REPOSITORY / "build" / "chatmail-peer"
PACKAGES = ("postfix", "dovecot-core", "dovecot-imapd", "dovecot-lmtpd", "dovecot-auth-lua", "opendkim")
"""dovecot-auth-lua brings the Lua library that push notifications of a chatmail relay use."""
STORAGE = Path("usr/lib/dovecot/libdovecot-storage.so.0.0.0")
_FORM = "2"
"""Changed with what this module makes of the packages."""
_NEW = re.compile(r"^Inst (\S+) (?:\[[^\]]*\] )?\((\S+) ", re.MULTILINE)


class Unavailable(Exception):  # noqa: N818 - a state of this machine
    """The peer cannot run here; the text says why."""


@functools.cache
def unpacked() -> Path:
    """The tree; made at the first call on a machine."""
    _require_debian()
    wanted = _wanted()
    folder = CACHE / hashlib.sha256(" ".join([_FORM, *wanted]).encode()).hexdigest()[:16]
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as place:
            _unpack(wanted, Path(place))
            (Path(place) / "tree" / "versions.txt").write_text("\n".join(wanted) + "\n")
            _make_prompt(Path(place) / "tree")
            (Path(place) / "tree").rename(folder)
    return folder


def versions() -> Sequence[str]:
    """`package=version` of everything that was downloaded, as a result of a benchmark names it."""
    return (unpacked() / "versions.txt").read_text().split()


def _require_debian() -> None:
    system = Path("/etc/os-release").read_text() if Path("/etc/os-release").exists() else ""
    if not re.search(r"^ID=debian$", system, re.MULTILINE) or not re.search(r'^VERSION_ID="12"$', system, re.MULTILINE):
        raise Unavailable("the peer is made from Debian 12's packages, and this is another system")
    if missing := [name for name in ("apt-get", "dpkg-deb", "unshare", "mount") if shutil.which(name, path=_path()) is None]:
        raise Unavailable(f"not installed here: {', '.join(missing)}")


def _wanted() -> list[str]:
    """What apt would install here to have PACKAGES, as `package=version`; those that are installed already are fetched again."""
    lines = _apt("install", "--simulate", "--reinstall", "--no-install-recommends", *PACKAGES)
    found = sorted({f"{name}={version}" for name, version in _NEW.findall(lines)})
    if not found:
        raise Unavailable("apt names no package: run apt-get update")
    return found


def _unpack(wanted: Sequence[str], place: Path) -> None:
    _apt("download", *wanted, cwd=place)
    tree = place / "tree"
    tree.mkdir()
    for package in place.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", str(package), str(tree)], check=True)
    if (tree / "lib").is_dir():  # /lib is /usr/lib on this system
        shutil.copytree(tree / "lib", tree / "usr" / "lib", symlinks=True, dirs_exist_ok=True)


def _make_prompt(tree: Path) -> None:
    """In lib-storage/mailbox-watch.c line 52 is `timeout_add_short(500, …)`; compiled for x86-64: mov $52, %edx; mov $500, %edi."""
    code = (tree / STORAGE).read_bytes()
    if code.count(b"\xba\x34\0\0\0\xbf\xf4\x01\0\0") == 1:
        file = tree / "prompt" / STORAGE
        file.parent.mkdir(parents=True)
        file.write_bytes(code.replace(b"\xba\x34\0\0\0\xbf\xf4\x01\0\0", b"\xba\x34\0\0\0\xbf\0\0\0\0"))


def _apt(*words: str, cwd: Path | None = None) -> str:
    environment = os.environ | {"LC_ALL": "C", "PATH": _path()}
    done = subprocess.run(["apt-get", "-q", *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise Unavailable(f"apt-get {words[0]} failed (apt-get update may help): {said[-1] if said else done.returncode}")
    return done.stdout


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin:/sbin:/bin"
