# SPDX-License-Identifier: AGPL-3.0-or-later
"""A sheet of invitation cards to print and cut: for a class, a clinic, a neighbourhood. Each card is good for one account.

Persian and English on the same card, because nobody knows who will hold it. The sheet is one file that needs nothing else: style, font and
codes are in it, so it can be carried to a machine without a network. Whoever has the sheet can make the accounts, until people have.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from markupsafe import Markup

from razdar.web import dates
from razdar.web.account import code
from razdar.web.assets import TYPES, asset
from razdar.web.pages import Pages
from razdar.web.texts import catalogue


@dataclass(frozen=True, slots=True)
class Card:
    """What one card says."""

    code: str
    """As it is typed on `/i`."""
    url: str
    """As the QR code has it."""

    @property
    def spaced(self) -> str:
        """In groups of four, for eyes and fingers."""
        return " ".join(self.code[at : at + 4] for at in range(0, len(self.code), 4))

    @property
    def drawn(self) -> Markup:
        return code(self.url)


def cards(codes: Sequence[str], page: str) -> list[Card]:
    """Cards for codes of `Invites.make_cards`; `page` is the address of the welcome page with its last slash."""
    return [Card(each, f"{page}i/{each}") for each in codes]


def sheet(pages: Pages, codes: Sequence[str], page: str, days: int, note: str = "") -> str:
    """The whole file. `note` stands on each card as the operator wrote it and is kept nowhere."""
    site, languages = pages.site, catalogue()
    made = {language: dates.day(site.now(), language) for language in languages}
    return pages.environment.get_template("sheet.html").render(
        cards=cards(codes, page),
        code_page=f"{page}i",
        days=days,
        note=note.strip(),
        texts=languages,
        made=made,
        site=site,
        settings=site.settings(),
        style=_style(),
    )


@cache
def _style() -> Markup:
    """The style sheet with the files that it names inside it."""
    css = asset("razdar.css").decode()
    for name in ("vazirmatn.woff2", "khatam.svg"):
        packed = base64.b64encode(asset(name)).decode()
        css = css.replace(f'url("{name}")', f"url(data:{TYPES[name]};base64,{packed})")
    return Markup(css)  # noqa: S704 - our own file
