# SPDX-License-Identifier: AGPL-3.0-or-later
"""First program inside the tests' network namespace: brings the loopback interface up and becomes pytest.

A new network namespace has a loopback interface that is down (network_namespaces(7)). The `ip` program may be missing, so the kernel
is asked directly (netdevice(7)).
"""

import fcntl
import os
import socket
import struct
import sys

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1


def raise_loopback() -> None:
    """127.0.0.1 and ::1 can be used."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        name, flags = struct.unpack_from("16sH", fcntl.ioctl(asker, _SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0)))
        fcntl.ioctl(asker, _SIOCSIFFLAGS, struct.pack("16sH14x", name, flags | _IFF_UP))


if __name__ == "__main__":
    if os.environ.get("RAZDAR_NAMESPACE"):
        raise_loopback()
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *sys.argv[1:]])  # noqa: S606
