# SPDX-License-Identifier: AGPL-3.0-or-later
"""What people do on the pages: a reload, a typed code, a new password, leaving, an app, reading what is kept."""

import hashlib
import html
import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.web_pages import DOMAIN, FINGERPRINT, HERE, PASSWORD, Browser, Page, Relay

from razdar.environment import CHECKOUT
from razdar.model.address import Address
from razdar.model.app_file import AppFile
from razdar.ports.crew import CrewBusy
from razdar.settings import Settings
from razdar.web import privacy
from razdar.web.pages import Pages
from razdar.web.sheet import sheet
from razdar.web.texts import LANGUAGES, Language, catalogue
from razdar.wire.links import dclogin

TOKEN = "aaaabbbbccccdddd"
OURS = {"Sec-Fetch-Site": "same-origin"}
ANNA = f"annasmith@{DOMAIN}"


def link_in(html: str) -> str:
    return Page(html).one("a", class_="act").attributes["href"]


# a reload


@pytest.mark.parametrize("path", ["/", f"/i/{TOKEN}"])
def test_the_same_form_sent_twice_is_one_account(path: str) -> None:
    relay = Relay(invites={TOKEN: 5})
    browser = Browser(relay)
    form = browser.page(path)
    action, ticket = form.one("form").attributes["action"], form.one("input", name="ticket").attributes["value"]
    first, second = (browser.post(action, data={"ticket": ticket}, headers=OURS) for _ in range(2))
    assert link_in(first.text) == link_in(second.text)
    assert relay.made == 1
    assert relay.invites[TOKEN] in (4, 5)


@pytest.mark.parametrize("site", [None, "cross-site", "same-site", "none", "same-origin, cross-site"])
def test_a_ticket_in_a_foreign_form_counts_for_nothing(site: str | None) -> None:
    """Its maker may know the ticket, and would share the account."""
    relay = Relay()
    browser = Browser(relay)
    headers = {} if site is None else {"Sec-Fetch-Site": site}
    links = {link_in(browser.post("/welcome", data={"ticket": "ticket0"}, headers=headers).text) for _ in range(2)}
    assert len(links) == 2
    assert relay.tickets == {}


def test_a_form_that_is_too_old_says_so() -> None:
    answer = Browser(Relay()).post("/welcome?lang=fa", data={"ticket": "old"}, headers=OURS)
    assert answer.status_code == 409
    assert str(catalogue()["fa"]("stale_title")) in answer.text


def test_during_a_flood_the_page_stays_and_invitations_work() -> None:
    relay = Relay(Settings(signup_pause_minutes=45), may_join=False, invites={TOKEN: 1})
    page = Browser(relay).page("/?lang=fa")
    assert not page.find("form")
    assert "۴۵ دقیقه" in page.text("main")
    assert page.find("a", href="/i?lang=fa")
    assert Browser(relay).post(f"/i/{TOKEN}").status_code == 200


# codes and notes


@pytest.mark.parametrize("typed", [TOKEN, "AAAA BBBB CCCC DDDD", " aaaa-bbbb-cccc-dddd "])
def test_a_code_from_paper(typed: str) -> None:
    page = Page(Browser(Relay(invites={TOKEN: 1})).get("/i", params={"lang": "fa", "code": typed}).text)
    assert page.one("form", method="post").attributes["action"] == f"/i/{TOKEN}?lang=fa"


@pytest.mark.parametrize("typed", ["x", "0" * 16, "<script>", "../../etc/passwd", "a" * 5000])
def test_a_wrong_code_is_over(typed: str) -> None:
    assert Browser(Relay(invites={TOKEN: 1})).get("/i", params={"code": typed}).status_code in (410, 414)


