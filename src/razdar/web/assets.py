# SPDX-License-Identifier: AGPL-3.0-or-later
"""Style sheet, font and icon: a fixed set, read once. There is no path to traverse: a name is in the table or it is not.

Texts among them travel compressed. Pages never do: a page may hold a password beside something a stranger chose (BREACH).
"""

import gzip
import hashlib
from functools import cache
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

TYPES = {
    "razdar.css": "text/css; charset=utf-8",
    "vazirmatn.woff2": "font/woff2",
    "vazirmatn-LICENSE.txt": "text/plain; charset=utf-8",
    "favicon.svg": "image/svg+xml",
    "khatam.svg": "image/svg+xml",
    "console.js": "text/javascript; charset=utf-8",
}
MAX_AGE_S = 86_400  # a day, so that an upgraded relay does not wear its old style for long; the style sheet's link carries its digest


@cache
def asset(name: str) -> bytes:
    """The file's bytes. KeyError for a name that is not ours."""
    if name not in TYPES:
        raise KeyError(name)
    return files("razdar.web").joinpath("static", name).read_bytes()


@cache
def packed(name: str) -> bytes:
    """The file as gzip, the same bytes each time."""
    return gzip.compress(asset(name), 9, mtime=0)


@cache
def _digest(name: str) -> str:
    return hashlib.blake2b(asset(name), digest_size=6).hexdigest()


def versioned(name: str) -> str:
    """The link to it, which changes with its content."""
    return f"/static/{name}?v={_digest(name)}"


def _route(path: str, name: str) -> Route:
    async def serve(request: Request) -> Response:
        headers = {"Cache-Control": f"public, max-age={MAX_AGE_S}", "ETag": f'W/"{_digest(name)}"', "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        is_text = TYPES[name] != "font/woff2"  # that format is compressed already
        if is_text and takes_gzip(request.headers.get("accept-encoding", "")):
            return Response(packed(name), headers={**headers, "Content-Encoding": "gzip"}, media_type=TYPES[name])
        return Response(asset(name), headers=headers, media_type=TYPES[name])

    return Route(path, serve)


def takes_gzip(accepted: str) -> bool:
    """Whether Accept-Encoding names gzip and does not refuse it (RFC 9110 section 12.5.3)."""
    codings = (each.replace(" ", "").lower().partition(";") for each in accepted[:200].split(","))
    return any(name == "gzip" and weight not in ("q=0", "q=0.0", "q=0.00", "q=0.000") for name, _, weight in codings)


async def _robots(_: Request) -> Response:
    return PlainTextResponse("User-agent: *\nDisallow: /\n")


def routes() -> list[Route]:
    return [*(_route(f"/static/{name}", name) for name in TYPES), _route("/favicon.ico", "favicon.svg"), Route("/robots.txt", _robots)]
