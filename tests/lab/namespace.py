# SPDX-License-Identifier: AGPL-3.0-or-later
"""Names, addresses and ports of a test's own, inside the namespace that `./razdar test` makes around the whole run.

There we are root of our own network and of our own view of the file system: lo is up, addresses can be added, `/etc/hosts` and
`/etc/resolv.conf` can be covered by files of ours. Nothing reaches the machine itself. Without such a namespace these tests are skipped.
"""

import fcntl
import os
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_SIOCSIFADDR, _SIOCSIFNETMASK, _SIOCSIFFLAGS = 0x8916, 0x891C, 0x8914


def in_namespace() -> bool:
    return os.environ.get("RAZDAR_NAMESPACE") == "1"


def require_namespace() -> None:
    """Skips the test, saying why, where there is none."""
    if not in_namespace():
        pytest.skip("needs a network namespace of its own: run ./razdar test, where the system allows user namespaces")


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}"


@contextmanager
def own_address(address: str) -> Iterator[None]:
    """This IPv4 address answers on lo for the length of the block (as an alias, netdevice(7): the `ip` program may be missing)."""
    alias = b"lo:" + address.rpartition(".")[2].encode()
    ask_kernel(_SIOCSIFADDR, struct.pack("16sHH4s8x", alias, socket.AF_INET, 0, socket.inet_aton(address)))
    ask_kernel(_SIOCSIFNETMASK, struct.pack("16sHH4s8x", alias, socket.AF_INET, 0, b"\xff" * 4))
    try:
        yield
    finally:
        ask_kernel(_SIOCSIFFLAGS, struct.pack("16sH14x", alias, 0))


def ask_kernel(request: int, about: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        fcntl.ioctl(asker, request, about)


@contextmanager
def covered(path: str, by: Path) -> Iterator[None]:
    """`by` is seen where `path` was."""
    run("mount", "--bind", str(by), path)
    try:
        yield
    finally:
        run("umount", path)


@contextmanager
def own_names(folder: Path) -> Iterator["Names"]:
    """Names are what `Names.add` says; every other look-up is answered "no such name" at once instead of after five seconds."""
    names = Names(folder / "hosts")
    resolver = folder / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    with covered("/etc/hosts", names.file), covered("/etc/resolv.conf", resolver), no_such_name():
        yield names


class Names:
    """A hosts file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        file.write_text("127.0.0.1 localhost\n::1 localhost\n")

    def add(self, name: str, address: str) -> None:
        """From now on `name` leads to `address` alone."""
        lines = [line for line in self.file.read_text().splitlines() if line.split()[1] != name]
        self.file.write_text("\n".join([*lines, f"{address} {name}", ""]))  # written in place: the mount shows this very file


@contextmanager
def no_such_name(address: str = "127.0.0.1") -> Iterator[None]:
    """A name server on port 53 that knows nothing (RFC 1035 section 4.1.1, response code 3)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, 53))

        def answer() -> None:
            with suppress(OSError):
                while True:
                    question, peer = server.recvfrom(1500)
                    if len(question) < 12:
                        return  # our own goodbye
                    server.sendto(question[:2] + struct.pack("!HHHHH", 0x8183, 1, 0, 0, 0) + question_section(question), peer)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield
        finally:
            server.sendto(b"end", server.getsockname())
            thread.join()


def question_section(message: bytes) -> bytes:
    """The first question of a DNS message: labels up to the empty one, type and class."""
    end = 12
    while message[end]:
        end += message[end] + 1
    return message[12 : end + 5]
