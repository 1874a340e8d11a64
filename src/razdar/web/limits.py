# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every limit that is in force, with its value and its reason, in the reader's language.

The values are those of the running configuration. The first page has names and values, because at 1 kB/s the reasons would take it
seconds more; `/limits` has the reasons, too. What a peer hears at each limit stands in docs/limits.md.
"""

import re
from dataclasses import dataclass

from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from razdar.settings import Settings, default_reasons, limits
from razdar.settings_fa import PERSIAN_REASONS
from razdar.web.language import language_of
from razdar.web.pages import Pages, ltr
from razdar.web.texts import Language, Texts, catalogue

_FOREIGN = re.compile(r"[\u200e]?[A-Za-z0-9](?:[A-Za-z0-9@.:/_ -]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Row:
    """One limit as a reader sees it."""

    name: str
    value: Markup
    reason: Markup


def rows(settings: Settings, language: Language) -> list[Row]:
    """All limits in the order of the settings."""
    return [row(name, settings, language) for name in limits()]


def row(name: str, settings: Settings, language: Language) -> Row:
    """One setting that is a number."""
    texts, reasons = catalogue()[language], PERSIAN_REASONS if language == "fa" else default_reasons()
    return Row(name, _value(texts, name, getattr(settings, name)), _reason(reasons[name], language))


def _value(texts: Texts, name: str, value: float) -> Markup:
    if isinstance(value, bool):
        return texts("choice_true" if value else "choice_false")
    if isinstance(value, float):
        return texts("percent", n=round(value * 100))
    if name.endswith("_bytes"):
        return texts.size(value)
    return texts("seconds", n=value) if name.endswith("_seconds") else escape(texts.number(value))


def _reason(reason: str, language: Language) -> Markup:
    """Latin words in a Persian sentence are islands of their own direction."""
    if language == "en":
        return escape(reason)
    at, parts = 0, []
    for found in _FOREIGN.finditer(reason):
        parts += [escape(reason[at : found.start()]), ltr(found[0])]
        at = found.end()
    return Markup("").join([*parts, escape(reason[at:])])


@dataclass(frozen=True, slots=True)
class LimitsPage:
    """`/limits`."""

    pages: Pages

    def routes(self) -> list[Route]:
        return [Route("/limits", self.show)]

    async def show(self, request: Request) -> Response:
        return self.pages.render(request, "limits.html", limits=rows(self.pages.site.settings(), language_of(request)))
