# SPDX-License-Identifier: AGPL-3.0-or-later
"""`/status`: is the relay well, in words and as a strip of ninety days, and how many accounts are blocked, signed; the same as JSON."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from razdar.policy.health import STATES, State, worst
from razdar.services.statistics import Statistics
from razdar.web.console.desk import Desk
from razdar.web.dates import DAY_S, iso_day
from razdar.web.pages import Pages
from razdar.wire.statement import parse_statement


@dataclass(frozen=True, slots=True)
class Status:
    """`/status` and `/status.json`."""

    pages: Pages
    desk: Desk

    def routes(self) -> list[Route]:
        return [Route("/status", self.show), Route("/status.json", self.data)]

    async def show(self, request: Request) -> Response:
        signed = self.desk.statement()
        statement = parse_statement(signed.text)
        assert statement is not None
        strip = self.desk.statistics.strip()
        measured = [state for _, day in strip for state in day if state != "unknown"]
        return self.pages.render(
            request,
            "status.html",
            state=self.desk.statistics.outlook().state,
            days=days_in_a_word(self.desk.statistics),
            measured=len(measured),
            up=sum(state != "down" for state in measured),
            blocks=statement.blocks,
        )

    async def data(self, _: Request) -> Response:
        """For programs; the signature covers `statement` as it stands."""
        signed = self.desk.statement()
        days = [
            {"day": iso_day(day * DAY_S), "state": worst(states), "hours": {state: states.count(state) for state in STATES}}
            for day, states in self.desk.statistics.strip()
        ]
        blocks = {"statement": signed.text, "signature": _base64(signed.signature), "key": _base64(signed.key), "algorithm": "Ed25519"}
        answer = {"relay": self.pages.site.domain, "state": self.desk.statistics.outlook().state, "days": days, "blocks": blocks}
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})


def days_in_a_word(statistics: Statistics) -> Sequence[tuple[int, State]]:
    """For each of the last ninety days when it began, in Unix seconds, and its worst hour."""
    return [(day * DAY_S, worst(states)) for day, states in statistics.strip()]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
