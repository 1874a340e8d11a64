# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the relay tells every client that asks for server annotations (RFC 5464 section 6.2, WIRE facts of the Delta Chat core)."""

import json
from collections.abc import Mapping, Sequence

from razdar.model.app_file import AppFile
from razdar.settings import Settings

_DELTA_CHAT = "/shared/vendor/deltachat/"


def server_metadata(settings: Settings, apps: Sequence[AppFile] = (), page: str = "") -> Mapping[str, str]:
    """Entry name in lower case → value; an entry that is not configured is missing (GETMETADATA answers NIL).

    `apps` are handed out below `page`, the address of the welcome page with its last slash.
    """
    entries = {
        "/shared/comment": settings.operator,
        "/shared/admin": settings.contact,
        _DELTA_CHAT + "maxsmtprecipients": str(settings.recipients),
        _DELTA_CHAT + "turn": settings.turn,
        _DELTA_CHAT + "irohrelay": settings.iroh_relay,
        _DELTA_CHAT + "appversions": app_versions(apps, page),
    }
    return {name: value for name, value in entries.items() if value}


def app_versions(apps: Sequence[AppFile], page: str) -> str:
    """One line of JSON about the newest app for each system whose version number is known; "" if there is none."""
    newest: dict[str, AppFile] = {}
    for app in sorted(apps, key=lambda app: app.number):
        if app.number:
            newest[app.system] = app
    sources = [
        {"sourceId": system, "versionInteger": app.number, "versionString": app.version, "downloadUrl": f"{page}apps/{app.name}"}
        for system, app in sorted(newest.items())
    ]
    return json.dumps({"clients": [{"clientId": "deltachat", "sources": sources}]}, separators=(",", ":")) if sources else ""
