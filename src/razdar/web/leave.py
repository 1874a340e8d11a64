# SPDX-License-Identifier: AGPL-3.0-or-later
"""`/account`: a new password for an account, or its end, for whoever knows address and password.

Too many wrong passwords are answered like a busy relay, as at a login; that the name does not exist is answered like a wrong password.
"""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from razdar.model.verdict import Refusal
from razdar.web.account import hand_over
from razdar.web.errors import insecure
from razdar.web.forms import Typed, network, typed
from razdar.web.pages import Pages, is_secure
from razdar.wire.smtp.replies import BLOCKED


@dataclass(frozen=True, slots=True)
class Leave:
    """`/account`, `/account/password` and `/account/delete`."""

    pages: Pages

    def routes(self) -> list[Route]:
        return [
            Route("/account", self.show),
            Route("/account/password", self.change, methods=["POST"]),
            Route("/account/delete", self.delete, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        return self._form(request)

    async def change(self, request: Request) -> Response:
        if not is_secure(request):
            return insecure(self.pages, request)
        written = await typed(request)
        mistake = written.mistake(self.pages.site.domain)
        if mistake or written.address is None:
            return self._form(request, 422, "password", mistake, written)
        fresh = await self.pages.site.new_password(written.address, written.password, network(request))
        if isinstance(fresh, Refusal):
            return self._form(request, 403, "password", "leave_blocked" if fresh == BLOCKED else "leave_wrong", written)
        return hand_over(self.pages, request, (written.address, fresh), title="password_ready_title", is_made=True)

    async def delete(self, request: Request) -> Response:
        if not is_secure(request):
            return insecure(self.pages, request)
        written = await typed(request)
        mistake = written.mistake(self.pages.site.domain) or ("" if written.is_sure else "leave_unsure")
        if mistake or written.address is None:
            return self._form(request, 422, "delete", mistake, written)
        if not await self.pages.site.leave(written.address, written.password, network(request)):
            return self._form(request, 403, "delete", "leave_wrong", written)
        return self.pages.render(request, "gone.html")

    def _form(self, request: Request, status: int = 200, part: str = "", mistake: str = "", written: Typed | None = None) -> Response:
        typed_text = written.text if written else ""
        return self.pages.render(request, "leave.html", status, part=part, mistake=mistake, typed=typed_text)
