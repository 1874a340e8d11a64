# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every page in Persian and in English, taken apart with an HTML parser."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import httpx
import pytest
from tests.dclogin import parse_dclogin
from tests.web_pages import CLOSED, DOMAIN, FINGERPRINT, HERE, LATER, PASSWORD, Browser, Page, Relay

from razdar.model.address import Address
from razdar.model.app_file import AppFile
from razdar.ports.crew import CrewBusy
from razdar.ports.store import StoreUnavailable
from razdar.settings import Settings, default_reasons, limits, port_layout
from razdar.settings_fa import PERSIAN_REASONS
from razdar.web.numerals import number
from razdar.web.texts import LANGUAGES, Language, catalogue
from razdar.wire.links import dclogin

TOKEN = "aaaabbbbccccdddd"
SECURE = f"https://{HERE}:8443"
PLAIN = f"http://{HERE}:8080"
OPERATOR = "مدرسهٔ <Sa'di> & co"


def settings(**changes: object) -> Settings:
    return replace(Settings(operator=OPERATOR, contact="https://school.example/"), **changes)  # type: ignore[arg-type]


def ask(method: str, path: str, relay: Relay | None = None, base_url: str = SECURE, **form: str) -> Callable[[str], httpx.Response]:
    def visit(language: str) -> httpx.Response:
        spoken_of = relay or Relay(settings(), invites={TOKEN: 3, "z" * 16: 1})
        return Browser(spoken_of, base_url).ask(method, f"{path}?lang={language}", data=form or None)

    return visit


def broken() -> Relay:
    relay = Relay(settings(), invites={TOKEN: 1})
    relay.claim_error = LookupError("marker-in-the-text")
    return relay


def left(language: str) -> httpx.Response:
    """Somebody takes the account away, in each language."""
    address = f"abcdefghi@{DOMAIN}"
    relay = Relay(accounts={address: "secret"})
    return ask("POST", "/account/delete", relay, address=address, password="secret", sure="yes")(language)


VIEWS: dict[str, tuple[int, Callable[[str], httpx.Response]]] = {
    "welcome": (200, ask("GET", "/")),
    "welcome with a real certificate": (200, ask("GET", "/", Relay(is_self_signed=False, ports=port_layout("standard")))),
    "welcome by invitation": (200, ask("GET", "/", Relay(settings(registration="invite")))),
    "welcome closed": (200, ask("GET", "/", Relay(settings(registration="closed")))),
    "limits": (200, ask("GET", "/limits")),
    "welcome plain": (200, ask("GET", "/", base_url=PLAIN)),
    "welcome plain, closed": (200, ask("GET", "/", Relay(settings(registration="closed")), PLAIN)),
    "account": (200, ask("POST", "/welcome")),
    "account plain": (403, ask("POST", "/welcome", base_url=PLAIN)),
    "account refused": (403, ask("POST", "/welcome", Relay(settings(registration="closed"), refusal=CLOSED))),
    "account by invitation only": (403, ask("POST", "/welcome", Relay(settings(registration="invite"), refusal=CLOSED))),
    "account later": (429, ask("POST", "/welcome", Relay(refusal=LATER))),
    "invite": (200, ask("GET", f"/i/{TOKEN}")),
    "invite, last use": (200, ask("GET", f"/i/{'z' * 16}")),
    "invite plain": (200, ask("GET", f"/i/{TOKEN}", base_url=PLAIN)),
    "invite unknown": (410, ask("GET", "/i/0123456789abcdef")),
    "invite malformed": (410, ask("GET", "/i/%3Cscript%3E")),
    "invite claimed": (200, ask("POST", f"/i/{TOKEN}")),
    "invite claimed plain": (403, ask("POST", f"/i/{TOKEN}", base_url=PLAIN)),
    "invite used up": (410, ask("POST", "/i/0123456789abcdef")),
    "invite claimed, malformed": (410, ask("POST", "/i/%3Cscript%3E")),
    "invite, crew busy": (503, ask("POST", f"/i/{TOKEN}", Relay(settings(), claim_error=CrewBusy()))),
    "invite, disk full": (503, ask("POST", f"/i/{TOKEN}", Relay(settings(), claim_error=StoreUnavailable()))),
    "reconnect": (200, ask("GET", "/reconnect")),
    "reconnect plain": (200, ask("GET", "/reconnect", base_url=PLAIN)),
    "reconnect sent plain": (403, ask("POST", "/reconnect", base_url=PLAIN, address=f"abcdefghi@{DOMAIN}", password="secret")),
    "reconnect foreign": (422, ask("POST", "/reconnect", address="<a>@other.example", password="secret")),
    "reconnect nothing": (422, ask("POST", "/reconnect", address="", password="")),
    "reconnect no password": (422, ask("POST", "/reconnect", address=f"abcdefghi@{DOMAIN}", password=" ")),
    "reconnect ready": (200, ask("POST", "/reconnect", address=f"abcdefghi@{DOMAIN}", password="secret")),
    "flood": (200, ask("GET", "/", Relay(settings(), may_join=False))),
    "with an app": (200, ask("GET", "/", Relay(settings(), apps=[AppFile("delta.apk", "2.57.0", 754, 83_000_000, "ab" * 32)]))),
    "a code": (200, ask("GET", "/i")),
    "a code, plain": (200, ask("GET", "/i", base_url=PLAIN)),
    "privacy": (200, ask("GET", "/privacy")),
    "privacy without an operator": (200, ask("GET", "/privacy", Relay())),
    "leave": (200, ask("GET", "/account")),
    "leave plain": (200, ask("GET", "/account", base_url=PLAIN)),
    "leave unsure": (422, ask("POST", "/account/delete", address=f"abcdefghi@{DOMAIN}", password="secret")),
    "leave wrong": (403, ask("POST", "/account/password", address=f"abcdefghi@{DOMAIN}", password="secret")),
    "left": (200, left),
    "no such page": (404, ask("GET", "/nothing")),
    "wrong method": (405, ask("GET", "/welcome")),
    "for apps": (405, ask("GET", "/new")),
    "bug": (500, ask("POST", f"/i/{TOKEN}", broken())),
}


