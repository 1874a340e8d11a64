# SPDX-License-Identifier: AGPL-3.0-or-later
"""What every answer goes through: headers that bind the browser, and a net for our own bugs."""

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from razdar.ports.crew import CrewBusy
from razdar.ports.store import StoreUnavailable
from razdar.web.errors import busy, problem
from razdar.web.pages import Pages
from razdar.web.site import Site

SECURITY = {
    # No script at all, nothing from elsewhere, no frame around us. `dclogin:` links are plain anchors, which no directive touches.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",  # the path of an invite is a secret
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # browsers that do not know frame-ancestors
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
HSTS = "max-age=31536000"


class SecurityHeaders:
    """Adds them to every answer."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_bound(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)  # a page with the one script of ours says so itself (web/console/pages.py)
                if scope.get("scheme") == "https" and self._wants_hsts():
                    headers["Strict-Transport-Security"] = HSTS
            await send(message)

        await self._app(scope, receive, send_bound)

    def _wants_hsts(self) -> bool:
        """Not with a certificate that browsers warn of (RFC 6797 section 8.1), nor on port 8443: there the rule would turn http://…:8080
        into https://…:8080 (section 8.3), where nobody speaks TLS."""
        return not self._site.is_self_signed() and self._site.ports["https"] == 443


class Net:
    """Catches what an endpoint raised: a busy relay is said kindly, a bug gets a reference number."""

    def __init__(self, app: ASGIApp, pages: Pages) -> None:
        self._app = app
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_noted(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        except ClientDisconnect:
            raise
        except Exception as error:
            if started:
                raise
            await self._answer(error, Request(scope))(scope, receive, send)

    def _answer(self, error: Exception, request: Request) -> ASGIApp:
        if isinstance(error, CrewBusy | StoreUnavailable):
            return busy(self._pages, request)
        return problem(self._pages, request, 500, reference=self._pages.site.report(error))
