# SPDX-License-Identifier: AGPL-3.0-or-later
"""Can every port be opened, or is it already open, and by us?"""

import socket
from collections.abc import Iterator, Mapping
from typing import Any

from razdar.checkup.finding import Finding, fine, note, troubled, wrong
from razdar.model.trouble import Trouble
from razdar.servers.listening import try_port, usable
from razdar.servers.metrics import ADDRESS
from razdar.settings import Settings, port_layout

_ABOUT = "ports"
_PATIENCE_S = 5.0


def examine(settings: Settings, running: Mapping[str, Any] | None) -> list[Finding]:
    """`running`: the ready file of the relay that runs on this data folder; None: there is none."""
    wanted = [(address, port) for address in usable(settings.bind) for port in port_layout(settings.ports).values()]
    wanted += [(ADDRESS, settings.metrics_port)] if settings.metrics_port and not running else []
    ours = {(each["address"], each["port"]) for each in running["listeners"]} if running else set()
    shown = "، ".join(str(port) for port in sorted({port for _, port in wanted}))
    findings = [*_silent(ours), *_closed([each for each in wanted if each not in ours], is_running=running is not None)]
    if findings:
        return findings
    if running:
        return [fine(_ABOUT, f"رله روی این درگاه‌ها پاسخ می‌دهد: {shown}.", f"The relay answers on {shown.replace('،', ',')}.")]
    return [fine(_ABOUT, f"این درگاه‌ها آزاد است: {shown}.", f"These ports are free: {shown.replace('،', ',')}.")]


def _silent(ours: set[tuple[str, int]]) -> Iterator[Finding]:
    """Doors of the running relay that nobody answers."""
    for address, port in sorted(ours):
        target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 - compared, not bound
        try:
            socket.create_connection((target, port), _PATIENCE_S).close()
        except OSError:
            yield wrong(
                _ABOUT,
                f"رله روشن است ولی درگاه {port} روی {address} پاسخ نمی‌دهد؛ گزارشش را ببینید و دوباره روشنش کنید.",
                f"The relay runs but port {port} on {address} does not answer; look at its log and start it again.",
            )


def _closed(doors: list[tuple[str, int]], *, is_running: bool) -> Iterator[Finding]:
    """Doors that could not be opened now. A running relay that was told of others needs a restart first."""
    for address, port in doors:
        try:
            try_port(address, port)
        except Trouble as trouble:
            yield troubled(_ABOUT, trouble)
        else:
            if is_running:
                yield note(
                    _ABOUT,
                    f"درگاه {port} روی {address} در تنظیم‌ها هست ولی رلهٔ روشن آن را باز نکرده است؛ رله را دوباره روشن کنید.",
                    f"Port {port} on {address} is in the settings, but the running relay has not opened it; start the relay again.",
                )
