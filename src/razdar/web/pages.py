# SPDX-License-Identifier: AGPL-3.0-or-later
"""From a template and a request to a page: language, figures from the settings, and links that never come from the Host header.

A template sees the texts as `t`, the relay as `site` and `settings`, and `is_secure`. Whatever somebody typed or configured is escaped by
Jinja, and an undefined name is an error, not an empty place.
"""

from dataclasses import dataclass, field
from functools import cache
from ipaddress import IPv6Address, ip_address
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from razdar.web import dates
from razdar.web.assets import versioned
from razdar.web.language import language_of, other
from razdar.web.site import Site
from razdar.web.texts import catalogue

APP_URL = "https://get.delta.chat"
FOOT = (
    ("/", "home"),
    ("/privacy", "privacy_title"),
    ("/status", "status_title"),
    ("/account", "leave_title"),
    ("/reconnect", "foot_reconnect"),
)
"""Pages that every page's foot leads to: path and the text that names it."""


def ltr(text: object) -> Markup:
    """An address, link, code or foreign word as an island of its own direction (PERSIAN: ASCII inside bdi)."""
    return Markup('<bdi dir="ltr">{}</bdi>').format(text)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("razdar.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["ltr"] = ltr
    environment.globals.update(versioned=versioned, app_url=APP_URL, foot=FOOT, dates=dates)
    return environment


@dataclass(frozen=True, slots=True)
class Pages:
    """Renders templates/ for one relay."""

    site: Site
    environment: Environment = field(default_factory=_environment)

    def render(
        self, request: Request, template: str, status: int = 200, headers: dict[str, str] | None = None, **values: Any
    ) -> HTMLResponse:
        """The page in the reader's language. Never kept by caches: it may show a password, and its figures follow the settings."""
        html = self.environment.get_template(template).render(self._surroundings(request) | values)
        return HTMLResponse(html, status, {**(headers or {}), "Cache-Control": "no-store", "Vary": "Accept-Language"})

    def xml(self, template: str, **values: Any) -> str:
        """A document for programs, escaped in the same way."""
        return self.environment.get_template(template).render(values)

    def _surroundings(self, request: Request) -> dict[str, Any]:
        language = language_of(request)
        texts = catalogue()
        return {
            "t": texts[language],
            "language": language,
            "other": texts[other(language)],
            "can_switch": request.method in ("GET", "HEAD"),  # the answer to a form exists only once
            "site": self.site,
            "settings": self.site.settings(),
            "is_secure": is_secure(request),
            "secure_url": self.secure_url(request),
            "contact_url": contact_url(self.site),
            "apps": self.site.apps(),
        }

    def secure_url(self, request: Request) -> str:
        """This page over HTTPS, at the place that login links carry as well."""
        host, port = self.site.server_for(local_address(request)).host, self.site.ports["https"]
        written = f"[{host}]" if ":" in host else host
        shown = request.scope["raw_path"].decode("ascii") if request.method in ("GET", "HEAD") else "/"
        path = shown if shown.startswith("/") else "/"  # an absolute-form target names a host of its own (RFC 9112 section 3.2.2)
        return f"https://{written}{'' if port == 443 else f':{port}'}{path}?lang={language_of(request)}"


def local_address(request: Request) -> str:
    """Our own address that this connection came to, from the socket (uvicorn puts getsockname there); "" if it has none."""
    server = request.scope.get("server")
    try:
        address = ip_address(server[0].partition("%")[0]) if server else None
    except ValueError:
        return ""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address) if address else ""


def is_secure(request: Request) -> bool:
    """Whether this connection is TLS. Said by the socket; a header like X-Forwarded-Proto counts for nothing."""
    return bool(request.scope["scheme"] == "https")


def contact_url(site: Site) -> str:
    """The operator's contact if it is a link that may stand in a page, else ""."""
    contact = site.settings().contact
    return contact if contact.startswith(("mailto:", "https://")) and contact.isprintable() and " " not in contact else ""
