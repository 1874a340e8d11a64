# SPDX-License-Identifier: AGPL-3.0-or-later
"""The page that hands over an account: button, code, address and password, once."""

import segno
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from razdar.web.pages import Pages, is_secure, local_address
from razdar.web.site import Credentials
from razdar.wire.links import dclogin


def login_link(pages: Pages, request: Request, credentials: Credentials) -> str:
    """The `dclogin:` link for somebody who reached us the way this request did."""
    return dclogin(*credentials, pages.site.server_for(local_address(request)))


def code(link: str) -> Markup:
    """The link as an SVG that scales with its place; always dark on light, because many scanners read nothing else."""
    drawn = segno.make(link, error="l", micro=False)
    svg = drawn.svg_inline(omitsize=True, border=4, dark="#000", light="#fff", svgclass=None, lineclass=None)
    return Markup(svg)  # noqa: S704 - drawn by segno from modules; no text of the link is in it


def hand_over(pages: Pages, request: Request, credentials: Credentials, *, title: str, is_made: bool) -> Response:
    """Shows the credentials. Never called for a request that came over plain HTTP; should it be, that is a bug and nothing is shown."""
    if not is_secure(request):
        raise RuntimeError("credentials over plain HTTP")
    link = login_link(pages, request, credentials)
    address, password = credentials
    return pages.render(
        request, "account.html", title=title, is_made=is_made, link=link, code=code(link), address=str(address), password=password
    )
