# SPDX-License-Identifier: AGPL-3.0-or-later
"""The words of the pages: complete in both languages, spelled as an editor would, and all of them used."""

import re
import tomllib
from pathlib import Path

import pytest

import razdar.web
from razdar.web.numerals import ascii_digits, number, quantity
from razdar.web.texts import LANGUAGES, catalogue, places

WEB = Path(razdar.web.__file__).parent
WORDS = {
    language: {
        key: text
        for name in (f"{language}.toml", f"console.{language}.toml")
        for key, text in tomllib.loads((WEB / "texts" / name).read_text("utf-8")).items()
    }
    for language in LANGUAGES
}
SOURCES = "\n".join(path.read_text("utf-8") for pattern in ("*.py", "templates/**/*.*") for path in WEB.rglob(pattern))
FORMED = re.compile(
    r"(error_\d+|later|flood|stale|closed|invite_only)_(title|text)|(days|invite_uses)_(one|other)|(kilo|mega|giga)bytes"
    r"|app_for_\w+|(never|fact|table|file)_\w+"
    r"|(reason|attack|why|state|status|do|field|choice|mistake|finding|span|chart|log|figure|field_peer|peer_found|console_tab|console_stale)_\w+"
    r"|(minutes|hours|passkey_count|blocks_count)_(one|other)"
)
PERSIAN = {key: re.sub(r"\{\w+\}", "", text) for key, text in WORDS["fa"].items() if key != "direction"}


def test_each_text_stands_in_both_languages_with_the_same_places() -> None:
    assert WORDS["fa"].keys() == WORDS["en"].keys() == catalogue()["fa"].words.keys()
    assert [key for words in WORDS.values() for key, text in words.items() if not text.strip()] == []
    assert [key for key, text in WORDS["fa"].items() if places(text) != places(WORDS["en"][key])] == []


@pytest.mark.parametrize(
    ("why", "mistake"),
    [
        ("foreign words and digits come in through places", r"[A-Za-z0-9]"),
        ("Arabic yeh, kaf or digits", "[\u064a\u0643\u0660-\u0669]"),
        ("punctuation of the Persian set", r"[,;?%\"']"),
        ("a half-space belongs after «می»", r"(^|[\s«(])ن?می "),
        ("«می» is joined by a half-space", r"\bن?می(شود|کند|کنید|گیرد|ماند|پذیرد|خواند|رسد|دهد)\b"),
        ("a half-space belongs before the suffix", r" (ها|های|هایی|هایش|تر|ترین|ام|ای)(?=[\s،.؛:»]|$)"),
        ("a half-space joins letters only", "\u200c([ .،؛:]|$)| \u200c"),
    ],
)
def test_persian_is_spelled_as_an_editor_would(why: str, mistake: str) -> None:
    assert [(why, key) for key, text in PERSIAN.items() if re.search(mistake, text)] == []


def test_persian_is_persian() -> None:
    assert [key for key, text in PERSIAN.items() if not re.search(r"[آ-ی]", text)] == []


def test_the_half_space_survived_editor_and_git() -> None:
    assert sum(text.count("\u200c") for text in WORDS["fa"].values()) > 80


def test_english_is_english() -> None:
    assert [key for key, text in WORDS["en"].items() if re.search("[\u0600-\u06ff]", text)] == []


def test_no_text_is_left_over() -> None:
    left = [key for key in WORDS["fa"] if f'"{key}"' not in SOURCES and not FORMED.fullmatch(key)]
    assert left == []


def test_every_text_that_a_template_names_exists() -> None:
    named = re.findall(r'\b(?:t|other)\("(\w+)"(?! ~)', SOURCES)
    assert len(named) > 50
    assert set(named) <= WORDS["fa"].keys()


def test_a_value_is_escaped_and_a_missing_place_is_an_error() -> None:
    fa = catalogue()["fa"]
    assert "&lt;b&gt;" in fa("operator", operator="<b>")
    with pytest.raises(KeyError):
        fa("operator")
    with pytest.raises(KeyError):
        fa("no such text")


@pytest.mark.parametrize(
    ("value", "fa", "en"), [(0, "۰", "0"), (20, "۲۰", "20"), (1000, "۱٬۰۰۰", "1,000"), (1234567890, "۱٬۲۳۴٬۵۶۷٬۸۹۰", "1,234,567,890")]
)
def test_numbers(value: int, fa: str, en: str) -> None:
    assert number(value, "fa") == fa
    assert number(value, "en") == en


@pytest.mark.parametrize(
    ("size_bytes", "fa", "en"),
    [
        (31_457_280, "۳۱٫۴ مگابایت", "31.4 MB"),
        (500_000_000, "۵۰۰ مگابایت", "500 MB"),
        (1_999_999_999, "۱٫۹ گیگابایت", "1.9 GB"),
        (200_000, "۲۰۰ کیلوبایت", "200 kB"),
        (999, "۰٫۹ کیلوبایت", "0.9 kB"),
    ],
)
def test_sizes_never_promise_more_than_there_is(size_bytes: int, fa: str, en: str) -> None:
    assert catalogue()["fa"].size(size_bytes) == fa
    assert catalogue()["en"].size(size_bytes) == en


def test_one_is_singular_in_english_and_like_the_rest_in_persian() -> None:
    assert [catalogue()["en"].plural("days", count) for count in (0, 1, 2)] == ["0 days", "1 day", "2 days"]
    assert [catalogue()["fa"].plural("days", count) for count in (1, 2)] == ["۱ روز", "۲ روز"]


def test_every_keyboard_s_digits_are_understood() -> None:
    assert ascii_digits("a۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩") == "a01234567890123456789"
    assert quantity(15, 10, "fa") == "۱٫۵"
