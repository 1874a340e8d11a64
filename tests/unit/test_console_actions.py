# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the operator does in the console: each action asks once, can be taken back where that is possible, and stands in the log."""

import asyncio
import re
from pathlib import Path

import pytest
from tests.console_world import APP, PASSPHRASE, PEER_FORM, Office, Operator, carried
from tests.service_world import DOMAIN
from tests.web_pages import Page

from razdar.adapters.certificate_look import Seen
from razdar.model.trouble import Trouble
from razdar.services.invites import digest
from razdar.settings import Settings
from razdar.web.console.actions import is_plain
from razdar.web.console.invitations import MOST_USES, tokens_in


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.fixture
def operator(office: Office) -> Operator:
    office.live(1)
    return Operator(office).enter()


@pytest.mark.parametrize(
    ("action", "values"),
    [
        ("invite", {"uses": "3", "days": "7", "note": "class"}),
        ("registration", {"value": "closed"}),
        ("setting", {"name": "keep_days", "value": "30"}),
        ("block", {"address": f"anna12345@{DOMAIN}"}),
        ("reload", {}),
        ("forget", {}),
    ],
)
def test_each_action_asks_once_and_stands_in_the_log(operator: Operator, office: Office, action: str, values: dict[str, str]) -> None:
    entered = len(office.log.latest())
    question = operator.send(f"/console/do/{action}", **values)
    assert question.status_code == 200
    assert len(office.log.latest()) == entered
    page = Page(question.text)
    form = page.find("form", action=f"/console/do/{action}?lang=en")[0]
    filled = carried(page, form)
    assert {"form": operator.form_token, "sure": "1", **values}.items() <= filled.items()
    assert operator.ask("POST", f"/console/do/{action}", data=filled).status_code == 200
    assert office.log.latest(1)[0].kind == action
    assert not set(values.values()) - {"keep_days", "30", "closed"} & set(office.disk["log"].decode().split('"'))


def test_block_and_unblock(operator: Operator, office: Office) -> None:
    answer = operator.do("block", address="Anna12345")
    assert len(office.blocks) == 1
    assert operator.do("block", address=f"anna12345@{DOMAIN}").status_code == 422
    assert operator.undo(answer).status_code == 200
    assert len(office.blocks) == 0
    assert [each.kind for each in office.log.latest(2)] == ["unblock", "block"]
    assert b"anna" not in office.disk["blocks"] + office.disk["log"]


def test_persian_digits_and_whole_addresses_are_understood(operator: Operator, office: Office) -> None:
    operator.do("block", address=f" anna۱۲۳۴۵@{DOMAIN} ")
    assert operator.do("unblock", address="anna12345").status_code == 200


def test_a_block_ends_live_sessions(operator: Operator, office: Office) -> None:
    login = asyncio.run(office.world.member("anna12345"))
    ended: list[bool] = []
    office.world.accounts.when_closed(login, lambda: ended.append(True))
    operator.do("block", address=str(login.address))
    # The fake world derives ids from names, the desk from addresses; both know this one from their shared cache.
    assert ended == [True]


def test_an_invite_works_and_can_be_withdrawn(operator: Operator, office: Office) -> None:
    answer = operator.do("invite", uses="۲", days="7", note="")
    link = Page(answer.text).one("dl", class_="keys")
    (url,) = [text for text, element in Page(answer.text).texts if element.tag == "bdi" and text.startswith("https://") and link]
    token = url.removeprefix(f"https://{DOMAIN}/i/")
    assert asyncio.run(office.world.invites.uses(token)) == 2
    assert operator.undo(answer).status_code == 200
    assert asyncio.run(office.world.invites.uses(token)) == 0
    assert token.encode() not in b"".join(office.disk.values())


@pytest.mark.parametrize(
    "values", [{"uses": str(MOST_USES + 1)}, {"uses": "x"}, {"days": "-1"}, {"days": "366"}, {"uses": ""}, {"note": "a\0b"}]
)
def test_invites_that_cannot_be(operator: Operator, values: dict[str, str]) -> None:
    assert operator.do("invite", **{"uses": "1", "days": "1", **values}).status_code == 422


def test_registration_changes_and_comes_back(operator: Operator, office: Office) -> None:
    answer = operator.do("registration", value="invite")
    assert office.config.settings.registration == "invite"
    entry = office.log.latest(1)[0]
    assert (entry.setting, entry.before, entry.after) == ("registration", "open", "invite")
    operator.undo(answer)
    assert office.config.settings.registration == "open"


