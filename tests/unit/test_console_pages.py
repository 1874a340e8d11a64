# SPDX-License-Identifier: AGPL-3.0-or-later
"""The operator's console and the status page, taken apart with an HTML parser, in both languages."""

import asyncio
import base64
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from tests.console_world import APP, KEY, PASSPHRASE, PEER_FORM, Office, Operator
from tests.service_world import DOMAIN
from tests.web_pages import Page

from razdar.policy.health import STATES
from razdar.policy.totals import ATTACKS, REASONS
from razdar.ports.courier import Reason
from razdar.services.statistics import PeerState
from razdar.web.console.guard import COOKIE
from razdar.web.console.sessions import IDLE_S, LINK_S, TRIES_PER_MINUTE
from razdar.web.texts import LANGUAGES, Language, catalogue

ACTIONS = (
    *("invite", "cards", "print", "withdraw", "registration", "setting", "restore", "block", "unblock", "reload", "backup", "forget"),
    *("peer_add", "peer_remove", "peer_restore", "app_remove"),
)
INSIDE = [
    "/console/people",
    "/console/limits",
    "/console/relay",
    "/console/log",
    "/console/passkey",
    *(f"/console/do/{name}" for name in ACTIONS),
]
PEER = PeerState("other.example", 1234, 5 * 3600, "not-connected")


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.fixture
def operator(office: Office) -> Operator:
    office.live(1)
    return Operator(office).enter()


# every page is whole, in both languages


def inside(path: str, **changes: object) -> Callable[[Path, str], httpx.Response]:
    def visit(data: Path, language: str) -> httpx.Response:
        office = Office(data, **changes)  # type: ignore[arg-type]
        return Operator(office.live(), language).enter().get(path)

    return visit


def sent(action: str, **form: str) -> Callable[[Path, str], httpx.Response]:
    def visit(data: Path, language: str) -> httpx.Response:
        office = Office(data)
        office.look()
        return Operator(office, language).enter().send(f"/console/do/{action}", **form)

    return visit


def outside(path: str, base_url: str = "https://192.0.2.7:8443", **changes: object) -> Callable[[Path, str], httpx.Response]:
    def visit(data: Path, language: str) -> httpx.Response:
        office = Office(data, **changes)  # type: ignore[arg-type]
        return Operator(office.live(), language, base_url).get(path)

    return visit


def with_link(data: Path, language: str) -> httpx.Response:
    office = Office(data)
    return Operator(office, language).get(f"/console/enter/{office.sessions.make_link()}")


def after_something(data: Path, language: str) -> httpx.Response:
    operator = Operator(Office(data), language).enter()
    operator.do("setting", name="keep_days", value="30")
    operator.do("block", address="anna12345")
    return operator.get("/console/log")


def after_invite(data: Path, language: str) -> httpx.Response:
    operator = Operator(Office(data), language).enter()
    return operator.undo(operator.do("invite", uses="3", days="7"))


def after_peer(data: Path, language: str) -> httpx.Response:
    office = Office(data)
    office.relay.apps = [APP]
    office.look()
    operator = Operator(office, language).enter()
    operator.do("peer_add", **PEER_FORM, seen="cd" * 32)
    return operator.get("/console/relay")