def test_the_note_is_shown_escaped_and_only_while_the_invitation_is_good() -> None:
    noted = f"{TOKEN}.PGI-2qnZhNin2LMgPC9iPg"  # <b>کلاس </b>
    page = Browser(Relay(invites={noted: 1})).page(f"/i/{noted}?lang=fa")
    assert "<b>کلاس </b>" in page.text("main")
    assert not page.find("b")
    assert "کلاس" not in Browser(Relay(invites={TOKEN: 1})).get(f"/i/{noted}?lang=fa").text


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_invitation_that_is_over_says_whom_to_ask(language: Language) -> None:
    relay = Relay(Settings(operator="مدرسهٔ سعدی", contact="mailto:desk@school.example", registration="invite"))
    page = Browser(relay).page(f"/i/{TOKEN}?lang={language}")
    assert "مدرسهٔ سعدی" in page.text("main")
    assert page.find("a", href="mailto:desk@school.example")
    assert str(catalogue()[language]("invite_not_needed")) not in page.text("main")


# cards


def test_the_sheet_is_one_file_with_a_card_for_each_code() -> None:
    relay = Relay(Settings(operator="مدرسهٔ <سعدی>"))
    html = sheet(Pages(relay.site()), [TOKEN, "eeeeffffgggghhhh"], "https://192.0.2.7:8443/", 7, "<b>class")
    page = Page(html.replace("<!doctype html>", ""))
    assert len(page.find("article", class_="slip")) == 2
    assert "eeee ffff gggg hhhh" in page.text("article")
    assert "مدرسهٔ <سعدی>" in page.text("article")
    assert "<b>class" in page.text("article")
    assert FINGERPRINT in page.text("article")
    assert "۷ روز" in page.text("article")
    assert "7 days" in page.text("article")
    assert not re.search(r"(src|href)=", html)
    assert re.findall(r"url\((?!data:)", html) == []


# a new password, and leaving


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_new_password_is_handed_over(language: Language) -> None:
    relay = Relay(accounts={ANNA: "old-password"})
    answer = Browser(relay).post(f"/account/password?lang={language}", data={"address": ANNA.upper(), "password": " old-password "})
    assert answer.status_code == 200
    assert "fresh-password-of-22-l" in Page(answer.text).text("dl")
    assert link_in(answer.text).startswith(f"dclogin:{ANNA}?p=fresh")


def test_leaving_needs_a_tick_and_the_right_password() -> None:
    relay = Relay(accounts={ANNA: "old-password"})
    browser = Browser(relay)
    form = {"address": ANNA, "password": "old-password"}
    assert browser.post("/account/delete", data=form).status_code == 422
    assert browser.post("/account/delete", data=form | {"sure": "yes", "password": "wrong"}).status_code == 403
    assert relay.accounts
    answer = browser.post("/account/delete?lang=fa", data=form | {"sure": "yes"})
    assert answer.status_code == 200
    assert str(catalogue()["fa"]("gone_title")) in answer.text
    assert relay.accounts == {}


def test_an_unknown_name_and_a_wrong_password_look_the_same() -> None:
    browser = Browser(Relay(accounts={ANNA: "old-password"}))
    pages = [browser.post("/account/password", data={"address": a, "password": "wrong"}) for a in (ANNA, f"bobsmith1@{DOMAIN}")]
    assert {page.status_code for page in pages} == {403}
    assert pages[0].text.replace(ANNA, "") == pages[1].text.replace(f"bobsmith1@{DOMAIN}", "")


@pytest.mark.parametrize("path", ["/account/password", "/account/delete"])
@pytest.mark.parametrize(("address", "password"), [("x@other.example", "p"), ("", ""), (ANNA, ""), (ANNA, "x" * 300)])
def test_nothing_is_looked_up_for_what_cannot_be_right(path: str, address: str, password: str) -> None:
    relay = Relay(accounts={ANNA: "old-password"})
    assert Browser(relay).post(path, data={"address": address, "password": password, "sure": "yes"}).status_code == 422
    assert relay.networks == []


