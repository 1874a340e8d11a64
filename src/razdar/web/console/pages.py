# SPDX-License-Identifier: AGPL-3.0-or-later
"""The console's pages and what stands before each of them: TLS, a session, and for every form the session's own token.

Without a session there is one page, which says how to get in, and every other address answers 403, whatever was asked. The cookie is
host-bound, only for TLS, never sent from elsewhere (SameSite=Strict) and out of a script's reach; a form from a page that is not ours also
shows by Sec-Fetch-Site. Everything works without script but the passkey, whose two pages allow the one script file of ours.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from razdar.policy.totals import PEOPLE_FROM, of_people
from razdar.web.account import code
from razdar.web.console.actions import Action, Actions, Done, Values, bounds, is_plain
from razdar.web.console.desk import Desk
from razdar.web.console.figures import SPANS, buckets, charts, parts, totals
from razdar.web.console.passkeys import PasskeyRefused, possible_for
from razdar.web.console.sessions import Session
from razdar.web.errors import insecure
from razdar.web.language import language_of
from razdar.web.limits import row
from razdar.web.middleware import SECURITY
from razdar.web.pages import Pages, is_secure, local_address
from razdar.web.sheet import sheet
from razdar.web.status import days_in_a_word
from razdar.web.texts import catalogue

COOKIE = "__Host-razdar-console"
WITH_SCRIPT = {"Content-Security-Policy": SECURITY["Content-Security-Policy"] + "; script-src 'self'; connect-src 'self'"}
_FIELDS_MAX, _JSON_BYTES = 12, 16_384
Page = Callable[[Request, Session], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Console:
    """`/console` and what lies below it."""

    pages: Pages
    desk: Desk
    actions: Actions = field(init=False)

    def __post_init__(self) -> None:
        site = self.pages.site
        object.__setattr__(self, "actions", Actions(self.desk, site.settings, site.domain, partial(sheet, self.pages)))

    def routes(self) -> list[Route]:
        return [
            Route("/console", self.overview),
            Route("/console/enter/{token}", self.look_at_link),
            Route("/console/enter/{token}", self.enter, methods=["POST"]),
            Route("/console/leave", self._form(self.leave), methods=["POST"]),
            Route("/console/limits", self._inside(self.limits)),
            Route("/console/people", self._inside(self.people)),
            Route("/console/relay", self._inside(self.relay)),
            Route("/console/log", self._inside(self.log)),
            Route("/console/do/{action}", self._inside(self.show_action)),
            Route("/console/do/{action}", self._form(self.do_action), methods=["POST"]),
            Route("/console/passkey", self._inside(self.passkey)),
            Route("/console/passkey/add", self._json(self.begin_adding, inside=True), methods=["POST"]),
            Route("/console/passkey/added", self._json(self.finish_adding, inside=True), methods=["POST"]),
            Route("/console/passkey/ask", self._json(self.begin_entering, inside=False), methods=["POST"]),
            Route("/console/passkey/answer", self._json(self.finish_entering, inside=False), methods=["POST"]),
        ]

    # who may

    def _session(self, request: Request) -> Session | None:
        return self.desk.sessions.find(request.cookies.get(COOKIE, "")) if is_secure(request) else None

    def _inside(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            session = self._session(request)
            return self._outside(request, 403) if session is None else await page(request, session)

        return guarded

    def _form(self, page: Callable[[Request, Session, Values], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            session = self._session(request)
            if session is None:
                return self._outside(request, 403)
            typed = await _typed(request)
            if not session.fits(typed.get("form", "")) or _is_from_elsewhere(request):
                self.desk.count("console.refused")
                return self.pages.render(request, "problem.html", 403, words="console_stale", reference="", minutes=0)
            return await page(request, session, typed)

        return guarded

    def _json(
        self, answer: Callable[[Request, Session | None, Mapping[str, Any]], Awaitable[Response]], *, inside: bool
    ) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            session = self._session(request)
            asked = await _asked(request)
            is_ours = not inside or (session is not None and session.fits(str(asked.get("form", ""))))
            if not is_secure(request) or not self._may_have_passkeys(request) or not is_ours or _is_from_elsewhere(request):
                self.desk.count("console.refused")
                raise HTTPException(403)
            return await answer(request, session, asked)

        return guarded

    def _outside(self, request: Request, status: int = 200) -> Response:
        """How to get in."""
        has_passkey = bool(len(self.desk.passkeys)) and self._may_have_passkeys(request)
        return self.pages.render(request, "console/door.html", status, WITH_SCRIPT, has_passkey=has_passkey)

    # coming and going

    async def look_at_link(self, request: Request) -> Response:
        token = request.path_params["token"]
        if not is_secure(request) or not self.desk.sessions.is_link(token):
            return self._outside(request, 403)
        return self.pages.render(request, "console/enter.html", token=token)

    async def enter(self, request: Request) -> Response:
        if not is_secure(request):
            return insecure(self.pages, request)
        cookie = None if _is_from_elsewhere(request) else self.desk.sessions.enter(request.path_params["token"])
        if cookie is None:
            return self._not_let_in(request)
        await self.desk.log.add("enter")
        return self._let_in(RedirectResponse(f"/console?lang={language_of(request)}", 303), cookie)

    def _not_let_in(self, request: Request) -> Response:
        self.desk.count("console.refused")
        if not self.desk.sessions.may_try():
            return self.pages.render(request, "problem.html", 429, {"Retry-After": "60"}, words="later", reference="", minutes=0)
        self.desk.sessions.note_failure()
        return self._outside(request, 403)

    def _let_in(self, response: Response, cookie: str) -> Response:
        response.headers["Cache-Control"] = "no-store"
        response.set_cookie(COOKIE, cookie, path="/", secure=True, httponly=True, samesite="strict")
        return response

    async def leave(self, request: Request, _: Session, __: Values) -> Response:
        self.desk.sessions.close(request.cookies.get(COOKIE, ""))
        response = RedirectResponse(f"/console?lang={language_of(request)}", 303, {"Cache-Control": "no-store"})
        response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
        return response

    # looking

    def _show(self, request: Request, session: Session, template: str, status: int = 200, **values: Any) -> Response:
        return self.pages.render(request, f"console/{template}", status, form_token=session.form_token, desk=self.desk, **values)

    async def overview(self, request: Request) -> Response:
        session = self._session(request)
        if session is None:
            return self._outside(request)
        asked = request.query_params.get("span", "day")
        span = asked if asked in SPANS else "day"
        hours, t = buckets(self.desk.statistics, span), catalogue()[language_of(request)]
        refused, attacks = parts(hours, t)
        outlook = self.desk.statistics.outlook()
        return self._show(
            request,
            session,
            "overview.html",
            outlook=outlook,
            few=PEOPLE_FROM if of_people(0, outlook.sample.accounts) is None else 0,
            span=span,
            spans=tuple(SPANS),
            totals=totals(hours, t),
            refused=refused,
            attacks=attacks,
            charts=[each for each in charts(hours, t) if not each.is_empty] if len(hours) > 1 else [],
            certificate_expires=self.desk.certificate_expires(),
            strip=days_in_a_word(self.desk.statistics),
        )

    async def people(self, request: Request, session: Session) -> Response:
        return self._show(request, session, "people.html")

    async def limits(self, request: Request, session: Session) -> Response:
        settings, language = self.pages.site.settings(), language_of(request)
        rows = [(row(name, settings, language), may) for name, may in self.desk.changeable().items() if is_plain(name)]
        return self._show(request, session, "limits.html", rows=rows)

    async def relay(self, request: Request, session: Session) -> Response:
        return self._show(
            request,
            session,
            "relay.html",
            outlook=self.desk.statistics.outlook(),
            certificate_expires=self.desk.certificate_expires(),
            may_have_passkeys=self._may_have_passkeys(request),
        )

    async def log(self, request: Request, session: Session) -> Response:
        return self._show(request, session, "log.html", entries=self.desk.log.latest(200))

    # acting

    def _action(self, request: Request) -> Action:
        action = self.actions.by_name.get(request.path_params["action"])
        if action is None:
            raise HTTPException(404)
        return action

    async def show_action(self, request: Request, session: Session) -> Response:
        return self._ask(request, session, self._action(request), dict(request.query_params), "")

    def _ask(self, request: Request, session: Session, action: Action, typed: Values, mistake: str) -> Response:
        fields = [replace(each, value=typed[each.name]) if _is_kept(each.name, each.kind, typed) else each for each in action.fields(typed)]
        if action.name == "setting" and not fields:
            raise HTTPException(404)
        return self._show(
            request,
            session,
            "form.html",
            422 if mistake else 200,
            action=action,
            fields=fields,
            mistake=mistake,
            bounds=bounds,
            typed=typed,
        )

    async def do_action(self, request: Request, session: Session, typed: Values) -> Response:
        action = self._action(request)
        values = action.check(typed)
        if isinstance(values, str):
            return self._ask(request, session, action, typed, values)
        if action.is_asked and typed.get("sure") != "1":
            return self._show(request, session, "confirm.html", action=action, values=values)
        done = await action.run(values)
        if isinstance(done, str):
            return self._ask(request, session, action, typed, done)
        await self.desk.log.add(action.name, done.setting, done.before, done.after)
        return _file(done) if done.download else self._tell(request, session, action, values, done)

    def _tell(self, request: Request, session: Session, action: Action, values: Values, done: Done) -> Response:
        drawn = code(done.link) if done.link else ""
        return self._show(request, session, "done.html", action=action, values=values, done=done, code=drawn)

    # passkeys

    def _host(self, request: Request) -> str:
        return self.pages.site.server_for(local_address(request)).host

    def _may_have_passkeys(self, request: Request) -> bool:
        return possible_for(self._host(request), is_self_signed=self.pages.site.is_self_signed())

    async def passkey(self, request: Request, session: Session) -> Response:
        page = self._show(request, session, "passkey.html", may_have=self._may_have_passkeys(request))
        page.headers.update(WITH_SCRIPT)
        return page

    async def begin_adding(self, request: Request, session: Session | None, _: Mapping[str, Any]) -> Response:
        assert session is not None
        options, session.challenge = self.desk.passkeys.begin_adding(self._host(request))
        return _private_json(options)

    async def finish_adding(self, request: Request, session: Session | None, asked: Mapping[str, Any]) -> Response:
        assert session is not None
        state, session.challenge = session.challenge, None
        try:
            await self.desk.passkeys.finish_adding(self._host(request), state, asked.get("response", {}))
        except (PasskeyRefused, OSError):
            return _private_json({"ok": False}, 400)
        await self.desk.log.add("passkey")
        return _private_json({"ok": True})

    async def begin_entering(self, request: Request, _: Session | None, __: Mapping[str, Any]) -> Response:
        if not len(self.desk.passkeys):
            raise HTTPException(404)
        return _private_json(self.desk.passkeys.begin(self._host(request)))

    async def finish_entering(self, request: Request, _: Session | None, asked: Mapping[str, Any]) -> Response:
        if not self.desk.sessions.may_try():
            self.desk.count("console.refused")
            return _private_json({"ok": False}, 429)
        try:
            self.desk.passkeys.finish(self._host(request), asked.get("response", {}))
        except PasskeyRefused:
            self.desk.count("console.refused")
            self.desk.sessions.note_failure()
            return _private_json({"ok": False}, 403)
        await self.desk.log.add("enter")
        return self._let_in(_private_json({"ok": True}), self.desk.sessions.open())


def _is_kept(name: str, kind: str, typed: Values) -> bool:
    """What was typed stands in the form again, but for passwords."""
    return name in typed and kind != "password"


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


def _is_from_elsewhere(request: Request) -> bool:
    """Whether the browser says that a foreign page sent this (Fetch Metadata). Old ones say nothing; the form's token stands for them."""
    return request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")


def _private_json(content: Mapping[str, Any], status: int = 200) -> Response:
    return JSONResponse(dict(content), status, {"Cache-Control": "no-store"})


def _file(done: Done) -> Response:
    headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{done.name}"'}
    return Response(done.download, headers=headers, media_type="application/octet-stream")