VIEWS: dict[str, tuple[int, Callable[[Path, str], httpx.Response]]] = {
    "door": (200, outside("/console")),
    "door, plain": (200, outside("/console", "http://192.0.2.7:8080")),
    "door, refused": (403, outside("/console/people")),
    "link": (200, with_link),
    "link, used": (403, outside("/console/enter/0123")),
    "overview": (200, inside("/console")),
    "overview, hour": (200, inside("/console?span=hour")),
    "overview, week": (200, inside("/console?span=week")),
    "overview, month": (200, inside("/console?span=month")),
    "overview, few people": (200, inside("/console", accounts=12)),
    "overview, unwell": (200, inside("/console", is_disk_full=True, peers=(PEER,))),
    "overview, self-signed": (200, inside("/console", is_self_signed=True)),
    **{path: (200, inside(path)) for path in INSIDE if not path.endswith(("setting", "restore"))},
    "passkey, impossible": (200, inside("/console/passkey", is_self_signed=True)),
    "setting": (200, inside("/console/do/setting?name=keep_days")),
    "setting, a switch": (200, inside("/console/do/setting?name=days_stand_still")),
    "setting, confirm": (200, sent("setting", name="keep_days", value="30")),
    "setting, done": (200, sent("setting", name="keep_days", value="30", sure="1")),
    "setting, mistake": (422, sent("setting", name="keep_days", value="0")),
    "restore, confirm": (200, sent("restore", name="keep_days")),
    "restore, done": (200, sent("restore", name="keep_days", sure="1")),
    "invite, confirm": (200, sent("invite", uses="۳", days="۷", note="کلاس")),
    "invite, done": (200, sent("invite", uses="3", days="7", sure="1")),
    "invite, mistake": (422, sent("invite", uses="0", days="7")),
    "invite, too long": (422, sent("invite", uses="1", days="7", note="x" * 200)),
    "cards, too many": (422, sent("cards", cards="201", days="7")),
    "cards, done": (200, sent("cards", cards="3", days="7", note="کلاس")),
    "withdraw, done": (200, after_invite),
    "withdraw, nothing": (422, sent("withdraw", token="x" * 22, sure="1")),
    "withdraw, confirm": (200, sent("withdraw", token="x" * 22)),
    "peer, first": (200, sent("peer_add", **PEER_FORM)),
    "peer, with a pin": (200, sent("peer_add", **{**PEER_FORM, "pin": "AB:" * 31 + "AB"})),
    "peer, done": (200, sent("peer_add", **PEER_FORM, sure="1")),
    "peer, mistake": (422, sent("peer_add", **{**PEER_FORM, "addresses": "nowhere"})),
    "peer, ourselves": (422, sent("peer_add", **{**PEER_FORM, "name": DOMAIN})),
    "relay, with a peer and an app": (200, after_peer),
    "registration, confirm": (200, sent("registration", value="invite")),
    "registration, done": (200, sent("registration", value="invite", sure="1")),
    "block, confirm": (200, sent("block", address="anna12345")),
    "block, done": (200, sent("block", address="anna12345", sure="1")),
    "block, foreign": (422, sent("block", address="anna@other.example")),
    "unblock, not blocked": (422, sent("unblock", address="anna12345", sure="1")),
    "reload, confirm": (200, sent("reload")),
    "reload, done": (200, sent("reload", sure="1")),
    "backup, too short": (422, sent("backup", passphrase="short", again="short")),
    "backup, differ": (422, sent("backup", passphrase=PASSPHRASE, again="another long passphrase")),
    "forget, done": (200, sent("forget", sure="1")),
    "a form of another session": (403, sent("block", address="anna12345", form="0" * 48)),
    "log": (200, after_something),
    "status": (200, outside("/status")),
    "status, plain": (200, outside("/status", "http://192.0.2.7:8080")),
    "status, degraded": (200, outside("/status", is_disk_full=True)),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("office")


@cache
def _visited(name: str, language: Language, folder: Path) -> httpx.Response:
    data = folder / f"{len(list(folder.iterdir()))}"
    data.mkdir()
    return VIEWS[name][1](data, language)


ALL = pytest.mark.parametrize(("name", "language"), [(name, language) for name in VIEWS for language in LANGUAGES])


@ALL
def test_every_page_is_whole(name: str, language: Language, folder: Path) -> None:
    answer = _visited(name, language, folder)
    assert answer.status_code == VIEWS[name][0]
    page = Page(answer.text)
    assert page.one("html").attributes == {"lang": language, "dir": "rtl" if language == "fa" else "ltr"}
    assert len(page.find("h1")) == 1
    assert not [each for each in page.elements if "style" in each.attributes or any(kind.startswith("on") for kind in each.attributes)]
    assert answer.headers["cache-control"] == "no-store"


@ALL
def test_no_word_is_left_in_the_other_language(name: str, language: Language, folder: Path) -> None:
    page = Page(_visited(name, language, folder).text)
    words = [text for text, element in page.texts if not element.is_foreign]
    words += [each.attributes[name] for each in page.elements for name in ("title", "aria-label", "placeholder") if name in each.attributes]
    strange = "[A-Za-z0-9]" if language == "fa" else "[\u0600-\u06ff]"
    assert [text for text in words if re.search(strange, text)] == []


@ALL
def test_forms_and_links_stay_here(name: str, language: Language, folder: Path) -> None:
    page = Page(_visited(name, language, folder).text)
    links = [each.attributes["href"] for each in page.find("a")] + [each.attributes["action"] for each in page.find("form")]
    assert [link for link in links if not link.startswith(("/", "?lang=", "#main", f"https://{DOMAIN}"))] == []


@ALL
def test_every_field_has_a_label(name: str, language: Language, folder: Path) -> None:
    page = Page(_visited(name, language, folder).text)
    labels = {each.attributes["for"] for each in page.find("label")}
    fields = [each for tag in ("input", "select", "textarea") for each in page.find(tag) if each.attributes.get("type") != "hidden"]
    assert {each.attributes["id"] for each in fields} <= labels


def test_there_are_words_for_everything_that_can_be_counted_or_happen() -> None:
    t = catalogue()["fa"]
    for name in REASONS:
        assert t(f"reason_{name}")
    for name in ATTACKS:
        assert t(f"attack_{name}")
    for reason in Reason:
        assert t(f"why_{reason.value.replace('-', '_')}")
    for name in STATES:
        assert t(f"state_{name}")
        assert t(f"status_{name}")
    for name in ACTIONS:
        assert all(f"do_{name}_{part}" in t.words for part in ("title", "text", "button"))
        assert f"do_{name}_done" in t.words or f"do_{name}_done_other" in t.words


# what it shows and never shows


def test_numbers_are_those_of_the_hours(operator: Operator) -> None:
    page = operator.page("/console?span=hour").text("main")
    for words in ("Messages accepted 130", "Messages delivered 410", "Messages refused 150", "not encrypted 60", "wrong passwords 200"):
        assert words in page


def test_of_few_people_nothing_is_counted(tmp_path: Path) -> None:
    office = Office(tmp_path, accounts=12).live(3)
    page = Operator(office).enter().page("/console?span=day").text("main")
    assert "Messages accepted" not in page
    assert "wrong passwords 600" in page
    assert "With fewer than 50 accounts" in page


def test_before_the_first_hour_is_over_the_page_says_that_numbers_will_come(office: Office) -> None:
    office.look()
    page = Operator(office).enter().page("/console?span=hour")
    assert "No whole hour has been measured yet" in page.text("main")
    assert "Charts" not in page.text("main")
    assert len(page.find("dl", class_="figures")) == 1


def test_numbers_are_written_and_understood_in_the_readers_digits(operator: Operator, office: Office) -> None:
    operator.language = "fa"
    page = operator.page("/console/do/setting?name=sender_share")
    assert page.one("input", id="value").attributes["value"] == "۰٫۲"
    question = operator.send("/console/do/setting", name="keep_days", value="۳۰").text
    assert "از ۲۰ به ۳۰" in question
    assert operator.do("setting", name="sender_share", value="۰٫۲۵").status_code == 200
    assert office.config.settings.sender_share == 0.25
    assert "از آری به نه" not in question
    assert "از نه به آری" in operator.send("/console/do/setting", name="days_stand_still", value="true").text


def test_the_first_line_says_what_is_wrong_and_what_to_do(tmp_path: Path) -> None:
    office = Office(tmp_path, is_disk_full=True, peers=(PEER,)).live(1)
    page = Operator(office).enter().page("/console")
    notice = page.one("section", class_="notice bad")
    said = " ".join(text for text, element in page.texts if notice in element.ancestors())
    assert "The disk is full" in said
    assert "Make room on the disk" in said
    assert "for many hours" in said
    assert "other.example 1,234 5 hours none of its addresses answers" in page.text("table")


def test_no_page_names_an_address_that_nobody_typed(office: Office) -> None:
    asyncio.run(office.world.member("anna12345"))
    operator = Operator(office.live(2)).enter()
    operator.do("block", address="babak6789")
    for path in ["/console", "/status", "/status.json", *INSIDE]:
        text = operator.get(path).text
        assert "anna12345" not in text
        assert "babak6789" not in text
    assert b"babak" not in b"".join(office.disk.values())


# coming in


def test_looking_at_a_link_uses_nothing_up(office: Office) -> None:
    operator, token = Operator(office), office.sessions.make_link()
    assert operator.get(f"/console/enter/{token}").status_code == 200
    assert operator.get(f"/console/enter/{token}").status_code == 200
    answer = operator.ask("POST", f"/console/enter/{token}")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/console?lang=en"
    assert operator.ask("POST", f"/console/enter/{token}").status_code == 403
    assert operator.get(f"/console/enter/{token}").status_code == 403


def test_the_cookie_is_bound_and_closed(office: Office) -> None:
    answer = Operator(office).ask("POST", f"/console/enter/{office.sessions.make_link()}")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-")
    assert {part.strip().lower() for part in cookie.split(";")[1:]} == {"path=/", "secure", "httponly", "samesite=strict"}


def test_a_link_that_is_too_old_lets_nobody_in(office: Office) -> None:
    token = office.sessions.make_link()
    office.clock.monotonic_s += LINK_S + 1
    assert Operator(office).ask("POST", f"/console/enter/{token}").status_code == 403


def test_a_session_ends_by_itself_and_by_leaving(operator: Operator, office: Office) -> None:
    assert operator.get("/console/people").status_code == 200
    office.clock.monotonic_s += IDLE_S + 1
    assert operator.get("/console/people").status_code == 403
    operator.enter()
    assert operator.send("/console/leave").status_code == 303
    assert operator.get("/console/people").status_code == 403


def test_wrong_links_are_limited_and_counted_and_the_right_one_still_works(office: Office) -> None:
    operator = Operator(office)
    statuses = [operator.ask("POST", f"/console/enter/{number:048x}").status_code for number in range(TRIES_PER_MINUTE + 2)]
    assert statuses == [403] * TRIES_PER_MINUTE + [429] * 2
    assert office.counted == ["console.refused"] * len(statuses)
    operator.enter()


def test_plain_http_lets_nobody_in(office: Office) -> None:
    plain = Operator(office, base_url="http://192.0.2.7:8080")
    token = office.sessions.make_link()
    assert plain.ask("POST", f"/console/enter/{token}").status_code == 403
    assert office.sessions.is_link(token)
    plain.cookie = Operator(office).enter().cookie
    assert plain.get("/console/people").status_code == 403


@pytest.mark.parametrize("path", INSIDE)
def test_without_a_session_there_is_nothing(office: Office, path: str) -> None:
    for cookie in ("", "0" * 48, "x"):
        visitor = Operator(office)
        visitor.cookie = cookie
        answer = visitor.get(path)
        assert answer.status_code == 403
        assert "./razdar console" in answer.text


@pytest.mark.parametrize("action", ACTIONS)
def test_no_action_without_a_session_or_with_another_sessions_form(office: Office, action: str) -> None:
    inside, other = Operator(office).enter(), Operator(office).enter()
    form = {
        "sure": "1",
        "address": "anna12345",
        "name": "keep_days",
        "value": "30",
        "uses": "1",
        "days": "1",
        "token": "x" * 22,
        "cards": "2",
    }
    form = {**PEER_FORM, **form}
    form |= {"passphrase": PASSPHRASE, "again": PASSPHRASE}
    before = (
        office.config.settings,
        len(office.blocks),
        office.reloads,
        len(office.log.latest()),
        len(office.world.staged.inner._state.invites),
    )
    assert Operator(office).send(f"/console/do/{action}", **form).status_code == 403
    inside.form_token = other.form_token
    assert inside.send(f"/console/do/{action}", **form).status_code == 403
    inside.form_token = ""
    assert inside.send(f"/console/do/{action}", **form).status_code == 403
    after = (
        office.config.settings,
        len(office.blocks),
        office.reloads,
        len(office.log.latest()),
        len(office.world.staged.inner._state.invites),
    )
    assert after == before


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_form_that_a_foreign_page_sends_is_refused_even_with_the_token(operator: Operator, office: Office, site: str) -> None:
    form = {"form": operator.form_token, "address": "anna12345", "sure": "1"}
    assert operator.ask("POST", "/console/do/block", data=form, headers={"Sec-Fetch-Site": site}).status_code == 403
    assert len(office.blocks) == 0
    assert operator.ask("POST", "/console/do/block", data=form, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200


@pytest.mark.parametrize("path", ["/console", "/console/people", "/console/passkey", "/status"])
def test_pages_are_in_no_frame_and_run_no_script_of_others(operator: Operator, path: str) -> None:
    answer = operator.get(path)
    policy = {each.split()[0]: each.split()[1:] for each in answer.headers["content-security-policy"].split("; ")}
    assert policy["default-src"] == ["'none'"]
    assert policy["frame-ancestors"] == ["'none'"]
    assert policy["form-action"] == ["'self'"]
    assert policy.get("script-src", ["'self'"]) == ["'self'"]
    assert ("script-src" in policy) == (path == "/console/passkey")
    assert answer.headers["x-frame-options"] == "DENY"
    scripts = Page(answer.text).find("script")
    assert [each.attributes["src"].partition("?")[0] for each in scripts] == (["/static/console.js"] if path == "/console/passkey" else [])


# the status


def test_the_count_of_blocks_is_published_and_signed(operator: Operator) -> None:
    operator.do("block", address="anna12345")
    status = operator.get("/status.json").json()
    blocks = status["blocks"]
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(blocks["key"]))
    key.verify(base64.b64decode(blocks["signature"]), blocks["statement"].encode())
    assert key == KEY.public_key()
    assert blocks["statement"].splitlines()[2] == "blocks 1"
    assert "blocked 1 account." in operator.page("/status").text("main")


def test_status_tells_ninety_days_and_no_number_of_people(office: Office) -> None:
    office.live(30, {"message.accepted": 130, "message.delivered": 410})
    visitor = Operator(office)
    status = visitor.get("/status.json").json()
    assert status["state"] == "well"
    assert len(status["days"]) == 90
    assert set(status) == {"relay", "state", "days", "blocks"}
    assert sum(day["hours"]["well"] for day in status["days"]) >= 30
    page = visitor.page("/status")
    assert len(page.find("li", class_="well")) >= 2
    assert len(page.find("li", class_="unknown")) >= 80
    assert "410" not in page.text()
    assert "130" not in page.text()


def test_status_needs_no_session_and_sets_no_cookie(office: Office) -> None:
    office.look()
    answer = Operator(office).get("/status")
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers


def test_the_cookie_has_the_name_that_browsers_protect() -> None:
    """RFC 6265bis section 4.1.3.2."""
    assert COOKIE.startswith("__Host-")


def test_a_relay_that_was_never_seen_says_so(office: Office) -> None:
    visitor = Operator(office)
    assert {day["state"] for day in visitor.get("/status.json").json()["days"]} == {"unknown"}
    page = visitor.page("/status")
    assert len(page.find("li", class_="unknown")) >= 90
    assert page.find("li", class_="well") == []
