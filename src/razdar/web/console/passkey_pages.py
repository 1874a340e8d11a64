# SPDX-License-Identifier: AGPL-3.0-or-later
"""Adding a passkey and entering with one: the only two pages of the console that run a script, ours (static/console.js)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from razdar.web.console.guard import WITH_SCRIPT, Guard
from razdar.web.console.passkeys import PasskeyRefused
from razdar.web.console.sessions import Session


@dataclass(frozen=True, slots=True)
class PasskeyPages:
    """`/console/passkey` and what its script asks."""

    guard: Guard

    def routes(self) -> list[Route]:
        guard = self.guard
        return [
            Route("/console/passkey", guard.inside(self.passkey)),
            Route("/console/passkey/add", guard.json(self.begin_adding, inside=True), methods=["POST"]),
            Route("/console/passkey/added", guard.json(self.finish_adding, inside=True), methods=["POST"]),
            Route("/console/passkey/ask", guard.json(self.begin_entering, inside=False), methods=["POST"]),
            Route("/console/passkey/answer", guard.json(self.finish_entering, inside=False), methods=["POST"]),
        ]

    async def passkey(self, request: Request, session: Session) -> Response:
        page = self.guard.show(request, session, "passkey.html", may_have=self.guard.may_have_passkeys(request))
        page.headers.update(WITH_SCRIPT)
        return page

    async def begin_adding(self, request: Request, session: Session | None, _: Mapping[str, Any]) -> Response:
        assert session is not None
        options, session.challenge = self.guard.desk.passkeys.begin_adding(self.guard.host(request))
        return _private_json(options)

    async def finish_adding(self, request: Request, session: Session | None, asked: Mapping[str, Any]) -> Response:
        assert session is not None
        state, session.challenge = session.challenge, None
        try:
            await self.guard.desk.passkeys.finish_adding(self.guard.host(request), state, asked.get("response", {}))
        except (PasskeyRefused, OSError):
            return _private_json({"ok": False}, 400)
        await self.guard.desk.log.add("passkey")
        return _private_json({"ok": True})

    async def begin_entering(self, request: Request, _: Session | None, __: Mapping[str, Any]) -> Response:
        if not len(self.guard.desk.passkeys):
            raise HTTPException(404)
        return _private_json(self.guard.desk.passkeys.begin(self.guard.host(request)))

    async def finish_entering(self, request: Request, _: Session | None, asked: Mapping[str, Any]) -> Response:
        if not self.guard.desk.sessions.may_try():
            self.guard.desk.count("console.refused")
            return _private_json({"ok": False}, 429)
        try:
            self.guard.desk.passkeys.finish(self.guard.host(request), asked.get("response", {}))
        except PasskeyRefused:
            self.guard.desk.count("console.refused")
            self.guard.desk.sessions.note_failure()
            return _private_json({"ok": False}, 403)
        await self.guard.desk.log.add("enter")
        return self.guard.let_in(_private_json({"ok": True}), self.guard.desk.sessions.open())


def _private_json(content: Mapping[str, Any], status: int = 200) -> Response:
    return JSONResponse(dict(content), status, {"Cache-Control": "no-store"})