def test_a_second_change_goes_back_to_the_first(operator: Operator, office: Office) -> None:
    operator.do("setting", name="keep_days", value="30")
    answer = operator.do("setting", name="keep_days", value="40")
    operator.undo(answer)
    assert office.config.settings.keep_days == 30


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("keep_days", "0"),
        ("keep_days", "1e3"),
        ("sender_share", "2"),
        ("sender_share", "nan"),
        ("domain", "x.example"),
        ("operator", "Anna"),
        ("nothing", "1"),
        ("connections", "5"),
    ],
)
def test_settings_that_cannot_be_changed_here(operator: Operator, office: Office, name: str, value: str) -> None:
    before = office.config.settings
    assert operator.do("setting", name=name, value=value).status_code in (404, 422)
    assert office.config.settings == before


def test_every_limit_on_the_page_can_be_changed(operator: Operator) -> None:
    page = operator.page("/console/limits")
    names = [each.attributes["href"] for each in page.find("a") if "setting?name=" in each.attributes["href"]]
    assert len(names) > 5
    for path in names:
        assert operator.get(path.partition("&")[0]).status_code == 200
    assert not [name for name in ("operator", "contact") if is_plain(name)]


def test_a_mistake_in_the_file_is_said(operator: Operator, office: Office) -> None:
    office.trouble = Trouble("اشتباه", "mistake")
    assert operator.do("reload").status_code == 422
    assert operator.do("setting", name="keep_days", value="30").status_code == 422
    assert office.config.settings == Settings()


def test_the_backup_is_a_file_and_its_passphrase_is_never_shown_again(operator: Operator, office: Office) -> None:
    answer = operator.send("/console/do/backup", passphrase=PASSPHRASE, again=PASSPHRASE)
    assert answer.content == b"razdar backup of 22"
    assert answer.headers["content-disposition"] == 'attachment; filename="razdar-backup"'
    assert answer.headers["cache-control"] == "no-store"
    wrong = operator.send("/console/do/backup", passphrase=PASSPHRASE, again="")
    assert PASSPHRASE not in wrong.text
    assert office.log.latest(1)[0].kind == "backup"


def test_a_sheet_of_cards_is_a_file_whose_codes_work(operator: Operator, office: Office) -> None:
    made = operator.send("/console/do/cards", cards="۳", days="30", note="کلاس پنجم")
    assert office.log.latest(1)[0].kind == "cards"
    answer = operator.press(made, "print")
    assert answer.headers["content-disposition"] == 'attachment; filename="razdar-invitations.html"'
    codes = set(re.findall(r"([a-z0-9]{4}(?: [a-z0-9]{4}){3})", answer.text))
    assert len(codes) == 3
    assert [asyncio.run(office.world.invites.uses(code.replace(" ", ""))) for code in codes] == [1, 1, 1]
    assert "کلاس پنجم" in answer.text
    assert [each.kind for each in office.log.latest()] == ["cards", "enter"], "fetching the sheet changes nothing"


def test_a_sheet_is_taken_back_as_a_whole_even_from_its_text(operator: Operator, office: Office) -> None:
    made = operator.send("/console/do/cards", cards="3", days="30", note="")
    sheet = Page(operator.press(made, "print").text).text("main")
    codes = tokens_in(sheet)
    assert len(codes) == 3
    asyncio.run(office.world.store.put_invite(digest(codes[0]), 0, 99))
    answer = operator.do("withdraw", token=sheet)
    assert "2 invitations stopped working" in answer.text
    assert [asyncio.run(office.world.invites.uses(code)) for code in codes] == [0, 0, 0]
    assert operator.do("withdraw", token=sheet).status_code == 422
    assert codes[1] not in office.disk["log"].decode()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("https://relay.example/i/mwarFA9Q-5lryFzM1LAr_g?lang=fa", ["mwarFA9Q-5lryFzM1LAr_g"]),
        ("mwarFA9Q-5lryFzM1LAr_g", ["mwarFA9Q-5lryFzM1LAr_g"]),
        ("k7f3 q9d2 m4xz rtwn\nh2jc-8vps-a5yb-e6gu", ["k7f3q9d2m4xzrtwn", "h2jc8vpsa5ybe6gu"]),
        ("k۷f۳q۹d۲m۴xzrtwn k7f3q9d2m4xzrtwn", ["k7f3q9d2m4xzrtwn"]),
        ("Scan with your phone's camera and make an account", []),
        ("34:04:CD:DF:B5:3F:86:50:50:E4:B4:6B:BC:21:AD:51", []),
        ("", []),
    ],
)
def test_invitations_are_found_in_what_is_pasted(text: str, found: list[str]) -> None:
    assert tokens_in(text) == found


