# SPDX-License-Identifier: AGPL-3.0-or-later
"""A fresh login link for an account whose relay has moved to another address.

The page is a pen, not a desk: what is typed is put into a link and forgotten. Nothing is looked up, so it tells nobody which accounts
exist.
"""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from razdar.web.account import hand_over
from razdar.web.errors import insecure
from razdar.web.forms import typed
from razdar.web.pages import Pages, is_secure


@dataclass(frozen=True, slots=True)
class Reconnect:
    """`/reconnect`."""

    pages: Pages

    def routes(self) -> list[Route]:
        return [Route("/reconnect", self.show), Route("/reconnect", self.make, methods=["POST"])]

    async def show(self, request: Request) -> Response:
        return self._form(request)

    async def make(self, request: Request) -> Response:
        if not is_secure(request):
            return insecure(self.pages, request)
        written = await typed(request)
        mistake = written.mistake(self.pages.site.domain)
        if mistake or written.address is None:
            return self._form(request, 422, mistake=mistake, typed=written.text)
        return hand_over(self.pages, request, (written.address, written.password), title="reconnect_ready_title", is_made=True)

    def _form(self, request: Request, status: int = 200, *, mistake: str = "", typed: str = "") -> Response:
        return self.pages.render(request, "reconnect.html", status, mistake=mistake, typed=typed)
