# SPDX-License-Identifier: AGPL-3.0-or-later
"""Makes the pictures of docs/screens from the same views as the tests: `python -m tests.browser.gallery`.

A long page is cut, so that a picture stays small; one above 150 kB is an error. Another group of pages adds its views to `VIEWS`.
"""

import os
import sys
from typing import Any

from playwright.sync_api import sync_playwright
from tests.browser.conftest import CHROMIUM
from tests.browser.stage import Stage, staged
from tests.browser.views import VIEWS, View, town

from razdar.environment import CHECKOUT
from razdar.web.app import make_app
from razdar.web.pages import Pages
from razdar.web.sheet import sheet

SCREENS = CHECKOUT / "docs/screens"
LARGEST_BYTES = 150_000
TALLEST = {360: 1700, 1280: 1000}


def picture(browser: Any, stage: Stage, view: View, language: str, width: int, scheme: str) -> bytes:
    """One view as a PNG."""
    stage.app = make_app(view.relay().site())
    context = browser.new_context(
        viewport={"width": width, "height": 740}, color_scheme=scheme, ignore_https_errors=True, java_script_enabled=False
    )
    try:
        page = context.new_page()
        page.goto(f"{stage.plain if view.is_plain else stage.secure}{view.path}?lang={language}")
        view.steps(page)
        page.wait_for_load_state("networkidle")
        height = min(TALLEST.get(width, 1500), page.evaluate("document.documentElement.scrollHeight"))
        return bytes(page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": width, "height": height}))
    finally:
        context.close()


def cards(browser: Any) -> bytes:
    """The sheet of invitation cards as it is printed on A4."""
    html = sheet(Pages(town().site()), ["k7f3q9d2m4xzrtwn", "h2jc8vpsa5ybe6gu"] * 3, "https://192.168.1.5:8443/", 14, "کلاس هفتم")
    page = browser.new_page(viewport={"width": 718, "height": 1000})
    page.emulate_media(media="print")
    page.set_content(html, wait_until="networkidle")
    return bytes(page.screenshot(clip={"x": 0, "y": 0, "width": 718, "height": 650}))


def main() -> int:
    """Writes every picture; 1 if one is too large."""
    too_large = []
    with sync_playwright() as playwright, staged() as stage:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"] if os.getuid() == 0 else [])
        for view in VIEWS:
            for language, width, scheme in view.pictures:
                png = picture(browser, stage, view, language, width, scheme)
                name = f"{view.name}-{language}-{'phone' if width < 600 else 'desktop'}{'-dark' if scheme == 'dark' else ''}.png"
                (SCREENS / name).write_bytes(png)
                too_large += [name] if len(png) > LARGEST_BYTES else []
                print(f"{len(png):>7} {name}")
        (SCREENS / "invitation-cards.png").write_bytes(cards(browser))
        browser.close()
    print(*too_large, sep="\n")
    return 1 if too_large else 0


if __name__ == "__main__":
    sys.exit(main())
