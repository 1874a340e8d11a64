# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documents for programs: where mail apps find the ports (Thunderbird's autoconfig) and whom to tell about a hole (RFC 9116)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from razdar.web.pages import Pages, contact_url

VALID_DAYS = 180  # RFC 9116 section 2.5.5 asks for less than a year


@dataclass(frozen=True, slots=True)
class WellKnown:
    """`/.well-known/…` and `/mail/config-v1.1.xml`."""

    pages: Pages

    def routes(self) -> list[Route]:
        return [
            Route("/.well-known/autoconfig/mail/config-v1.1.xml", self.autoconfig),
            Route("/mail/config-v1.1.xml", self.autoconfig),
            Route("/.well-known/security.txt", self.security),
        ]

    async def autoconfig(self, _: Request) -> Response:
        """The same for everybody: the address in the query is not looked at.

        It names the domain, never one of our IP addresses: whoever asks got here under that name and believes its certificate, and the
        client checks the certificate of what stands here strictly (docs/interop.md).
        """
        site = self.pages.site
        ports = site.ports
        incoming = [(ports["imaps"], "SSL"), (ports["imap"], "STARTTLS"), (ports["https"], "SSL")]
        outgoing = [(ports["submissions"], "SSL"), (ports["submission"], "STARTTLS"), (ports["https"], "SSL")]
        host = site.settings().advertise or site.domain.removeprefix("[").removesuffix("]").removeprefix("ipv6:")
        xml = self.pages.xml("autoconfig.xml", domain=site.domain, host=host, incoming=incoming, outgoing=outgoing)
        return Response(xml, media_type="application/xml")

    async def security(self, _: Request) -> Response:
        contact = contact_url(self.pages.site)
        if not contact:
            raise HTTPException(404)
        expires = datetime.fromtimestamp(self.pages.site.now(), UTC) + timedelta(days=VALID_DAYS)
        return PlainTextResponse(f"Contact: {contact}\nExpires: {expires:%Y-%m-%dT00:00:00Z}\nPreferred-Languages: fa, en\n")
