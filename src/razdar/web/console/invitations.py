# SPDX-License-Identifier: AGPL-3.0-or-later
"""Invitations at the console: links, sheets of cards, and taking back either.

The relay keeps no invitation, only its hash, so whoever takes one back shows it: the page that made it can, and so can any text in which
links or codes stand, as the whole of a sheet that was copied.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from razdar.services.invites import CARDS_MAX, CODE_CHARACTERS, CODE_LETTERS, NOTE_BYTES
from razdar.web.console.action import Action, Done, Field, Values
from razdar.web.console.desk import Desk
from razdar.web.numerals import ascii_digits

MOST_USES, MOST_DAYS = 1000, 365
WITHDRAWN_MAX = 400
TEXT_MAX = 40_000
_INVITE_FIELDS = (Field("uses", "number", "1"), Field("days", "number", "7"), Field("note", is_optional=True))
_CARD_FIELDS = (Field("cards", "number", "8"), Field("days", "number", "30"), Field("note", is_optional=True))
_IN_A_LINK = re.compile(r"/i/([A-Za-z0-9_-]{8,64}(?:\.[A-Za-z0-9_-]{1,160})?)")
_ALONE = re.compile(r"[A-Za-z0-9_-]{16,64}(?:\.[A-Za-z0-9_-]{1,160})?")
_CODE = re.compile(rf"(?<![\w-])(?:[{CODE_LETTERS}]{{4}}[ \t-]?){{{CODE_CHARACTERS // 4}}}(?![\w-])")


@dataclass(frozen=True, slots=True)
class Invitations:
    """The actions of one relay's console."""

    desk: Desk
    draw_cards: Callable[[Sequence[str], str, int, str], str]
    """Codes, the welcome page's address, days and a note: a file to print (web/sheet.py)."""

    def every(self) -> tuple[Action, ...]:
        return (
            Action("invite", self._invite, lambda _: _INVITE_FIELDS, _check_invite),
            Action("cards", self._cards, lambda _: _CARD_FIELDS, _check_cards, is_asked=False),
            Action("print", self._print, _printed_fields, _check_printed, is_asked=False, is_logged=False),
            Action("withdraw", self._withdraw, lambda _: (Field("token", "area", longest=TEXT_MAX),), _check_withdrawn),
        )

    async def _invite(self, values: Values) -> Done | str:
        token = await self.desk.invites.make(int(values["uses"]), int(values["days"]), values["note"])
        return Done(("withdraw", {"token": token}), link=f"{self.desk.page()}i/{token}")

    async def _cards(self, values: Values) -> Done | str:
        codes = " ".join(await self.desk.invites.make_cards(int(values["cards"]), int(values["days"])))
        printed = {"token": codes, "days": values["days"], "note": values["note"]}
        return Done(("withdraw", {"token": codes}), more=("print", printed), count=int(values["cards"]))

    async def _print(self, values: Values) -> Done | str:
        html = self.draw_cards(values["token"].split(), self.desk.page(), int(values["days"]), values["note"])
        return Done(download=html.encode(), name="razdar-invitations.html")

    async def _withdraw(self, values: Values) -> Done | str:
        withdrawn = [await self.desk.invites.withdraw(token) for token in values["token"].split()]
        return Done(count=sum(withdrawn)) if any(withdrawn) else "mistake_token"


def tokens_in(text: str) -> Sequence[str]:
    """Every link and every code of a card that stands in the text, each once; or the text itself if it is one token."""
    plain = ascii_digits(text).strip()
    found = _IN_A_LINK.findall(plain)
    found += [re.sub(r"[\s-]", "", code) for code in _CODE.findall(_IN_A_LINK.sub(" ", plain))]
    if not found and _ALONE.fullmatch(plain):
        found = [plain]
    return list(dict.fromkeys(found))[:WITHDRAWN_MAX]


def _printed_fields(typed: Values) -> tuple[Field, ...]:
    return tuple(Field(name, "hidden", typed.get(name, "")) for name in ("token", "days", "note"))


def _check_printed(typed: Values) -> Values | str:
    values = _check_counts(typed, {"days": MOST_DAYS})
    codes = tokens_in(typed.get("token", ""))[:CARDS_MAX]
    return values if isinstance(values, str) else {**values, "token": " ".join(codes)} if codes else "mistake_token"


def _check_withdrawn(typed: Values) -> Values | str:
    found = tokens_in(typed.get("token", "")[:TEXT_MAX])
    return {"token": " ".join(found)} if found else "mistake_token"


def _check_invite(typed: Values) -> Values | str:
    return _check_counts(typed, {"uses": MOST_USES, "days": MOST_DAYS})


def _check_cards(typed: Values) -> Values | str:
    return _check_counts(typed, {"cards": CARDS_MAX, "days": MOST_DAYS})


def _check_counts(typed: Values, limits: Mapping[str, int]) -> Values | str:
    note = typed.get("note", "").strip()
    counts = {}
    for name, most in limits.items():
        text = ascii_digits(typed.get(name, "")).strip()
        if not text.isdecimal() or not 1 <= int(text) <= most:
            return f"mistake_{name}"
        counts[name] = text
    return "mistake_note" if len(note.encode()) > NOTE_BYTES or not (note.isprintable() or not note) else {**counts, "note": note}
