# SPDX-License-Identifier: AGPL-3.0-or-later
"""The web face of a relay, put together: routes, error pages and what every answer goes through.

Plain HTTP shows the same pages with a way to HTTPS instead of forms; it never shows or takes a password. A further group of pages is a
class with `routes()` like the ones below.
"""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from razdar.web import assets
from razdar.web.apps import Apps
from razdar.web.console.desk import Desk
from razdar.web.console.pages import Console
from razdar.web.errors import HttpErrors
from razdar.web.invite import Invite
from razdar.web.leave import Leave
from razdar.web.limits import LimitsPage
from razdar.web.middleware import Net, SecurityHeaders
from razdar.web.pages import Pages
from razdar.web.privacy import Privacy
from razdar.web.reconnect import Reconnect
from razdar.web.site import Site
from razdar.web.status import Status
from razdar.web.welcome import Welcome
from razdar.web.wellknown import WellKnown


def make_app(site: Site, desk: Desk | None = None) -> Starlette:
    """The ASGI application for `site`, with console and status if there is a desk. Only sessions of the console outlive a request."""
    pages = Pages(site)
    groups = (
        Welcome(pages),
        LimitsPage(pages),
        Invite(pages),
        Reconnect(pages),
        Leave(pages),
        Apps(pages),
        Privacy(pages),
        WellKnown(pages),
    )
    more = () if desk is None else (Console(pages, desk), Status(pages, desk))
    app = Starlette(
        routes=[*(route for group in (*groups, *more) for route in group.routes()), *assets.routes()],
        middleware=[Middleware(SecurityHeaders, site), Middleware(Net, pages)],
        exception_handlers={HTTPException: HttpErrors(pages)},
    )
    app.router.redirect_slashes = False  # Starlette would build that redirect from the Host header
    return app
