# SPDX-License-Identifier: AGPL-3.0-or-later
"""The way over SMTP: port 25, STARTTLS, many messages on one connection.

The dialogue is wire/smtp/client.py; here are socket and patience.
"""

import asyncio

from razdar.adapters.courier.patience import Patience
from razdar.adapters.courier.stream import Contexts, Stream, StreamLost, reach
from razdar.adapters.courier.ways import Host
from razdar.ports.courier import Consignment, Outcome, Reason, Unreachable
from razdar.wire.smtp.client import SmtpClient
from razdar.wire.smtp.client_events import ClientEvent, Ended, Farewell, Sent, TlsAgreed

_REASONS = {
    Farewell.NO_TLS: Reason.NO_TLS,
    Farewell.BUSY: Reason.TOO_BUSY,
    Farewell.NONSENSE: Reason.BROKEN_OFF,
    Farewell.LOST: Reason.BROKEN_OFF,
    Farewell.QUIT: Reason.BROKEN_OFF,
}


class SmtpWay:
    """Made by `open_smtp`."""

    def __init__(self, stream: Stream, name: str, patience: Patience) -> None:
        self._stream = stream
        self._client = SmtpClient(name)
        self._patience = patience

    async def greet(self, contexts: Contexts, host: Host) -> None:
        """TLS is up and EHLO said. Unreachable if not."""
        event = await self._event()
        if isinstance(event, TlsAgreed):
            await self._stream.start_tls(contexts, host.trust, host.name)
            self._client.tls_started()
            event = await self._event()
        if isinstance(event, Ended):
            raise Unreachable(_REASONS[event.farewell])

    @property
    def is_stale(self) -> bool:
        """The server has hung up, or said something that nobody asked for: 421, most likely."""
        return self._client.is_over or self._stream.has_news

    async def send(self, consignment: Consignment) -> Outcome:
        """As `ports.courier.Line.send`, for a connection that is not stale."""
        self._client.send(consignment.sender, consignment.recipients, consignment.message)
        event = await self._event()
        if isinstance(event, Sent):
            return Outcome(event.refused)
        raise Unreachable(_REASONS[event.farewell] if isinstance(event, Ended) else Reason.BROKEN_OFF)

    async def close(self) -> None:
        """QUIT and a short wait for the answer; never raises."""
        self._client.quit()
        try:
            await self._stream.write(self._client.take_output(), self._patience.close)
            if not self._client.is_over:
                await self._stream.read(self._patience.close)
        except StreamLost:
            pass
        finally:
            self._stream.abort()

    def abort(self) -> None:
        self._stream.abort()

    async def _event(self) -> ClientEvent:
        """The next thing the dialogue has to tell."""
        while (event := self._client.next_event()) is None:
            try:
                await self._stream.write(self._client.take_output(), self._patience.write)
                async with asyncio.timeout(self._patience.verdict):  # however many drops the replies come in
                    await self._listen()
            except (StreamLost, TimeoutError):
                self._client.lost()
        if isinstance(event, TlsAgreed) and self._stream.has_news:
            raise Unreachable(Reason.BROKEN_OFF)  # something in clear behind the 220
        return event

    async def _listen(self) -> None:
        """Until there is something to say or to tell. StreamLost if nothing comes for too long, or nothing more at all."""
        while not (self._client.has_output or self._client.has_event):
            data = await self._stream.read(self._patience.verdict if self._client.awaits_verdict else self._patience.reply)
            if not data:
                raise StreamLost
            self._client.receive(data)


async def open_smtp(host: Host, address: str, name: str, contexts: Contexts, patience: Patience) -> SmtpWay:
    """Ready for messages. Unreachable if not; `name` is ours."""
    stream = await reach(address, host.smtp_port, patience.connect)
    way = SmtpWay(stream, name, patience)
    try:
        await way.greet(contexts, host)
    except BaseException:
        way.abort()
        raise
    return way
