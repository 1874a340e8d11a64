# SPDX-License-Identifier: AGPL-3.0-or-later
"""The whole way of a newcomer, with the real client: from the welcome page, or from a printed card, to a conversation; and out again."""

import re
import ssl
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from tests.dclogin import parse_dclogin
from tests.lab.client import Core, Person
from tests.lab.relay import Relay
from tests.web_pages import Page

pytestmark = [pytest.mark.client, pytest.mark.slow]


class Visitor:
    """A browser without script that says where its forms come from."""

    def __init__(self, relay: Relay) -> None:
        self.base = f"https://127.0.0.1:{relay.port('https')}"
        self._trusting = ssl._create_unverified_context()

    def open(self, path: str, **form: str) -> str:
        data = urllib.parse.urlencode(form).encode() if form else None
        request = urllib.request.Request(f"{self.base}{path}", data, {"Sec-Fetch-Site": "same-origin"})
        with urllib.request.urlopen(request, context=self._trusting, timeout=30) as answer:
            return str(answer.read().decode())

    def join(self, path: str) -> str:
        """The login link that the page's button leads to; pressing it again leads to the same."""
        page = Page(self.open(path))
        action = page.one("form", method="post").attributes["action"]
        ticket = page.one("input", name="ticket").attributes["value"]
        links = {Page(self.open(action, ticket=ticket)).one("a", class_="act").attributes["href"] for _ in range(2)}
        assert len(links) == 1
        return links.pop()


def greet(ali: Person, bahar: Person) -> None:
    ali.writes("سلام بهار", ali.chat_with(bahar))
    bahar.reads("سلام بهار")
    bahar.writes("سلام علی", bahar.chat_with(ali))
    ali.reads("سلام علی")


def test_from_the_welcome_page_to_a_chat_and_out_again(core: Core, relay: Relay) -> None:
    visitor = Visitor(relay)
    link = visitor.join("/?lang=fa")
    ali = core.person("Ali").set_up(link)
    bahar = core.person("Bahar").set_up(visitor.join("/?lang=en"))
    assert ali.address != bahar.address
    greet(ali, bahar)
    _, password, _ = parse_dclogin(link)

    renewed = Page(visitor.open("/account/password?lang=fa", address=ali.address, password=password))
    new_link = renewed.one("a", class_="act").attributes["href"]
    ali.account.add_transport_from_qr(new_link)
    bahar.writes("هنوز هستی؟", bahar.chat_with(ali))
    ali.reads("هنوز هستی؟")

    _, fresh, _ = parse_dclogin(new_link)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        visitor.open("/account/delete", address=ali.address, password=password, sure="yes")
    visitor.open("/account/delete?lang=fa", address=ali.address, password=fresh, sure="yes")
    with pytest.raises(urllib.error.HTTPError, match="403"):  # and the app, which tries to log in again, does not bring it back
        visitor.open("/account/delete", address=ali.address, password=fresh, sure="yes")


def test_from_a_printed_card_to_a_chat(core: Core, relay: Relay, tmp_path: Path) -> None:
    sheet = tmp_path / "cards.html"
    words = relay.other_command("invite", "--sheet", str(sheet), "--cards", "2", "--note", "کلاس هفتم")
    subprocess.run(words, check=True, env=relay.environment(), timeout=60, capture_output=True)
    assert sheet.stat().st_mode & 0o777 == 0o600
    codes = re.findall(r'class="code big" dir="ltr">([a-z2-9 ]{19})<', sheet.read_text())
    assert len(set(codes)) == 2
    visitor = Visitor(relay)
    links = [visitor.join(f"/i?lang=fa&code={urllib.parse.quote(code)}") for code in codes]
    ali, bahar = (core.person(name).set_up(link) for name, link in zip(("Ali", "Bahar"), links, strict=True))
    greet(ali, bahar)
    with pytest.raises(urllib.error.HTTPError, match="410"):
        visitor.open(f"/i?code={urllib.parse.quote(codes[0])}")
