# SPDX-License-Identifier: AGPL-3.0-or-later
"""The words of the pages, TOML files by language, Persian first (texts/fa.toml; texts/console.fa.toml for the operator's pages).

Both languages have the same keys with the same {places}; loading fails otherwise, so no page can come out half translated. Texts are not
markup: values put into their places are escaped unless they are Markup already. Numbers get the digits of the language.
"""

import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from markupsafe import Markup, escape

from razdar.web.numerals import digits, number, quantity

Language = Literal["fa", "en"]
LANGUAGES: tuple[Language, ...] = ("fa", "en")


@dataclass(frozen=True, slots=True)
class Texts:
    """One language's words, callable: `texts("kept_time", days=…)`."""

    language: Language
    words: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> Markup:
        """The sentence with its places filled. Integers are written in the language's digits. KeyError for an unknown key or place."""
        spelled = {name: number(value, self.language) if isinstance(value, int) else value for name, value in values.items()}
        return escape(self.words[key]).format(**spelled)

    def number(self, value: int) -> str:
        """`value` in the digits of the language."""
        return number(value, self.language)

    def digits(self, value: object) -> str:
        """A number that is to be typed, in the digits of the language and with nothing between them."""
        return digits(str(value), self.language)

    def plural(self, key: str, count: int) -> Markup:
        """`key_one` or `key_other`, the two forms that Persian and English have (CLDR), with {n} filled."""
        return self(f"{key}_one" if count == 1 else f"{key}_other", n=count)

    def size(self, size_bytes: int) -> Markup:
        """A size in the largest decimal unit that fits, rounded down: the page never promises more than the setting."""
        for unit, unit_bytes in (("gigabytes", 10**9), ("megabytes", 10**6), ("kilobytes", 10**3)):
            if size_bytes >= unit_bytes or unit == "kilobytes":
                break
        return self(unit, n=quantity(size_bytes, unit_bytes, self.language))


def places(text: str) -> set[str]:
    """The names in braces."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@cache
def catalogue() -> dict[Language, Texts]:
    """All languages. ValueError if one lacks a text or a place that another has."""
    loaded = {language: _load(language) for language in LANGUAGES}
    first = {key: places(text) for key, text in loaded["fa"].words.items()}
    for language, texts in loaded.items():
        if {key: places(text) for key, text in texts.words.items()} != first:
            raise ValueError(f"texts/{language}.toml and texts/fa.toml differ in their keys or places")
    return loaded


def _load(language: Language) -> Texts:
    words: dict[str, str] = {}
    for name in (f"{language}.toml", f"console.{language}.toml"):
        more = tomllib.loads(files(__name__).joinpath(name).read_text("utf-8"))
        if twice := words.keys() & more.keys():
            raise ValueError(f"texts/{name} says again: {', '.join(sorted(twice))}")
        words |= more
    return Texts(language, words)