@cache
def visited(name: str, language: Language) -> httpx.Response:
    return VIEWS[name][1](language)


ALL = pytest.mark.parametrize(("name", "language"), [(name, language) for name in VIEWS for language in LANGUAGES])


@ALL
def test_every_page_is_whole(name: str, language: Language) -> None:
    answer = visited(name, language)
    assert answer.status_code == VIEWS[name][0]
    page = Page(answer.text)
    html = page.one("html")
    assert html.attributes == {"lang": language, "dir": "rtl" if language == "fa" else "ltr"}
    assert len(page.find("h1")) == 1
    assert page.text("title").endswith(str(catalogue()[language]("name")))
    assert not page.find("script")
    assert not [each for each in page.elements if "style" in each.attributes or any(kind.startswith("on") for kind in each.attributes)]
    assert answer.headers["cache-control"] == "no-store"


@ALL
def test_no_word_is_left_in_the_other_language(name: str, language: Language) -> None:
    page = Page(visited(name, language).text)
    words = [text for text, element in page.texts if not element.is_foreign]
    words += [
        each.attributes[name] for each in page.elements for name in ("title", "aria-label", "alt", "placeholder") if name in each.attributes
    ]
    assert words
    strange = "[A-Za-z0-9]" if language == "fa" else "[\u0600-\u06ff]"
    assert [text for text in words if re.search(strange, text)] == []


