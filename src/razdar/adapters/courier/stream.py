# SPDX-License-Identifier: AGPL-3.0-or-later
"""A connection to another relay: bytes out, bytes in, TLS from the start or in the middle.

Made for bad lines: with 600 ms there and back and every third packet lost it still works, and a line that is dead is known to be dead after
three minutes at the latest, also while nothing is said. What was received is bounded; what was received before TLS is never
mistaken for what came under it. Errors of the network are `StreamLost`, whose text is empty, because the system's would name addresses.
"""

import asyncio
import socket
import ssl
from collections import deque
from contextlib import suppress
from typing import Any, Self, cast

from razdar.policy.trust import Check, Trust
from razdar.ports.courier import Reason, Unreachable

BUFFER_BYTES = 65_536
SEND_BUFFER_BYTES = 262_144
"""What the kernel may hold of ours: at 1 kB/s, which is what is left of a line with 30 % loss, it is gone before patience is."""
CHUNK_BYTES = 32_768
UNANSWERED_S = 180
"""So long may sent bytes stay without an acknowledgement (TCP_USER_TIMEOUT); the kernel repeats them about seven times in it."""
KEEPALIVE_S = (15, 10, 9)
"""After so much silence the kernel asks whether the other side still knows of the connection, and goes on asking so often. A relay that
was killed and is back says no at once, even if its goodbye was lost; otherwise we would wait for its verdict for ten minutes."""


class StreamLost(Exception):  # noqa: N818 - a state of the connection, named like one
    """The connection is gone or went silent."""


class Contexts:
    """What is asked of certificates, ready for handshakes. TLS 1.2 or newer."""

    def __init__(self, authorities: ssl.SSLContext | None = None) -> None:
        """`authorities`: a client's context that verifies in place of the system's."""
        self._verified = authorities or ssl.create_default_context()
        self._unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._unverified.check_hostname, self._unverified.verify_mode = False, ssl.CERT_NONE
        for context in (self._verified, self._unverified):
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        if self._verified.verify_mode is not ssl.CERT_REQUIRED or not self._verified.check_hostname:
            raise ValueError("this context verifies nothing")

    def context(self, trust: Trust) -> ssl.SSLContext:
        return self._verified if trust.check is Check.AUTHORITY else self._unverified


class Stream(asyncio.Protocol):
    """One connection, for one reader and one writer."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received: deque[bytes] = deque()
        self._size = 0
        self._is_over = False
        self._news = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()

    @classmethod
    async def connect(cls, address: str, port: int) -> Self:
        """Connected over TCP. StreamLost if nobody answers there; the caller bounds the time."""
        loop = asyncio.get_running_loop()
        with _socket(address) as connecting:
            try:
                await loop.sock_connect(connecting, (address, port))
                ready = socket.socket(fileno=connecting.detach())
            except OSError:
                raise StreamLost from None
        try:
            _, stream = await loop.create_connection(cls, sock=ready)
        except OSError:
            ready.close()
            raise StreamLost from None
        return stream

    @property
    def has_news(self) -> bool:
        """Something was received, or the connection ended: `read` returns at once."""
        return self._news.is_set()

    async def start_tls(self, contexts: Contexts, trust: Trust, name: str) -> None:
        """Encrypted, with a peer that proved to be `name` as `trust` asks. Unreachable if not; the stream is of no use then."""
        if self._size or self._is_over or self._transport is None:
            raise Unreachable(Reason.BROKEN_OFF)
        loop = asyncio.get_running_loop()
        try:
            secured = await loop.start_tls(self._transport, self, contexts.context(trust), server_hostname=name)
        except ssl.SSLCertVerificationError:
            raise Unreachable(Reason.NOT_TRUSTED) from None
        except (OSError, ValueError):  # SSLError is an OSError; ValueError: a name that fits into no handshake
            raise Unreachable(Reason.BROKEN_OFF) from None
        if secured is None:
            raise Unreachable(Reason.BROKEN_OFF)
        self._transport = secured
        shown = secured.get_extra_info("ssl_object")
        if not trust.accepts(shown.getpeercert(binary_form=True) if shown else None):
            raise Unreachable(Reason.NOT_TRUSTED)

    async def read(self, patience_s: float) -> bytes:
        """What was received since the last time, at least a byte; empty at the end of the connection. StreamLost after the patience."""
        try:
            async with asyncio.timeout(patience_s):
                await self._news.wait()
        except TimeoutError:
            raise StreamLost from None
        data = b"".join(self._received)
        self._received.clear()
        if self._size > BUFFER_BYTES and self._transport is not None and not self._is_over:
            self._transport.resume_reading()
        self._size = 0
        if not self._is_over:
            self._news.clear()
        return data

    async def write(self, data: bytes, patience_s: float) -> None:
        """Handed to the kernel, piece by piece. StreamLost if the connection is gone or takes no piece within the patience."""
        with memoryview(data) as whole:
            for start in range(0, len(whole), CHUNK_BYTES):
                await self.write_piece(whole[start : start + CHUNK_BYTES], patience_s)

    async def write_piece(self, data: bytes | memoryview, patience_s: float) -> None:
        """As `write`, in one piece."""
        try:
            async with asyncio.timeout(patience_s):
                await self._may_write.wait()
        except TimeoutError:
            raise StreamLost from None
        if self._is_over or self._transport is None:
            raise StreamLost
        self._transport.write(data)

    async def close(self) -> None:
        """What is queued is sent, and the connection ends; the kernel does it."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Ended at once."""
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=BUFFER_BYTES)

    def data_received(self, data: bytes) -> None:
        self._received.append(data)
        self._size += len(data)
        if self._size > BUFFER_BYTES and self._transport is not None:
            with suppress(RuntimeError):  # paused already
                self._transport.pause_reading()
        self._news.set()

    def eof_received(self) -> None:
        self._end()

    def connection_lost(self, _: Exception | None) -> None:
        self._end()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def _end(self) -> None:
        self._is_over = True
        self._news.set()
        self._may_write.set()


def _socket(address: str) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    made.setblocking(False)
    options: list[tuple[int, int, Any]] = [
        (socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNANSWERED_S * 1000),
        *zip([socket.IPPROTO_TCP] * 3, (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT), KEEPALIVE_S, strict=True),
    ]
    for level, option, value in options:
        made.setsockopt(level, option, value)
    return made


async def reach(address: str, port: int, patience_s: float) -> Stream:
    """A TCP connection. Unreachable if there is none in time."""
    try:
        async with asyncio.timeout(patience_s):
            return await Stream.connect(address, port)
    except (StreamLost, TimeoutError):
        raise Unreachable(Reason.NOT_CONNECTED) from None