@pytest.mark.parametrize("path", ["/account/password", "/account/delete"])
def test_too_many_guesses_and_plain_http(path: str) -> None:
    form = {"address": ANNA, "password": "old-password", "sure": "yes"}
    assert Browser(Relay(claim_error=CrewBusy())).post(path, data=form).status_code == 503
    plain = Relay(accounts={ANNA: "old-password"})
    answer = Browser(plain, f"http://{HERE}:8080").post(path, data=form)
    assert answer.status_code == 403
    assert plain.accounts
    assert not Browser(plain, f"http://{HERE}:8080").page("/account").find("input")


def test_the_password_is_never_repeated() -> None:
    answer = Browser(Relay()).post("/account/delete", data={"address": ANNA, "password": "typed-secret"})
    assert "typed-secret" not in answer.text
    assert Page(answer.text).one("input", id="delete-address").attributes["value"] == ANNA


# the app


@pytest.fixture
def shelf(tmp_path: Path) -> Relay:
    content = bytes(range(256)) * 1000
    (tmp_path / "delta.apk").write_bytes(content)
    (tmp_path / "secret.txt").write_text("secret")
    file = AppFile("delta.apk", "2.57.0", 754, len(content), hashlib.sha256(content).hexdigest())
    return Relay(apps=[file], apps_folder=tmp_path)


def test_the_page_offers_the_app_with_version_size_and_sum(shelf: Relay) -> None:
    page = Browser(shelf).page("/?lang=fa")
    assert page.find("a", href="/apps/delta.apk")
    for shown in ("2.57.0", "۲۵۶ کیلوبایت", shelf.apps[0].sha256):
        assert shown in page.text("main")
    assert "get.delta.chat" in page.text("main")


def test_a_download_is_whole_and_named(shelf: Relay) -> None:
    answer = Browser(shelf).get("/apps/delta.apk")
    assert hashlib.sha256(answer.content).hexdigest() == shelf.apps[0].sha256
    assert answer.headers["content-disposition"] == 'attachment; filename="delta.apk"'
    assert answer.headers["content-type"] == "application/vnd.android.package-archive"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["etag"] == f'"{shelf.apps[0].sha256}"'


@pytest.mark.parametrize(
    ("asked", "status", "size"),
    [("bytes=255000-", 206, 1000), ("bytes=0-0", 206, 1), ("bytes=-5", 206, 5), ("bytes=256000-", 416, None), ("lines=1-2", 400, None)],
)
def test_a_download_goes_on_where_it_stopped(shelf: Relay, asked: str, status: int, size: int | None) -> None:
    """RFC 9110 section 14."""
    answer = Browser(shelf).get("/apps/delta.apk", headers={"Range": asked})
    assert answer.status_code == status
    assert size is None or len(answer.content) == size


def test_another_version_begins_anew(shelf: Relay) -> None:
    """RFC 9110 section 13.1.5: If-Range with the sum of another file gets the whole."""
    answer = Browser(shelf).get("/apps/delta.apk", headers={"Range": "bytes=5-", "If-Range": '"0000"'})
    assert (answer.status_code, len(answer.content)) == (200, 256_000)


@pytest.mark.parametrize(
    "name",
    ["secret.txt", "../delta.apk", "..%2fdelta.apk", "%2e%2e%2fsecret.txt", "delta.apk%00", "./delta.apk", "delta.apk/", "DELTA.APK"],
)
def test_only_listed_names_are_handed_out(shelf: Relay, name: str) -> None:
    answer = Browser(shelf).get(f"/apps/{name}")
    assert answer.status_code == 404 or answer.content[:4] == bytes(range(4))
    assert b"secret" not in answer.content


# what is kept

STORAGE = (CHECKOUT / "docs/storage.md").read_text(encoding="utf-8")


def part(of: str, begin: str, end: str) -> str:
    return of[of.index(begin) : of.index(end, of.index(begin))]


