# SPDX-License-Identifier: AGPL-3.0-or-later
"""What stands before each page of the console: TLS, a session, and for every form the session's own token.

Without a session there is one page, which says how to get in, and every other address answers 403, whatever was asked. The cookie is
host-bound, only for TLS, never sent from elsewhere (SameSite=Strict) and out of a script's reach; a form from a page that is not ours also
shows by Sec-Fetch-Site.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from razdar.web.console.action import Values
from razdar.web.console.desk import Desk
from razdar.web.console.passkeys import possible_for
from razdar.web.console.sessions import Session
from razdar.web.middleware import SECURITY
from razdar.web.pages import Pages, is_secure, local_address

COOKIE = "__Host-razdar-console"
WITH_SCRIPT = {"Content-Security-Policy": SECURITY["Content-Security-Policy"] + "; script-src 'self'; connect-src 'self'"}
_FIELDS_MAX, _JSON_BYTES = 16, 16_384
Page = Callable[[Request, Session], Awaitable[Response]]
Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Guard:
    """Wraps handlers into what routes get, and shows what only somebody inside may see."""

    pages: Pages
    desk: Desk

    def session(self, request: Request) -> Session | None:
        return self.desk.sessions.find(request.cookies.get(COOKIE, "")) if is_secure(request) else None

    def inside(self, page: Page) -> Handler:
        async def guarded(request: Request) -> Response:
            session = self.session(request)
            return self.outside(request, 403) if session is None else await page(request, session)

        return guarded

    def form(self, page: Callable[[Request, Session, Values], Awaitable[Response]]) -> Handler:
        async def guarded(request: Request) -> Response:
            session = self.session(request)
            if session is None:
                return self.outside(request, 403)
            typed = await _typed(request)
            if not session.fits(typed.get("form", "")) or is_from_elsewhere(request):
                self.desk.count("console.refused")
                return self.pages.render(request, "problem.html", 403, words="console_stale", reference="", minutes=0)
            return await page(request, session, typed)

        return guarded

    def json(self, answer: Callable[[Request, Session | None, Mapping[str, Any]], Awaitable[Response]], *, inside: bool) -> Handler:
        async def guarded(request: Request) -> Response:
            session = self.session(request)
            asked = await _asked(request)
            is_ours = not inside or (session is not None and session.fits(str(asked.get("form", ""))))
            if not is_secure(request) or not self.may_have_passkeys(request) or not is_ours or is_from_elsewhere(request):
                self.desk.count("console.refused")
                raise HTTPException(403)
            return await answer(request, session, asked)

        return guarded

    def outside(self, request: Request, status: int = 200) -> Response:
        """How to get in."""
        has_passkey = bool(len(self.desk.passkeys)) and self.may_have_passkeys(request)
        return self.pages.render(request, "console/door.html", status, WITH_SCRIPT, has_passkey=has_passkey)

    def let_in(self, response: Response, cookie: str) -> Response:
        response.headers["Cache-Control"] = "no-store"
        response.set_cookie(COOKIE, cookie, path="/", secure=True, httponly=True, samesite="strict")
        return response

    def show(self, request: Request, session: Session, template: str, status: int = 200, **values: Any) -> Response:
        return self.pages.render(request, f"console/{template}", status, form_token=session.form_token, desk=self.desk, **values)

    def host(self, request: Request) -> str:
        return self.pages.site.server_for(local_address(request)).host

    def may_have_passkeys(self, request: Request) -> bool:
        return possible_for(self.host(request), is_self_signed=self.pages.site.is_self_signed())


async def _typed(request: Request) -> Values:
    async with request.form(max_files=0, max_fields=_FIELDS_MAX) as form:
        return {name: str(value) for name, value in form.items()}


async def _asked(request: Request) -> Mapping[str, Any]:
    """What the script sent: JSON that no form of a foreign page can send (its type makes browsers ask us first)."""
    if request.headers.get("content-type") != "application/json":
        raise HTTPException(403)
    try:
        asked = json.loads((await request.body())[:_JSON_BYTES])
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise HTTPException(400)
    return asked


def is_from_elsewhere(request: Request) -> bool:
    """Whether the browser says that a foreign page sent this (Fetch Metadata). Old ones say nothing; the form's token stands for them."""
    return request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
