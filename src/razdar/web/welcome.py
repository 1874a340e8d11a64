# SPDX-License-Identifier: AGPL-3.0-or-later
"""The first page, and making an account from it or from inside the app.

None of the forms carries a CSRF token: there is no cookie and no other authority that a browser would add by itself, so a foreign page that
sends them gains nothing it could not do alone. Making a name and a password stores nothing; the first login makes the account. A reload of
the answer shows the same account again, by the ticket in the form (web/forms.py).
"""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from razdar.model.verdict import Refusal
from razdar.web.account import hand_over, login_link
from razdar.web.errors import insecure, refused, status_for, words_for
from razdar.web.forms import ticket
from razdar.web.language import language_of
from razdar.web.limits import rows
from razdar.web.pages import Pages, is_secure
from razdar.web.texts import catalogue


@dataclass(frozen=True, slots=True)
class Welcome:
    """`/`, `/welcome` and `/new`."""

    pages: Pages

    def routes(self) -> list[Route]:
        return [
            Route("/", self.show),
            Route("/welcome", self.make, methods=["POST"]),
            # Other relays redirect GET /new to a DCACCOUNT: link; on a self-signed host that link cannot work, so it is a plain 405 here.
            Route("/new", self.make_for_app, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        return self.pages.render(request, "welcome.html", limits=rows(self.pages.site.settings(), language_of(request)))

    async def make(self, request: Request) -> Response:
        if not is_secure(request):
            return insecure(self.pages, request)
        sent = await ticket(request)
        site = self.pages.site
        credentials = await (site.credentials_for(sent) if sent else site.new_credentials())
        if isinstance(credentials, Refusal):
            return refused(self.pages, request, credentials)
        return hand_over(self.pages, request, credentials, title="account_title", is_made=False)

    async def make_for_app(self, request: Request) -> Response:
        """`DCACCOUNT:https://host/new`: JSON, as the apps expect it."""
        if not is_secure(request):
            return self._no("error_403_title", 403)
        credentials = await self.pages.site.new_credentials()
        if isinstance(credentials, Refusal):
            return self._no(f"{words_for(self.pages, credentials)}_title", status_for(credentials))
        address, password = credentials
        answer = {"email": str(address), "password": password}
        if self.pages.site.is_self_signed():
            answer["dclogin_url"] = login_link(self.pages, request, credentials)
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    def _no(self, key: str, status: int) -> Response:
        """The app shows the reason as it stands and tells us no language, so it gets both."""
        reason = " — ".join(str(texts(key)) for texts in catalogue().values())
        return JSONResponse({"reason": reason}, status, {"Cache-Control": "no-store"})