def test_the_page_names_every_table_of_the_closed_list_and_no_other() -> None:
    block = part(part(STORAGE, "## The tables", "**The seal**"), "```", "\n```")
    assert set(re.findall(r"^([a-z_]+) ", block, re.MULTILINE)) == set(privacy.TABLES)


def test_the_page_names_every_file_of_the_closed_list_and_no_other() -> None:
    rows = re.findall(r"^\| (`.*?) \|", part(STORAGE, "## The files", "## The tables"), re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`(.*?)`", row)}
    assert documented == set().union(*privacy.FILES.values())


def test_the_page_tells_as_many_facts_as_the_document() -> None:
    rows = part(STORAGE, "## The short answer", "and, about nobody").split("|---|---|---|")[1].strip().split("\n")
    assert len(rows) == len(privacy.FACTS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_kept_and_for_how_long(language: Language) -> None:
    t = catalogue()[language]
    odd = Settings(
        keep_days=23, keep_large_days=3, large_bytes=345_000, account_days=111, push=False, operator="سعدی", contact="https://s.example/"
    )
    page = Browser(Relay(odd)).page(f"/privacy?lang={language}").text("main")
    for shown in (t.plural("days", 23), t.plural("days", 3), t.plural("days", 111), t.size(345_000), t("live_no_wakeup"), "سعدی"):
        assert str(shown) in page
    assert str(t("when_still")) not in page
    assert str(t("when_still")) in Browser(Relay(replace(odd, days_stand_still=True))).page(f"/privacy?lang={language}").text("main")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("place", "text"), [("/", "kept_elsewhere"), ("/privacy", "never_except")])
def test_what_waits_for_another_relay_is_told_where_there_are_others(language: Language, place: str, text: str) -> None:
    """docs/storage.md: the one exception to "no record of who wrote to whom"."""
    told = html.unescape(str(catalogue()[language](text)))
    for federation in (True, False):
        page = Browser(Relay(Settings(federation=federation))).page(f"{place}?lang={language}").text("main")
        assert (told in page) == federation


def test_security_txt_is_good_for_less_than_a_year() -> None:
    """RFC 9116 sections 2.5.3 and 2.5.5."""
    text = Browser(Relay(Settings(contact="mailto:x@y.example"))).get("/.well-known/security.txt").text
    assert re.search(r"^Contact: mailto:x@y\.example$", text, re.MULTILINE)
    assert re.search(r"^Expires: 20\d\d-\d\d-\d\dT00:00:00Z$", text, re.MULTILINE)


def test_links_made_here_are_those_the_app_reads() -> None:
    answer = Browser(Relay(accounts={ANNA: PASSWORD})).post("/account/password", data={"address": ANNA, "password": PASSWORD})
    assert link_in(answer.text) == dclogin(Address("annasmith", DOMAIN), "fresh-password-of-22-l", Relay().server_for(HERE))


# a relay that is closed


def test_a_closed_relay_does_not_lead_on_and_does_not_call_a_good_invitation_used_up() -> None:
    closed = Relay(Settings(registration="closed"))
    welcome, invited = Browser(closed).page("/?lang=en"), Browser(closed).get(f"/i/{TOKEN}?lang=en")
    assert "invitation link you were given" not in welcome.text("main")
    assert not welcome.find("ol")
    assert invited.status_code == 410
    assert "Yours may work later" in invited.text
    assert "used up" not in Page(invited.text).text("main")


def test_who_is_blocked_keeps_the_password_and_may_still_go() -> None:
    relay = Relay(accounts={ANNA: PASSWORD}, is_blocked=True)
    form = {"address": ANNA, "password": PASSWORD, "sure": "yes"}
    refused = Browser(relay).post("/account/password?lang=en", data=form)
    assert refused.status_code == 403
    assert "The operator has blocked this account" in refused.text
    assert Browser(relay).post("/account/delete?lang=en", data=form).status_code == 200
    assert relay.accounts == {}
