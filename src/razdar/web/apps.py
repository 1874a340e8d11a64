# SPDX-License-Identifier: AGPL-3.0-or-later
"""The app from the relay itself: `/apps/NAME`, for days on which shops and the makers' page are out of reach.

A name is on the operator's list or there is no such file: no path is built from what a visitor sends (adapters/apps.py). Parts can be asked
for, so a download that broke off goes on where it stopped. Over plain HTTP as well: phones check who signed an app.
"""

from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from razdar.model.app_file import suffix
from razdar.web.pages import Pages

_TYPES = {".apk": "application/vnd.android.package-archive", ".deb": "application/vnd.debian.binary-package"}


class Download(FileResponse):
    """A file that may take hours over a slow line: each part that has left gives the next one time (servers/http.py)."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        more_time = scope.get("state", {}).get("more_time", lambda: None)

        async def patient(message: Message) -> None:
            await send(message)
            more_time()

        await super().__call__(scope, receive, patient)


@dataclass(frozen=True, slots=True)
class Apps:
    """`/apps/NAME`."""

    pages: Pages

    def routes(self) -> list[Route]:
        return [Route("/apps/{name}", self.download)]

    async def download(self, request: Request) -> Response:
        name = request.path_params["name"]
        file = next((each for each in self.pages.site.apps() if each.name == name), None)
        path = None if file is None else self.pages.site.app_path(file.name)
        if file is None or path is None:
            raise HTTPException(404)
        headers = {"ETag": f'"{file.sha256}"', "Cache-Control": "no-cache"}
        return Download(path, headers=headers, media_type=_TYPES.get(suffix(name), "application/octet-stream"), filename=file.name)
