# SPDX-License-Identifier: AGPL-3.0-or-later
"""Opens the relay's ports, all or none, and lets people in.

Connections are accepted here and not by the event loop, so that whoever finds no room (admission.py) costs no TLS handshake, and so that
a handshake that fails is nobody's error: the loop would tell its log about it.
"""

import asyncio
import errno
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from razdar.model.listener import Listener
from razdar.model.trouble import address_absent, port_forbidden, port_taken
from razdar.servers.admission import Admission, Ticket

BACKLOG = 1024
ACCEPTED_AT_ONCE = 32  # then the people who are in have their turn
OUT_OF_FILES_PAUSE_S = 0.5
HANDSHAKE_S = 30.0
SHUTDOWN_S = 45.0  # a throttled reader gets so long to take the last answer (servers/http.py)
Factory = Callable[[], asyncio.BaseProtocol]


@dataclass(frozen=True, slots=True)
class Door:
    """What answers on one port. `tls` is None where a connection begins in clear."""

    factory: Factory
    tls: ssl.SSLContext | None = None


@runtime_checkable
class Admitted(Protocol):
    """What a protocol offers that says who is there; it calls `leave` when the connection is lost."""

    def hold(self, ticket: Ticket) -> None: ...


class OpenDoor:
    """One port that is open."""

    def __init__(self, door: Door, listener: socket.socket, handshake_s: float, admission: Admission | None) -> None:
        self._door = door
        self._listener = listener
        self._handshake_s = handshake_s
        self._admission = admission
        self._loop = asyncio.get_running_loop()
        self._arriving: set[asyncio.Task[None]] = set()
        self._resuming: asyncio.TimerHandle | None = None
        self._loop.add_reader(listener.fileno(), self._accept)

    def close(self) -> None:
        """Nobody else comes in; who is in stays."""
        if self._resuming is not None:
            self._resuming.cancel()
        self._loop.remove_reader(self._listener.fileno())
        self._listener.close()

    def _accept(self) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                connection, address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # no files left
                self._loop.remove_reader(self._listener.fileno())
                self._resuming = self._loop.call_later(OUT_OF_FILES_PAUSE_S, self._resume)
                return
            self._receive(connection, address[0])

    def _resume(self) -> None:
        self._resuming = None
        self._loop.add_reader(self._listener.fileno(), self._accept)

    def _receive(self, connection: socket.socket, address: str) -> None:
        ticket = None
        if self._admission is not None:
            ticket = self._admission.enter(address, lambda: _hang_up(connection))
            if ticket is None:
                connection.close()
                return
        task = self._loop.create_task(self._open(connection, ticket))
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)

    async def _open(self, connection: socket.socket, ticket: Ticket | None) -> None:
        """The protocol has the connection; or the handshake came to nothing, and all is as if nobody had come."""
        tls, protocol = self._door.tls, self._door.factory()
        if ticket is not None and isinstance(protocol, Admitted):
            protocol.hold(ticket)
        try:
            connection.setblocking(False)
            await self._loop.connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=tls,
                ssl_handshake_timeout=self._handshake_s if tls else None,
                ssl_shutdown_timeout=SHUTDOWN_S if tls else None,
            )
        except (OSError, TimeoutError):  # ssl.SSLError is an OSError
            if ticket is not None:
                ticket.leave()
            connection.close()


def _hang_up(connection: socket.socket) -> None:
    """The connection ends at whatever stage it is; whoever serves it hears of that as of a client that left."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


async def listen(
    doors: Mapping[str, Door],
    ports: Mapping[str, int],
    bind: Sequence[str],
    handshake_s: float = HANDSHAKE_S,
    admission: Admission | None = None,
) -> tuple[list[OpenDoor], list[Listener]]:
    """Every door is open on every address. Trouble in words if one cannot be, and then none is.

    A TLS handshake may take `handshake_s`. Without `admission` everybody comes in.
    An unspecified IPv6 address is skipped on a machine without IPv6, provided that something else is bound.
    """
    servers: list[OpenDoor] = []
    listeners: list[Listener] = []
    try:
        for address in usable(bind):
            for name, door in doors.items():
                servers.append(OpenDoor(door, _listen_at(address, ports[name]), handshake_s, admission))
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


def _listen_at(address: str, port: int) -> socket.socket:
    with _troubles(address, port):
        listener = _socket(address, port)
        try:
            listener.listen(BACKLOG)
        except BaseException:
            listener.close()
            raise
        return listener


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
