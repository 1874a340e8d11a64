# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every page that a browser test looks at, and how to get there. Another group of pages adds a list of its own to `VIEWS`."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.web_pages import DOMAIN, Relay

from razdar.model.address import Address
from razdar.model.app_file import AppFile
from razdar.settings import Settings
from razdar.web.site import Credentials
from razdar.wire.links import ANY_CERTIFICATE, Server

TOKEN, NOTED = "aaaabbbbccccdddd", "aaaabbbbccccdddd.2qnZhNin2LMg2YfZgdiq2YU"
ANNA, SECRET = f"u7k2m9x4q@{DOMAIN}", "Tm4wQz8hVpR2sNc6yKdJ3e"
APP = AppFile("deltachat-gplay-release-2.57.0.apk", "2.57.0", 754, 83_000_000, hashlib.sha256(b"app").hexdigest())


class Town(Relay):
    """A relay as a visitor finds it, with names that fit into a picture."""

    async def new_credentials(self) -> Credentials:
        return Address("u7k2m9x4q", self.domain), SECRET

    def server_for(self, local_address: str) -> Server:
        return Server("192.168.1.5", 8993, 8465, certificate_checks=ANY_CERTIFICATE)


def town(**changes: Any) -> Relay:
    """A relay of a school, with an app on its shelf."""
    settings = Settings(operator="مدرسهٔ سعدی", contact="mailto:relay@school.example", **changes.pop("settings", {}))
    return Town(settings, apps=[APP], apps_folder=Path("/nonexistent"), invites={TOKEN: 3, NOTED: 1}, accounts={ANNA: SECRET}, **changes)


@dataclass(frozen=True, slots=True)
class View:
    """One page: whose it is, where it begins and what is done there. `steps` gets Playwright's page."""

    name: str
    path: str
    steps: Callable[[Any], object] = lambda page: None
    relay: Callable[[], Relay] = town
    is_plain: bool = False
    status: int = 200
    pictures: tuple[tuple[str, int, str], ...] = field(default=())
    """For docs/screens: language, width, light or dark."""

    def __str__(self) -> str:
        return self.name


def press(page: Any) -> None:
    """The main button of the first form."""
    with page.expect_navigation():
        page.click("form .act")


def leave(page: Any, *, sure: bool, password: str = SECRET) -> None:
    page.fill("#delete-address", ANNA)
    page.fill("#delete-password", password)
    if sure:
        page.check("input[name=sure]")
    with page.expect_navigation():
        page.click(".danger")


def renew(page: Any) -> None:
    page.fill("#password-address", ANNA)
    page.fill("#password-password", SECRET)
    press(page)


def wrong(page: Any) -> None:
    leave(page, sure=True, password="not-the-password")


PHONES = (("fa", 360, "light"), ("fa", 360, "dark"))
VIEWS: list[View] = [
    View("welcome", "/", pictures=(*PHONES, ("fa", 1280, "dark"), ("en", 1280, "light"))),
    View("welcome-plain", "/", is_plain=True, pictures=(("fa", 360, "light"),)),
    View("welcome-invite-only", "/", relay=lambda: town(settings={"registration": "invite"})),
    View("welcome-closed", "/", relay=lambda: town(settings={"registration": "closed"})),
    View("welcome-flood", "/", relay=lambda: town(may_join=False)),
    View("account", "/", press, pictures=(("fa", 360, "light"), ("en", 360, "dark"))),
    View("invite", f"/i/{NOTED}", pictures=(("fa", 360, "light"),)),
    View("invite-claimed", f"/i/{TOKEN}", press),
    View("invite-over", "/i/0000000000000000", status=410, pictures=(("fa", 360, "light"),)),
    View("code", "/i"),
    View("leave", "/account", pictures=(("fa", 360, "light"),)),
    View("leave-wrong", "/account", wrong, status=403),
    View("leave-gone", "/account", lambda page: leave(page, sure=True)),
    View("new-password", "/account", renew),
    View("privacy", "/privacy", pictures=(("fa", 1280, "light"), ("en", 360, "light"))),
    View("limits", "/limits"),
    View("reconnect", "/reconnect"),
    View("not-found", "/nothing", status=404),
]
