"""Opens the relay's ports, all or none."""

import asyncio
import errno
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from razdar.model.listener import Listener
from razdar.model.trouble import address_absent, port_forbidden, port_taken

BACKLOG = 1024
HANDSHAKE_S = 30.0
SHUTDOWN_S = 45.0  # a throttled reader gets so long to take the last answer (servers/http.py)
Factory = Callable[[], asyncio.BaseProtocol]


@dataclass(frozen=True, slots=True)
class Door:
    """What answers on one port. `tls` is None where a connection begins in clear."""

    factory: Factory
    tls: ssl.SSLContext | None = None


async def listen(
    doors: Mapping[str, Door], ports: Mapping[str, int], bind: Sequence[str], handshake_s: float = HANDSHAKE_S
) -> tuple[list[asyncio.Server], list[Listener]]:
    """Every door is open on every address. Trouble in words if one cannot be, and then none is.

    A TLS handshake may take `handshake_s`.
    An unspecified IPv6 address is skipped on a machine without IPv6, provided that something else is bound.
    """
    servers: list[asyncio.Server] = []
    listeners: list[Listener] = []
    try:
        for address in usable(bind):
            for name, door in doors.items():
                servers.append(await _open(door, address, ports[name], handshake_s))
                listeners.append(Listener(name, address, ports[name]))
    except BaseException:
        for server in servers:
            server.close()
        raise
    return servers, listeners


def usable(bind: Sequence[str]) -> list[str]:
    """Those of `bind` that this machine can open: without IPv6 the unspecified IPv6 address is left out, unless there is no other."""
    usable = [address for address in bind if ":" not in address or _has_ipv6(address)]
    return usable or list(bind)


def _has_ipv6(address: str) -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind((address if ipaddress.ip_address(address).is_unspecified else "::1", 0))
    except OSError:
        return not ipaddress.ip_address(address).is_unspecified  # a given address is tried, and its failure told
    return True


async def _open(door: Door, address: str, port: int, handshake_s: float) -> asyncio.Server:
    with _troubles(address, port):
        listener = _socket(address, port)
        try:
            return await asyncio.get_running_loop().create_server(
                door.factory,
                sock=listener,
                backlog=BACKLOG,
                ssl=door.tls,
                ssl_handshake_timeout=handshake_s if door.tls else None,
                ssl_shutdown_timeout=SHUTDOWN_S if door.tls else None,
            )
        except BaseException:
            listener.close()
            raise


def _socket(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.setblocking(False)
        listener.bind((address, port))
    except OSError:
        listener.close()
        raise
    return listener


@contextmanager
def _troubles(address: str, port: int) -> Iterator[None]:
    """Two programs may both bind a port; then it is `listen` that fails for the second."""
    try:
        yield
    except OSError as error:
        troubles = {errno.EADDRINUSE: port_taken, errno.EACCES: port_forbidden}
        if error.errno in troubles:
            raise troubles[error.errno](address, port) from error
        if error.errno == errno.EADDRNOTAVAIL:
            raise address_absent(address) from error
        raise


def try_port(address: str, port: int) -> None:
    """The port could be opened just now; it is closed again. Trouble in words if it could not."""
    with _troubles(address, port), _socket(address, port) as listener:
        listener.listen()
