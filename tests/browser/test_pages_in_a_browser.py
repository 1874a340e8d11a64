# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every page as chromium shows it: Persian and English, phone and desktop, light and dark, without script, and accessible."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import pytest
from tests.browser.stage import Stage
from tests.browser.views import VIEWS, View, press, town

from razdar.web.app import make_app
from razdar.web.texts import LANGUAGES

LOCALE = {"fa": "fa-IR", "en": "en-GB"}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@contextmanager
def tab(chromium: Any, language: str, width: int = 360, *, script: bool = False) -> Iterator[Any]:
    """A fresh visitor, without script if not told otherwise; at the end nothing has complained and nothing has failed to load."""
    context = chromium.new_context(
        viewport={"width": width, "height": 740},
        locale=LOCALE[language],
        timezone_id="Asia/Tehran",
        java_script_enabled=script,
        ignore_https_errors=True,
    )
    complaints: list[str] = []
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("requestfailed", lambda request: complaints.append(f"{request.url} {request.failure}"))
    try:
        yield page
    finally:
        context.close()
    assert [each for each in complaints if not re.search(r"responded with a status of|ERR_ABORTED", each)] == []


def look(page: Any, view: View, base: str, language: str) -> None:
    """The browser shows the view."""
    statuses: list[int] = []
    page.on("response", lambda answer: statuses.append(answer.status) if answer.request.is_navigation_request() else None)
    page.goto(f"{base}{view.path}?lang={language}")
    view.steps(page)
    page.wait_for_load_state("load")
    assert statuses[-1] == view.status


EACH = pytest.mark.parametrize(("view", "language"), [(view, language) for view in VIEWS for language in LANGUAGES], ids=str)
WIDTHS = {"phone": 360, "desktop": 1280}


@EACH
def test_a_page_is_accessible(chromium: Any, stage: Stage, axe: str, view: View, language: str) -> None:
    """WCAG 2.2 AA as far as a program can tell: axe-core, which is the only script there is."""
    stage.app = make_app(view.relay().site())
    with tab(chromium, language, script=True) as page:
        look(page, view, stage.plain if view.is_plain else stage.secure, language)
        page.evaluate(axe)
        for scheme, width in product(("light", "dark"), WIDTHS.values()):
            page.set_viewport_size({"width": width, "height": 740})
            page.emulate_media(color_scheme=scheme)
            found = page.evaluate("rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})", RULES)
            assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]] == [], (scheme, width)
            assert len(found["passes"]) > 10


@EACH
def test_a_page_is_whole_without_script(chromium: Any, stage: Stage, view: View, language: str) -> None:
    stage.app = make_app(view.relay().site())
    with tab(chromium, language) as page:
        look(page, view, stage.plain if view.is_plain else stage.secure, language)
        assert page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == [
            language,
            "rtl" if language == "fa" else "ltr",
        ]
        page.wait_for_load_state("networkidle")  # the font comes after the page
        assert language == "en" or page.evaluate("document.fonts.check('16px Vazirmatn', 'سلام')")
        for width in WIDTHS.values():
            page.set_viewport_size({"width": width, "height": 740})
            assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), "it scrolls sideways"


@pytest.mark.parametrize("path", ["/", "/i/aaaabbbbccccdddd"])
def test_a_reload_shows_the_same_account(chromium: Any, stage: Stage, path: str) -> None:
    relay = town()
    stage.app = make_app(relay.site())
    with tab(chromium, "fa") as page:
        page.goto(f"{stage.secure}{path}?lang=fa")
        press(page)
        link = page.get_attribute("a.act", "href")
        assert link.startswith("dclogin:")
        page.reload()
        assert page.get_attribute("a.act", "href") == link
    assert len(relay.tickets) == 1
    assert relay.invites["aaaabbbbccccdddd"] == (3 if path == "/" else 2)


def test_the_keyboard_is_enough(chromium: Any, stage: Stage) -> None:
    """Skip link, then the button, then the account."""
    stage.app = make_app(town().site())
    with tab(chromium, "fa") as page:
        page.goto(f"{stage.secure}/?lang=fa")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        assert page.evaluate("document.activeElement.getBoundingClientRect().width > 40"), "it shows when it has the focus"
        for _ in range(9):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.tagName") == "BUTTON":
                break
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert page.query_selector("a.act[href^='dclogin:']")


def test_a_flood_of_text_does_not_break_a_phone(chromium: Any, stage: Stage) -> None:
    """WCAG 1.4.10: at 320 px, the width of a page enlarged four times, nothing scrolls sideways."""
    stage.app = make_app(town().site())
    with tab(chromium, "en", 320) as page:
        for view in VIEWS:
            if view.status == 200 and not view.is_plain:
                page.goto(f"{stage.secure}{view.path}?lang=en")
                assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), view.name