# other relays and apps


def names_of(office: Office) -> str:
    file = office.data / "names.txt"
    return file.read_text() if file.exists() else ""


def test_a_relay_is_met_before_it_is_written_down(operator: Operator, office: Office) -> None:
    """The question shows the certificate; unless somebody compared it, it counts as seen only."""
    office.seen = Seen("cd" * 32, is_vouched_for=False)
    question = operator.send("/console/do/peer_add", **PEER_FORM)
    assert "CD:CD" in question.text
    assert names_of(office) == ""
    done = operator.press(question, "peer_add")
    assert f"other.example 192.0.2.7 https=8443 seen={'cd' * 32}" in names_of(office)
    assert office.names_read == 1
    assert "nobody has compared it" in operator.page("/console/relay").text("main")
    assert operator.undo(done).status_code == 200
    assert "other.example" not in names_of(office)
    assert [each.kind for each in office.log.latest(2)] == ["peer_restore", "peer_add"]
    assert b"other" not in office.disk["log"]


def test_a_compared_relay_stays_compared_and_a_changed_one_is_refused(operator: Operator, office: Office) -> None:
    operator.do("peer_add", **PEER_FORM, pin="CD:" * 31 + "CD")
    assert f"pin={'cd' * 32}" in names_of(office)
    office.seen = Seen("cd" * 32, is_vouched_for=False)
    operator.press(operator.send("/console/do/peer_add", **PEER_FORM), "peer_add")
    assert f"pin={'cd' * 32}" in names_of(office)
    office.seen = Seen("ef" * 32, is_vouched_for=False)
    refused = operator.send("/console/do/peer_add", **PEER_FORM)
    assert refused.status_code == 422
    assert "is not what it was" in refused.text
    assert f"pin={'cd' * 32}" in names_of(office)


def test_a_relay_that_is_removed_comes_back_with_its_keys(operator: Operator, office: Office) -> None:
    key = "v=DKIM1;k=ed25519;p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    operator.do("peer_add", **PEER_FORM, dkim=f"razdar:{key}")
    before = names_of(office)
    assert f"dkim=razdar:{key}" in before
    operator.do("peer_add", **{**PEER_FORM, "smtp_port": "8025"})
    assert f"dkim=razdar:{key}" in names_of(office), "an entry without keys keeps those it had"
    answer = operator.do("peer_remove", name="other.example")
    assert "other.example" not in names_of(office)
    operator.undo(answer)
    assert names_of(office).replace(" smtp=8025", "") == before
    assert operator.do("peer_remove", name="nobody.example").status_code == 422


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "a b"},
        {"name": ""},
        {"addresses": ""},
        {"addresses": "1.2.3.4 " * 4},
        {"https_port": "0"},
        {"pin": "xy"},
        {"dkim": "x"},
        {"name": "#"},
    ],
)
def test_relays_that_cannot_be(operator: Operator, office: Office, wrong: dict[str, str]) -> None:
    assert operator.do("peer_add", **{**PEER_FORM, **wrong}).status_code == 422
    assert names_of(office) == ""


def test_a_list_with_a_mistake_is_left_alone(operator: Operator, office: Office) -> None:
    (office.data / "names.txt").write_text("nonsense\n")
    assert "could not be read" in operator.get("/console/relay").text
    assert operator.do("peer_add", **PEER_FORM).status_code == 422
    assert names_of(office) == "nonsense\n"


def test_an_app_is_taken_from_the_page(operator: Operator, office: Office) -> None:
    office.relay.apps = [APP]
    assert "app_remove" in operator.get("/console/relay").text
    assert operator.do("app_remove", name="../razdar.toml").status_code == 422
    assert operator.do("app_remove", name=APP.name).status_code == 200
    assert office.relay.apps == []
    assert office.log.latest(1)[0].kind == "app_remove"


def test_an_unknown_action_is_no_page(operator: Operator) -> None:
    assert operator.get("/console/do/list").status_code == 404
    assert operator.send("/console/do/list").status_code == 404
