# SPDX-License-Identifier: AGPL-3.0-or-later
"""What other relays may ask of our HTTPS: that we take a message (`/mxdeliv`), and whether one is ours (the call-back).

An ASGI application for each. The body is counted in the memory of all messages of other relays while it comes, and the answer is given
only after the commit. Nothing is taken without TLS, and nothing is redirected.
"""

from dataclasses import dataclass

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from razdar.model.arrival import Arrival
from razdar.model.verdict import Refusal, Verdict
from razdar.ports.crew import CrewBusy
from razdar.ports.store import StoreFull, StoreUnavailable
from razdar.servers.http_bounds import Route
from razdar.servers.http_head import HeadLimits
from razdar.servers.incoming_note import note_incoming
from razdar.servers.journal import Journal
from razdar.servers.memory import SMALL_BYTES, Holding
from razdar.servers.smtp_relay import RelayDesk
from razdar.services.confirmations import Sending
from razdar.wire import confirm, mxdeliv
from razdar.wire.smtp import replies

RECIPIENT_BYTES = 120
"""Of the head, for each recipient: the names of the apps have 9 letters."""


def peer_routes(desk: RelayDesk, sending: Sending, journal: Journal, head_bytes: int) -> dict[str, Route]:
    """What the HTTP edge answers to other relays, by path."""
    recipients = desk.limits.recipients
    head = HeadLimits(head_bytes=head_bytes + RECIPIENT_BYTES * recipients, fields=100 + recipients)
    return {
        mxdeliv.PATH: Route(MxDeliv(desk, journal), desk.limits.message_bytes, head),
        confirm.PATH: Route(Confirm(sending), 0),
    }


@dataclass(frozen=True, slots=True)
class MxDeliv:
    """Takes messages."""

    desk: RelayDesk
    journal: Journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await _answer(send, 405, b"Method not allowed", (b"allow", b"POST"))
            return
        verdict = await self._take(scope, receive)
        if isinstance(verdict, Refusal):
            closing = [(b"connection", b"close")] if verdict in (replies.BARE_NEWLINE, replies.TOO_MANY_CONNECTIONS) else []
            await _answer(send, 400, replies.render(verdict), *closing)
        else:
            await _answer(send, 200, replies.render(replies.MESSAGE_ACCEPTED))

    async def _take(self, scope: Scope, receive: Receive) -> Verdict:
        if scope["scheme"] != "https":
            return replies.TLS_REQUIRED
        if self.desk.receive is None:
            return replies.NOT_LOCAL
        state = scope["state"]
        arrival = Arrival(state.get("network", b""), state["source"]())
        slot = self.desk.slots.enter(arrival.network)
        if slot is None:
            return replies.TOO_MANY_CONNECTIONS
        holding = Holding(self.desk.memory)
        try:
            verdict = await self._receive(arrival, scope, receive, holding)
        finally:
            slot.leave()
            holding.count(0)
        note_incoming(self.journal, verdict)
        if not isinstance(verdict, Refusal):
            slot.proved()
        return verdict

    async def _receive(self, arrival: Arrival, scope: Scope, receive: Receive, holding: Holding) -> Verdict:
        service = self.desk.receive
        assert service is not None
        allowance = service.may_offer(arrival)
        if isinstance(allowance, Refusal):
            return allowance
        envelope = mxdeliv.read_envelope(scope["headers"], self.desk.limits.recipients)
        if isinstance(envelope, Refusal):
            return envelope
        content = await self._read(receive, holding)
        if isinstance(content, Refusal):
            return content
        if not mxdeliv.is_strict(content):
            self.journal.count("smuggling.refused")
            return replies.BARE_NEWLINE
        try:
            return await service(arrival, envelope, content)
        except StoreFull:
            return replies.STORE_FULL
        except (StoreUnavailable, CrewBusy):
            return replies.STORE_UNAVAILABLE

    async def _read(self, receive: Receive, holding: Holding) -> bytes | Refusal:
        """The body, every line of it ended."""
        content = bytearray()
        if not await holding.wait(SMALL_BYTES, self.desk.memory_wait_s):
            return replies.OVERLOADED
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            content += message.get("body", b"")
            if not holding.reserve(len(content)):
                return replies.OVERLOADED
            if not message.get("more_body", False):
                break
        return bytes(content if content.endswith(b"\r\n") else content + b"\r\n")


@dataclass(frozen=True, slots=True)
class Confirm:
    """Says whether this relay is sending a message."""

    sending: Sending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        digest = confirm.asked(scope["query_string"])
        word = self.sending.answer(digest) if digest is not None and scope["scheme"] == "https" else None
        if scope["method"] != "GET":
            await _answer(send, 405, b"Method not allowed", (b"allow", b"GET"))
        else:
            await _answer(send, 404 if word is None else 200, word or b"Not known here")


async def _answer(send: Send, status: int, text: bytes, *more: tuple[bytes, bytes]) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(text)).encode()), (b"cache-control", b"no-store"), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})
