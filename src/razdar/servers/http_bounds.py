# SPDX-License-Identifier: AGPL-3.0-or-later
"""Bounds on request bodies, for the pages and for the few paths with bounds of their own, and the net below every application."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from razdar.servers.http_head import HeadLimits
from razdar.servers.journal import Journal


@dataclass(frozen=True, slots=True)
class Route:
    """One path for programs. Its application may ask `scope["state"]["source"]()` for the peer's address."""

    app: ASGIApp
    body_bytes: int
    head: HeadLimits | None = None
    """Bounds of a request's head there; None: as everywhere."""


class BoundedApp:
    """The application behind a bound on request bodies and behind a net for its bugs.

    Too much of a body raises HTTPException(413) where the application reads it, so that it can show a page of its own. An answer that is
    given before the whole body was read closes the connection: the rest is never read, so it can never be taken for a request.
    """

    def __init__(self, app: ASGIApp, body_bytes: int, journal: Journal, routes: Mapping[str, Route]) -> None:
        self._pages = Route(app, body_bytes)
        self._routes = routes
        self._journal = journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._routes.get(scope["path"], self._pages)
        if route is self._pages:
            scope.get("state", {}).pop("source", None)
        body = _Body(scope, receive, send, route.body_bytes)
        try:
            await route.app(scope, body.receive, body.send)
        except ClientDisconnect:
            pass
        except HTTPException as refused:
            await body.answer(refused.status_code)
        except Exception as bug:
            self._journal.bug(bug)  # the pages answer their own bugs (web/middleware.py); this is the net below them
            await body.answer(500)


class _Body:
    """One request's body on its way in, and the answer on its way out."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limit_bytes: int) -> None:
        headers = dict(scope["headers"])
        self._announced_bytes = int(headers.get(b"content-length", b"0"))
        self._is_complete = self._announced_bytes == 0 and b"transfer-encoding" not in headers
        self._left_bytes = limit_bytes
        self._receive = receive
        self._send = send
        self._is_answered = False

    async def receive(self) -> Message:
        if self._announced_bytes > self._left_bytes:
            raise HTTPException(413)
        message = await self._receive()
        if message["type"] == "http.request":
            size_bytes = len(message.get("body", b""))
            self._left_bytes -= size_bytes
            self._announced_bytes = max(0, self._announced_bytes - size_bytes)
            if self._left_bytes < 0:
                raise HTTPException(413)
            self._is_complete = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._is_answered = True
            if not self._is_complete:
                message = {**message, "headers": [*message.get("headers", []), (b"connection", b"close")]}
        await self._send(message)

    async def answer(self, status: int) -> None:
        """A last word if the application said none."""
        if self._is_answered:
            return
        text = HTTPStatus(status).phrase.encode() + b"\n"
        await self.send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
        await self.send({"type": "http.response.body", "body": text})
