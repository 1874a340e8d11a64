"""Style sheet, font and icon: a fixed set, read once. There is no path to traverse: a name is in the table or it is not."""

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
}
MAX_AGE_S = 86_400  # a day, so that an upgraded relay does not wear its old style for long; the style sheet's link carries its digest


@cache
def asset(name: str) -> bytes:
    """The file's bytes. KeyError for a name that is not ours."""
    if name not in TYPES:
        raise KeyError(name)
    return files("razdar.web").joinpath("static", name).read_bytes()


@cache
def _digest(name: str) -> str:
    return hashlib.blake2b(asset(name), digest_size=6).hexdigest()


def versioned(name: str) -> str:
    """The link to it, which changes with its content."""
    return f"/static/{name}?v={_digest(name)}"


def _route(path: str, name: str) -> Route:
    async def serve(request: Request) -> Response:
        headers = {"Cache-Control": f"public, max-age={MAX_AGE_S}", "ETag": f'"{_digest(name)}"'}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(asset(name), headers=headers, media_type=TYPES[name])

    return Route(path, serve)


async def _robots(_: Request) -> Response:
    return PlainTextResponse("User-agent: *\nDisallow: /\n")


def routes() -> list[Route]:
    return [*(_route(f"/static/{name}", name) for name in TYPES), _route("/favicon.ico", "favicon.svg"), Route("/robots.txt", _robots)]
