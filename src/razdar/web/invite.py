# SPDX-License-Identifier: AGPL-3.0-or-later
"""The invite page. Looking uses nothing up, so link previews of messengers are harmless; only the form claims.

The token is in the path, because the page must work without script; no log has paths, and no-referrer keeps it from other sites. A code
from a card can be typed on `/i`.
"""

import re
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from razdar.model.verdict import Refusal
from razdar.services.invites import STALE, note_of
from razdar.web.account import hand_over
from razdar.web.errors import busy, insecure, refused
from razdar.web.forms import ticket
from razdar.web.numerals import ascii_digits
from razdar.web.pages import Pages, is_secure

_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,64}(?:\.[A-Za-z0-9_-]{1,160})?")


@dataclass(frozen=True, slots=True)
class Invite:
    """`/i` and `/i/TOKEN`."""

    pages: Pages

    def routes(self) -> list[Route]:
        return [Route("/i", self.ask), Route("/i/{token}", self.show), Route("/i/{token}", self.claim, methods=["POST"])]

    async def ask(self, request: Request) -> Response:
        """The page to type a code from paper; with a code, what it is good for."""
        code = re.sub(r"[\s-]", "", ascii_digits(request.query_params.get("code", ""))).lower()
        return await self._look(request, code) if code else self.pages.render(request, "code.html")

    async def show(self, request: Request) -> Response:
        return await self._look(request, request.path_params["token"])

    async def _look(self, request: Request, token: str) -> Response:
        uses = await self.pages.site.invite_uses(token) if _TOKEN.fullmatch(token) else 0
        return self.pages.render(request, "invite.html", token=token, uses=uses, note=note_of(token)) if uses else self._over(request)

    async def claim(self, request: Request) -> Response:
        if not is_secure(request):
            return insecure(self.pages, request)
        token = request.path_params["token"]
        if _TOKEN.fullmatch(token) is None:
            return self._over(request)
        credentials = await self.pages.site.claim_invite(token, await ticket(request))
        if isinstance(credentials, Refusal):
            return self._refused(request, credentials)
        return hand_over(self.pages, request, credentials, title="account_title", is_made=True)

    def _refused(self, request: Request, refusal: Refusal) -> Response:
        if refusal == STALE:
            return refused(self.pages, request, refusal)
        return busy(self.pages, request) if refusal.is_temporary else self._over(request)

    def _over(self, request: Request) -> Response:
        """Unknown, used up and expired look the same: who guesses tokens learns nothing."""
        return self.pages.render(request, "over.html", 410)
