"""The invite page. Looking uses nothing up, so link previews of messengers are harmless; only the form claims.

The token is in the path, because the page must work without script; no log has paths, and no-referrer keeps it from other sites.
"""

import re
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from razdar.model.verdict import Refusal
from razdar.web.account import hand_over
from razdar.web.errors import busy, insecure
from razdar.web.pages import Pages, is_secure

_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,64}")


@dataclass(frozen=True, slots=True)
class Invite:
    """`/i/TOKEN`."""

    pages: Pages

    def routes(self) -> list[Route]:
        return [Route("/i/{token}", self.show), Route("/i/{token}", self.claim, methods=["POST"])]

    async def show(self, request: Request) -> Response:
        token = request.path_params["token"]
        uses = await self.pages.site.invite_uses(token) if _TOKEN.fullmatch(token) else 0
        return self.pages.render(request, "invite.html", token=token, uses=uses) if uses else self._over(request)

    async def claim(self, request: Request) -> Response:
        if not is_secure(request):
            return insecure(self.pages, request)
        token = request.path_params["token"]
        if _TOKEN.fullmatch(token) is None:
            return self._over(request)
        credentials = await self.pages.site.claim_invite(token)
        if isinstance(credentials, Refusal):
            return busy(self.pages, request) if credentials.is_temporary else self._over(request)
        return hand_over(self.pages, request, credentials, title="account_title", is_made=True)

    def _over(self, request: Request) -> Response:
        """Unknown, used up and expired look the same: who guesses tokens learns nothing."""
        return self.pages.render(request, "problem.html", 410, words="invite_over", reference="")
