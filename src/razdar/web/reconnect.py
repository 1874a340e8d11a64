"""A fresh login link for an account whose relay has moved to another address.

The page is a pen, not a desk: what is typed is put into a link and forgotten. Nothing is looked up, so it tells nobody which accounts
exist.
"""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from razdar.model.address import Address, parse_address
from razdar.web.account import hand_over
from razdar.web.errors import insecure
from razdar.web.numerals import ascii_digits
from razdar.web.pages import Pages, is_secure

PASSWORD_MAX = 256  # characters; fits into a code that phones can read


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
        async with request.form(max_files=0, max_fields=8) as form:
            typed, password = str(form.get("address", "")).strip(), str(form.get("password", "")).strip()
        address = parse_address(ascii_digits(typed))
        if address is None or address.domain != self.pages.site.domain:
            return self._form(request, 422, mistake="reconnect_foreign", typed=typed)
        if not 0 < len(password) <= PASSWORD_MAX:
            return self._form(request, 422, mistake="reconnect_empty", typed=typed)
        return self._ready(request, address, password)

    def _ready(self, request: Request, address: Address, password: str) -> Response:
        return hand_over(self.pages, request, (address, password), title="reconnect_ready_title", is_made=True)

    def _form(self, request: Request, status: int = 200, *, mistake: str = "", typed: str = "") -> Response:
        return self.pages.render(request, "reconnect.html", status, mistake=mistake, typed=typed[:320])
