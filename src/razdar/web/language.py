# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which language a page is in: what the link says, else what the browser prefers, else Persian. No cookie remembers it; the links carry
it."""

from starlette.requests import Request

from razdar.web.texts import LANGUAGES, Language

_HINT_BYTES = 200  # of Accept-Language; browsers send fewer than 60


def language_of(request: Request) -> Language:
    """`?lang=` decides; Accept-Language is a hint only."""
    asked = request.query_params.get("lang")
    return next((language for language in LANGUAGES if language == asked), None) or _hinted(request.headers.get("accept-language", ""))


def other(language: Language) -> Language:
    """The one that the page links to."""
    return "en" if language == "fa" else "fa"


def _hinted(accepted: str) -> Language:
    """The language we have that stands highest (RFC 9110 section 12.5.4); Persian if none does."""
    wishes = [wish.partition(";") for wish in accepted[:_HINT_BYTES].lower().split(",")]
    ranked = sorted(wishes, key=lambda wish: -_weight(wish[2]))
    tags = [tag.strip().partition("-")[0] for tag, _, rest in ranked if _weight(rest) > 0]
    return next((language for tag in tags for language in LANGUAGES if language == tag), "fa")


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    try:
        return float(value) if name == "q" else 1.0
    except ValueError:
        return 0.0
