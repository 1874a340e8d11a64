# SPDX-License-Identifier: AGPL-3.0-or-later
"""Pages for what went wrong: each says what happened and where to go on. A bug of ours gets a reference number that the journal has too."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from razdar.model.verdict import Refusal
from razdar.services.invites import STALE
from razdar.services.signups import TOO_MANY
from razdar.web.pages import Pages

_WITH_WORDS = {400, 403, 404, 405, 413, 500}


def problem(pages: Pages, request: Request, status: int, reference: str = "", headers: dict[str, str] | None = None) -> Response:
    """The page for an HTTP status; statuses without words of their own say that the request could not be read."""
    words = f"error_{status if status in _WITH_WORDS else 400}"
    return pages.render(request, "problem.html", status, headers, words=words, reference=reference, minutes=0)


def refused(pages: Pages, request: Request, refusal: Refusal) -> Response:
    """The kind page for a relay that makes no account now."""
    words, minutes = words_for(pages, refusal), pages.site.settings().signup_pause_minutes
    return pages.render(request, "problem.html", status_for(refusal), words=words, reference="", minutes=minutes)


def words_for(pages: Pages, refusal: Refusal) -> str:
    """Which text explains a refusal to make an account: the refusal's own words are English and for programs."""
    if refusal == STALE:
        return "stale"
    if refusal.is_temporary:
        return "flood" if refusal == TOO_MANY else "later"
    return "invite_only" if pages.site.settings().registration == "invite" else "closed"


def status_for(refusal: Refusal) -> int:
    """RFC 9110 sections 15.5.4 and 15.5.10, RFC 6585 section 4."""
    if refusal == STALE:
        return 409
    return 429 if refusal.is_temporary else 403


def busy(pages: Pages, request: Request) -> Response:
    """Too much to do or no disk; nothing happened."""
    return pages.render(request, "problem.html", 503, {"Retry-After": "120"}, words="later", reference="", minutes=0)


def insecure(pages: Pages, request: Request) -> Response:
    """Somebody sent a form over plain HTTP."""
    return problem(pages, request, 403)


class HttpErrors:
    """Turns Starlette's exceptions (unknown path, wrong method, body too large, unreadable form) into pages."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    async def __call__(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return problem(self._pages, request, error.status_code, headers=dict(error.headers or {}))
