# SPDX-License-Identifier: AGPL-3.0-or-later
"""The way over HTTPS: `POST /mxdeliv`, one request a message, many on one connection.

Only 200 means that the message was taken. 400 carries the words that SMTP would have; 413, and everything that shows that the host speaks
this protocol not at all or not now, sends the message the other way (OtherWay). Redirects are not followed: whoever may redirect could
choose whom we talk to. Everything in the head is an address that was parsed, so nothing in it can begin a header of its own; h11 looks
again.
"""

import asyncio

import h11

from razdar.adapters.courier.memory import BROKEN_S, UNSUPPORTED_S
from razdar.adapters.courier.patience import Patience
from razdar.adapters.courier.stream import CHUNK_BYTES, Contexts, Stream, StreamLost, reach
from razdar.adapters.courier.ways import Host, OtherWay
from razdar.model.address import Address, parse_address
from razdar.model.verdict import Refusal
from razdar.ports.courier import Consignment, Outcome, Reason, Unreachable
from razdar.wire.smtp.client_replies import refusal_in_text
from razdar.wire.smtp.replies import BAD_RECIPIENT_ADDRESS, BAD_SENDER_ADDRESS, MALFORMED_MESSAGE
from razdar.wire.smtp.stuffing import is_strict

PATH = "/mxdeliv"
ANSWER_BYTES = 65_536
HINTS_MAX = 10
"""Answers of the 1xx kind before the real one."""
_ABOUT_THE_MESSAGE = ("3", "6", "7")
"""Enhanced codes x.S.y whose refusal means everybody: system, content, policy (RFC 3463 section 3)."""


class HttpsWay:
    """Made by `open_https`."""

    def __init__(self, stream: Stream, host: Host, patience: Patience) -> None:
        self._stream = stream
        self._host = _authority(host)
        self._patience = patience
        self._http = h11.Connection(h11.CLIENT)
        self.is_over = False
        """No other request can be sent on this connection."""

    @property
    def is_stale(self) -> bool:
        """The host has hung up, as hosts do with a connection that nobody uses."""
        return self.is_over or self._stream.has_news

    async def send(self, consignment: Consignment) -> Outcome:
        """As `ports.courier.Line.send`, for a connection that is not stale. OtherWay if the message must go over SMTP, and has not gone."""
        unfit = _unfit(consignment)
        fit = [str(each) for each in consignment.recipients if each not in unfit]
        if not fit:
            return Outcome(unfit)
        self.is_over = True  # until it is known to be fine
        is_whole = await self._ask(consignment, fit)
        try:
            async with asyncio.timeout(self._patience.verdict):
                status, answer = await self._answer()
        except (StreamLost, TimeoutError):
            if is_whole:
                raise Unreachable(Reason.BROKEN_OFF) from None  # perhaps it was taken
            raise OtherWay(BROKEN_S) from None
        self._recycle()
        return _read(status, answer, consignment, unfit)

    async def close(self) -> None:
        await self._stream.close()

    def abort(self) -> None:
        self._stream.abort()

    async def _ask(self, consignment: Consignment, recipients: list[str]) -> bool:
        """Whether the whole request was sent: a host that will not have it may say so in the middle."""
        headers = [("Host", self._host), ("Content-Type", "message/rfc822"), ("Content-Length", str(len(consignment.message)))]
        headers += [("X-MAIL-FROM", str(consignment.sender or "")), *(("X-MAIL-TO", each) for each in recipients)]
        try:
            await self._stream.write_piece(self._bytes(h11.Request(method="POST", target=PATH, headers=headers)), self._patience.write)
            with memoryview(consignment.message) as body:
                for start in range(0, len(body), CHUNK_BYTES):
                    if self._stream.has_news:
                        return False
                    piece = bytes(body[start : start + CHUNK_BYTES])
                    await self._stream.write_piece(self._bytes(h11.Data(data=piece)), self._patience.write)
            self._http.send(h11.EndOfMessage())
        except StreamLost:
            return False
        return True

    def _bytes(self, event: h11.Request | h11.Data) -> bytes:
        return self._http.send(event) or b""

    async def _answer(self) -> tuple[int, bytes]:
        """Status and body; of a body without measure what came first."""
        status, hints, body = 0, 0, bytearray()
        while True:
            event = await self._event()
            if isinstance(event, h11.InformationalResponse):
                hints += 1
                if hints > HINTS_MAX:
                    raise StreamLost
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data) and len(body) + len(event.data) < ANSWER_BYTES:
                body += event.data
            else:
                return status, bytes(body)

    async def _event(self) -> h11.Event | type[h11.PAUSED]:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self._http.receive_data(await self._stream.read(self._patience.verdict))
        except h11.RemoteProtocolError:
            raise StreamLost from None
        if isinstance(event, h11.ConnectionClosed):
            raise StreamLost
        assert event is not h11.NEED_DATA
        return event  # type: ignore[return-value]  # h11's sentinels are no types for mypy

    def _recycle(self) -> None:
        """The connection serves the next message, if both sides are through with this one."""
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            self.is_over = False
        else:
            self._stream.abort()


async def open_https(host: Host, address: str, contexts: Contexts, patience: Patience) -> HttpsWay:
    """Ready for messages. Unreachable if not."""
    stream = await reach(address, host.https_port, patience.connect)
    try:
        await stream.start_tls(contexts, host.trust, host.name)
    except BaseException:
        stream.abort()
        raise
    return HttpsWay(stream, host, patience)


def _authority(host: Host) -> str:
    """RFC 9110 section 7.2."""
    name = f"[{host.name}]" if ":" in host.name else host.name
    return name if host.https_port == 443 else f"{name}:{host.https_port}"


def _unfit(consignment: Consignment) -> dict[Address, Refusal]:
    """Who cannot be asked for, as over SMTP: nothing that would be read differently there is sent here."""
    sender = consignment.sender
    if not is_strict(consignment.message):
        return dict.fromkeys(consignment.recipients, MALFORMED_MESSAGE)
    if sender is not None and parse_address(str(sender)) != sender:
        return dict.fromkeys(consignment.recipients, BAD_SENDER_ADDRESS)
    return {each: BAD_RECIPIENT_ADDRESS for each in consignment.recipients if parse_address(str(each)) != each}


def _read(status: int, answer: bytes, consignment: Consignment, unfit: dict[Address, Refusal]) -> Outcome:
    """What an answer means."""
    if status == 200:
        return Outcome(unfit)
    if status == 413:
        raise OtherWay(is_too_big=True)
    refusal = refusal_in_text(answer) if status == 400 else None
    if refusal is None:
        raise OtherWay(BROKEN_S if status == 400 or status >= 500 else UNSUPPORTED_S)
    if len(consignment.recipients) - len(unfit) > 1 and not _is_about_the_message(refusal):
        raise OtherWay(refusal=refusal)
    return Outcome({**dict.fromkeys(consignment.recipients, refusal), **unfit})


def _is_about_the_message(refusal: Refusal) -> bool:
    return refusal.enhanced.split(".")[1] in _ABOUT_THE_MESSAGE or refusal.code in (523, 552, 554)
