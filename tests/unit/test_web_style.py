# SPDX-License-Identifier: AGPL-3.0-or-later
"""The style sheet and what the first view weighs."""

import re

import pytest
from tests.web_pages import Browser, Page, Relay

from razdar.web.assets import TYPES, asset

CSS = re.sub(r"/\*.*?\*/", "", asset("razdar.css").decode(), flags=re.DOTALL)
DECLARATIONS = re.findall(r"([a-z-]+)\s*:\s*([^;{}]+);", CSS)


def test_the_sheet_was_read() -> None:
    assert len(DECLARATIONS) > 80


def test_one_sheet_serves_both_directions() -> None:
    physical = {"letter-spacing", "width", "height", "max-width", "min-width", "top", "bottom", "font-style"}
    assert [each for each in DECLARATIONS if re.search(r"\b(left|right)\b", " ".join(each))] == []
    assert [name for name, _ in DECLARATIONS if name in physical] == []
    assert [each for each in DECLARATIONS if each[0] in ("margin", "padding") and len(each[1].split()) > 2] == []


def test_nothing_comes_from_elsewhere() -> None:
    assert re.findall(r"url\(([^)]*)\)", CSS) == ['"vazirmatn.woff2"', '"khatam.svg"', '"khatam.svg"']
    assert "@import" not in CSS


def test_light_and_dark() -> None:
    colours = [set(re.findall(r"--([a-z-]+):", block)) for block in re.findall(r":root\s*{([^}]*)}", CSS)]
    assert len(colours) == 2
    assert colours[0] == colours[1]
    assert ("color-scheme", "light dark") in DECLARATIONS


def test_steps_are_counted_in_persian_digits() -> None:
    assert re.search(r"ol:lang\(fa\) { list-style-type: persian; }", CSS)


def test_no_word_waits_for_the_font() -> None:
    assert ("font-display", "swap") in DECLARATIONS
    assert any(name == "unicode-range" and value.startswith("U+0600-06FF") and "U+200C" in value for name, value in DECLARATIONS)


def test_the_font_comes_with_its_licence() -> None:
    assert asset("vazirmatn.woff2")[:4] == b"wOF2"
    assert b"SIL Open Font License" in asset("vazirmatn-LICENSE.txt")


def test_the_first_view_weighs_less_than_60_kb() -> None:
    browser = Browser(Relay())
    first = browser.get("/")
    page = Page(first.text)
    linked = [each.attributes["href"] for each in page.find("link")]
    assert len(linked) == 2
    parts = [
        first,
        *(browser.get(link) for link in linked),
        *(browser.get(f"/static/{name}") for name in ("vazirmatn.woff2", "khatam.svg")),
    ]
    assert all(part.status_code == 200 for part in parts)
    assert sum(int(part.headers["content-length"]) for part in parts) < 60_000  # as it travels; httpx takes gzip, as browsers do


def test_texts_travel_compressed_and_pages_do_not() -> None:
    browser = Browser(Relay())
    assert browser.get("/static/razdar.css").headers["content-encoding"] == "gzip"
    assert "content-encoding" not in browser.get("/").headers
    for accepted in ("", "identity", "gzip;q=0", "br"):
        plain = browser.get("/static/razdar.css", headers={"Accept-Encoding": accepted})
        assert "content-encoding" not in plain.headers
        assert plain.content == asset("razdar.css")


@pytest.mark.parametrize("name", TYPES)
def test_files_are_kept_by_the_browser_and_asked_for_again_cheaply(name: str) -> None:
    browser = Browser(Relay())
    answer = browser.get(f"/static/{name}")
    assert answer.headers["content-type"] == TYPES[name]
    assert "max-age=" in answer.headers["cache-control"]
    again = browser.get(f"/static/{name}", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_icon_is_where_browsers_look() -> None:
    assert Browser(Relay()).get("/favicon.ico").content == asset("favicon.svg")


def test_a_name_outside_of_the_table_is_no_file() -> None:
    with pytest.raises(KeyError):
        asset("../app.py")