@ALL
def test_every_link_stays_here_and_keeps_the_language(name: str, language: Language) -> None:
    page = Page(visited(name, language).text)
    links = [each.attributes["href"] for each in page.find("a")] + [each.attributes["action"] for each in page.find("form")]
    ours = rf"(/[a-z]*|/account/(password|delete)|/i/{TOKEN}|/i/z+)\?lang={language}(#app)?|\?lang=(fa|en)|#main|#app|/i|/apps/delta\.apk"
    expected = ours + r"|dclogin:.*|https://(get\.delta\.chat|school\.example/)"
    here = rf"https://({re.escape(HERE)}:8443|{re.escape(DOMAIN)})/.*\?lang={language}"
    assert [link for link in links if not re.fullmatch(f"{expected}|{here}", link)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_figures_are_those_of_the_settings(language: Language) -> None:
    odd = settings(
        keep_days=23, keep_large_days=1, large_bytes=345_000, quota_bytes=7_800_000_000, message_bytes=12_000_000,
        recipients=4321, send_per_minute=77, account_days=111,
    )  # fmt: skip
    page = Browser(Relay(odd)).page(f"/?lang={language}")
    t = catalogue()[language]
    figures = [t.plural("days", 23), t.plural("days", 1), t.size(345_000), t.plural("days", 111), t.size(7_800_000_000), t.size(12_000_000)]
    for figure in [*figures, number(4321, language), number(77, language)]:
        assert figure in page.text("main")
    defaults = Browser(Relay()).page(f"/?lang={language}").text("main")
    assert t.plural("days", 20) in defaults
    assert t.plural("days", 23) not in defaults


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", ["/", "/limits"])
def test_every_limit_is_shown_as_it_is_in_force(path: str, language: Language) -> None:
    changed = settings(imap_ranges=7_654, linger_seconds=11, sender_share=0.35, connection_bytes=345_000)
    page, t = Browser(Relay(changed)).page(f"{path}?lang={language}"), catalogue()[language]
    names = [text for text, element in page.texts if text in limits() and element.parent is not None and element.parent.tag in ("li", "dt")]
    assert tuple(names) == limits()
    for value in (t.number(7_654), t("seconds", n=11), t("percent", n=35), t.size(345_000)):
        assert value in page.text("main")


def test_the_reason_of_each_limit_has_a_page() -> None:
    persian, english = (re.sub(r"\s", "", Browser(Relay()).page(f"/limits?lang={language}").text("main")) for language in LANGUAGES)
    for name in limits():
        assert re.sub(r"\s", "", PERSIAN_REASONS[name]) in persian
        assert re.sub(r"\s", "", default_reasons()[name]) in english


def test_a_reload_shows_at_once() -> None:
    relay = Relay()
    browser = Browser(relay)
    before = browser.page("/").text()
    relay.settings = replace(relay.settings, keep_days=37)
    assert "۳۷ روز" not in before
    assert "۳۷ روز" in browser.page("/").text()


# the first page


def test_the_button_needs_nothing_but_html() -> None:
    form = Browser(Relay()).page("/").one("form")
    assert form.attributes == {"method": "post", "action": "/welcome?lang=fa"}


def test_plain_http_leads_to_https_and_offers_no_form() -> None:
    page = Browser(Relay(), PLAIN).page("/")
    assert page.find("form") == []
    assert page.one("a", class_="act").attributes["href"] == f"https://{HERE}:8443/?lang=fa"
    assert "رمزنشده" in page.text("main")


def test_plain_http_of_an_invite_leads_to_the_same_invite() -> None:
    page = Browser(Relay(invites={TOKEN: 1}), PLAIN).page(f"/i/{TOKEN}?lang=en")
    assert page.one("a", class_="act").attributes["href"] == f"https://{HERE}:8443/i/{TOKEN}?lang=en"


def test_ipv6_is_bracketed_in_links_and_bare_in_logins() -> None:
    base = "https://[2001:db8::7]:8443"
    plain = Browser(Relay(), "http://[2001:db8::7]:8080").page("/")
    assert plain.one("a", class_="act").attributes["href"] == "https://[2001:db8::7]:8443/?lang=fa"
    link = Page(Browser(Relay(), base).post("/welcome").text).one("a", class_="act").attributes["href"]
    assert parse_dclogin(link)[2] is not None
    assert "&ih=2001:db8::7&" in link


def test_a_mapped_ipv4_address_is_an_ipv4_address() -> None:
    plain = Browser(Relay(), "http://[::ffff:192.0.2.7]:8080").page("/")
    assert plain.one("a", class_="act").attributes["href"] == "https://192.0.2.7:8443/?lang=fa"


def test_port_443_is_not_written() -> None:
    plain = Browser(Relay(is_self_signed=False, ports=port_layout("standard")), PLAIN).page("/")
    assert plain.one("a", class_="act").attributes["href"] == f"https://{DOMAIN}/?lang=fa"


def test_the_certificate_is_explained_only_where_browsers_warn() -> None:
    assert FINGERPRINT in Browser(Relay()).page("/").text()
    assert FINGERPRINT not in Browser(Relay(is_self_signed=False)).page("/").text()


def test_the_fingerprint_of_an_unencrypted_page_is_not_to_be_trusted() -> None:
    warning = str(catalogue()["fa"]("certificate_plain"))
    assert warning in Browser(Relay(), PLAIN).page("/").text()
    assert warning not in Browser(Relay()).page("/").text()


def test_operator_and_contact_are_shown_and_escaped() -> None:
    page = Browser(Relay(settings())).page("/")
    assert OPERATOR in page.text("footer")
    assert page.find("a", href="https://school.example/")


@pytest.mark.parametrize("contact", ["javascript:alert(1)", "http://x.example", "at the desk", "https://x.example/\nX: y", "mailto:a b"])
def test_a_contact_that_is_no_safe_link_is_left_out(contact: str) -> None:
    answer = Browser(Relay(settings(contact=contact))).get("/")
    assert contact not in answer.text


# language


@pytest.mark.parametrize(
    ("query", "accepted", "language"),
    [
        ("", None, "fa"),
        ("", "en", "en"),
        ("", "en-US,en;q=0.9", "en"),
        ("", "en;q=0.8,fa-IR;q=0.9", "fa"),
        ("", "de,fr;q=0.5", "fa"),
        ("", "en;q=0", "fa"),
        ("", "en;q=x,,;;q=1,*", "fa"),
        ("", "x" * 10_000 + ",en", "fa"),
        ("?lang=fa", "en", "fa"),
        ("?lang=en", "fa", "en"),
        ("?lang=%22%3E", "en", "en"),
        ("?lang=de", None, "fa"),
    ],
)
def test_language(query: str, accepted: str | None, language: str) -> None:
    headers = {"Accept-Language": accepted} if accepted is not None else {}
    answer = Browser(Relay()).get(f"/{query}", headers=headers)
    assert Page(answer.text).one("html").attributes["lang"] == language
    assert "set-cookie" not in answer.headers
    assert answer.headers["vary"] == "Accept-Language"


@pytest.mark.parametrize(("language", "other", "word"), [("fa", "en", "English"), ("en", "fa", "فارسی")])
def test_each_page_links_to_its_other_language(language: str, other: str, word: str) -> None:
    page = Browser(Relay()).page(f"/reconnect?lang={language}")
    link = page.one("a", lang=other)
    assert link.attributes["href"] == f"?lang={other}"
    assert word in page.text("header")


# accounts


def test_the_account_page_shows_link_code_address_and_password() -> None:
    page = Page(Browser(Relay()).post("/welcome?lang=fa").text)
    link = page.one("a", class_="act").attributes["href"]
    address, password, server = parse_dclogin(link)
    assert (address, password) == (Address("name00001", DOMAIN), PASSWORD)
    assert server == Relay().server_for(HERE)
    assert link == dclogin(address, password, server)
    assert str(address) in page.text("dl")
    assert PASSWORD in page.text("dl")
    assert page.one("div", role="img") in [each.parent for each in page.find("svg")]


def test_two_people_get_two_accounts() -> None:
    browser = Browser(Relay())
    links = {Page(browser.post("/welcome").text).one("a", class_="act").attributes["href"] for _ in range(2)}
    assert len(links) == 2


def test_looking_at_an_invite_uses_nothing_up() -> None:
    relay = Relay(invites={TOKEN: 2})
    browser = Browser(relay)
    for method in ("GET", "HEAD", "OPTIONS", "GET"):
        browser.ask(method, f"/i/{TOKEN}")
    assert relay.invites == {TOKEN: 2}
    assert "۲ حساب" in browser.page(f"/i/{TOKEN}").text("main")


def test_a_claim_uses_one_up_and_the_last_one_ends_the_invite() -> None:
    relay = Relay(invites={TOKEN: 1})
    browser = Browser(relay)
    first, second = browser.post(f"/i/{TOKEN}"), browser.post(f"/i/{TOKEN}")
    assert (first.status_code, second.status_code) == (200, 410)
    assert PASSWORD in Page(first.text).text("dl")
    assert relay.invites == {TOKEN: 0}
    assert browser.get(f"/i/{TOKEN}").status_code == 410


def test_an_invite_may_be_claimed_where_registration_is_closed_to_others() -> None:
    relay = Relay(settings(registration="invite"), invites={TOKEN: 1})
    assert Browser(relay).post(f"/i/{TOKEN}").status_code == 200


def test_a_fresh_link_carries_the_same_account_and_the_new_place() -> None:
    browser = Browser(Relay(), "https://198.51.100.9:8443")
    answer = browser.post("/reconnect", data={"address": f" ABCDEFG۱٢@{DOMAIN} ", "password": f" {PASSWORD} "})
    address, password, server = parse_dclogin(Page(answer.text).one("a", class_="act").attributes["href"])
    assert (str(address), password) == (f"abcdefg12@{DOMAIN}", PASSWORD)
    assert server is not None
    assert server.host == "198.51.100.9"


def test_what_was_typed_stays_in_the_form_except_the_password() -> None:
    answer = Browser(Relay()).post("/reconnect", data={"address": '"><a>@x.example', "password": "typed-secret"})
    assert Page(answer.text).one("input", name="address").attributes["value"] == '"><a>@x.example'
    assert "typed-secret" not in answer.text


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"\xff\xfe%%%=&&", "application/x-www-form-urlencoded"),
        (b"--x\r\n", "multipart/form-data"),
        (b"--x\r\nContent-Disposition: form-data; name=address; filename=f\r\n\r\nx\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (b"&".join(b"f%d=1" % n for n in range(5000)), "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
    ],
)
def test_an_odd_form_is_the_visitors_mistake_and_not_ours(body: bytes, kind: str) -> None:
    relay = Relay()
    answer = Browser(relay).post("/reconnect", content=body, headers={"Content-Type": kind})
    assert answer.status_code in (400, 422)
    assert relay.reported == []


# bugs


def test_a_bug_gets_a_reference_number_and_tells_nothing() -> None:
    relay = broken()
    answer = Browser(relay).post(f"/i/{TOKEN}")
    assert answer.status_code == 500
    assert "1a2b3c4d" in answer.text
    assert "marker" not in answer.text
    assert [type(bug) for bug in relay.reported] == [LookupError]
