# SPDX-License-Identifier: AGPL-3.0-or-later
"""The console's pages: coming and going, what they show, and the three steps of every action. web/console/guard.py stands before them.

Everything works without script but the passkey, whose two pages allow the one script file of ours (web/console/passkey_pages.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from razdar.model.trouble import Trouble
from razdar.policy.totals import PEOPLE_FROM, of_people
from razdar.ports.resolver import Peer
from razdar.web.account import code
from razdar.web.console.action import Action, Done, Values
from razdar.web.console.actions import Actions, bounds, is_plain
from razdar.web.console.desk import Desk
from razdar.web.console.figures import SPANS, buckets, charts, parts, totals
from razdar.web.console.guard import COOKIE, Guard, is_from_elsewhere
from razdar.web.console.passkey_pages import PasskeyPages
from razdar.web.console.sessions import Session
from razdar.web.errors import insecure
from razdar.web.language import language_of
from razdar.web.limits import row
from razdar.web.pages import Pages, is_secure
from razdar.web.sheet import sheet
from razdar.web.status import days_in_a_word
from razdar.web.texts import catalogue


@dataclass(frozen=True, slots=True)
class Console:
    """`/console` and what lies below it."""

    pages: Pages
    desk: Desk
    guard: Guard = field(init=False)
    actions: Actions = field(init=False)

    def __post_init__(self) -> None:
        site = self.pages.site
        object.__setattr__(self, "guard", Guard(self.pages, self.desk))
        object.__setattr__(self, "actions", Actions(self.desk, site.settings, site.domain, partial(sheet, self.pages)))

    def routes(self) -> list[Route]:
        return [
            Route("/console", self.overview),
            Route("/console/enter/{token}", self.look_at_link),
            Route("/console/enter/{token}", self.enter, methods=["POST"]),
            Route("/console/leave", self.guard.form(self.leave), methods=["POST"]),
            Route("/console/limits", self.guard.inside(self.limits)),
            Route("/console/people", self.guard.inside(self.people)),
            Route("/console/relay", self.guard.inside(self.relay)),
            Route("/console/log", self.guard.inside(self.log)),
            Route("/console/do/{action}", self.guard.inside(self.show_action)),
            Route("/console/do/{action}", self.guard.form(self.do_action), methods=["POST"]),
            *PasskeyPages(self.guard).routes(),
        ]

    # coming and going

    async def look_at_link(self, request: Request) -> Response:
        token = request.path_params["token"]
        if not is_secure(request) or not self.desk.sessions.is_link(token):
            return self.guard.outside(request, 403)
        return self.pages.render(request, "console/enter.html", token=token)

    async def enter(self, request: Request) -> Response:
        if not is_secure(request):
            return insecure(self.pages, request)
        cookie = None if is_from_elsewhere(request) else self.desk.sessions.enter(request.path_params["token"])
        if cookie is None:
            return self._not_let_in(request)
        await self.desk.log.add("enter")
        return self.guard.let_in(RedirectResponse(f"/console?lang={language_of(request)}", 303), cookie)

    def _not_let_in(self, request: Request) -> Response:
        self.desk.count("console.refused")
        if not self.desk.sessions.may_try():
            return self.pages.render(request, "problem.html", 429, {"Retry-After": "60"}, words="later", reference="", minutes=0)
        self.desk.sessions.note_failure()
        return self.guard.outside(request, 403)

    async def leave(self, request: Request, _: Session, __: Values) -> Response:
        self.desk.sessions.close(request.cookies.get(COOKIE, ""))
        response = RedirectResponse(f"/console?lang={language_of(request)}", 303, {"Cache-Control": "no-store"})
        response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
        return response

    # looking

    async def overview(self, request: Request) -> Response:
        session = self.guard.session(request)
        if session is None:
            return self.guard.outside(request)
        asked = request.query_params.get("span", "day")
        span = asked if asked in SPANS else "day"
        hours, t = buckets(self.desk.statistics, span), catalogue()[language_of(request)]
        refused, attacks = parts(hours, t)
        outlook = self.desk.statistics.outlook()
        return self.guard.show(
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
        return self.guard.show(request, session, "people.html")

    async def limits(self, request: Request, session: Session) -> Response:
        settings, language = self.pages.site.settings(), language_of(request)
        rows = [(row(name, settings, language), may) for name, may in self.desk.changeable().items() if is_plain(name)]
        return self.guard.show(request, session, "limits.html", rows=rows)

    async def relay(self, request: Request, session: Session) -> Response:
        try:
            peers: Sequence[Peer] | None = self.desk.peers.all()
        except Trouble:
            peers = None
        return self.guard.show(
            request,
            session,
            "relay.html",
            peers=peers,
            outlook=self.desk.statistics.outlook(),
            certificate_expires=self.desk.certificate_expires(),
            may_have_passkeys=self.guard.may_have_passkeys(request),
        )

    async def log(self, request: Request, session: Session) -> Response:
        return self.guard.show(request, session, "log.html", entries=self.desk.log.latest(200))

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
        if not fields and action.name == "setting":
            raise HTTPException(404)
        return self.guard.show(
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
            if action.prepare is not None:
                values = await action.prepare(values)
            if isinstance(values, str):
                return self._ask(request, session, action, typed, values)
            return self.guard.show(request, session, "confirm.html", action=action, values=values)
        done = await action.run(values)
        if isinstance(done, str):
            return self._ask(request, session, action, typed, done)
        if action.is_logged:
            await self.desk.log.add(action.name, done.setting, done.before, done.after)
        return _file(done) if done.download else self._tell(request, session, action, values, done)

    def _tell(self, request: Request, session: Session, action: Action, values: Values, done: Done) -> Response:
        drawn = code(done.link) if done.link else ""
        return self.guard.show(request, session, "done.html", action=action, values=values, done=done, code=drawn)


def _is_kept(name: str, kind: str, typed: Values) -> bool:
    """What was typed stands in the form again, but for passwords."""
    return name in typed and kind != "password"


def _file(done: Done) -> Response:
    headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{done.name}"'}
    return Response(done.download, headers=headers, media_type="application/octet-stream")
