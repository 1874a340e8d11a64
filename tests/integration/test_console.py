# SPDX-License-Identifier: AGPL-3.0-or-later
"""The console of a relay that runs: its door, what its actions do to people who are connected, what is kept of them, and what is not."""

import asyncio
import json
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.integration.test_markers import files_below, needles, search
from tests.lab.load import Imap, Lost, Person, Refused, Smtp
from tests.lab.relay import Relay, random_text
from tests.mail.make import encrypted_message

from razdar.adapters.backup import PARTS
from razdar.adapters.backup_file import unpack
from razdar.servers.control import ask
from razdar.services.blocks import read_blocks
from razdar.wire.statement import parse_statement

pytestmark = pytest.mark.slow
SETTINGS = {"log_level": "debug", "push": "false", "reserve_bytes": 65_536, "keep_days": 19}


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Relay]:
    with Relay(tmp_path / "relay", settings=SETTINGS) as running:
        yield running


class Visitor:
    """A browser at this relay's pages, with cookies; httpx keeps them as a browser does."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.http = httpx.Client(base_url=f"https://{relay.bind}:{relay.port('https')}", verify=context, trust_env=False)

    def link(self) -> str:
        """The path of a fresh one-time link."""
        url = str(ask(self.relay.data, {"op": "console"})["url"])
        return url.removeprefix(str(self.http.base_url).rstrip("/"))

    def enter(self) -> "Visitor":
        assert self.http.post(self.link()).status_code == 303
        return self

    def do(self, action: str, **values: str) -> httpx.Response:
        form = re.search(r'name="form" value="([0-9a-f]+)"', self.http.get("/console/people?lang=en").text)
        assert form is not None
        return self.http.post(f"/console/do/{action}?lang=en", data={"form": form[1], "sure": "1", **values})


@pytest.fixture
def visitor(relay: Relay) -> Iterator[Visitor]:
    at_the_pages = Visitor(relay)
    with at_the_pages.http:
        yield at_the_pages


def person(relay: Relay) -> Person:
    return Person(f"mrk{random_text(9)}@{relay.name}", f"Mrk-{random_text(20)}")


async def both(relay: Relay, who: Person) -> tuple[Imap, Smtp]:
    imap = await Imap.open(relay.bind, relay.port("imaps"), who)
    return imap, await Smtp.open(relay.bind, relay.port("submissions"), who)


async def is_cut(connection: Imap | Smtp) -> None:
    """Whatever is said last, the connection ends."""
    with pytest.raises(Lost):
        await read_on(connection)
    connection.line.close()


async def read_on(connection: Imap | Smtp) -> None:
    async with asyncio.timeout(5):
        while True:
            await connection.line.read_line()


def test_the_link_works_once_and_the_cookie_is_kept_by_a_real_client(visitor: Visitor) -> None:
    assert visitor.http.get("/console/people").status_code == 403
    path = visitor.link()
    assert visitor.http.get(path).status_code == 200
    assert visitor.http.post(path).status_code == 303
    assert visitor.http.get("/console/people").status_code == 200
    stranger = Visitor(visitor.relay)
    with stranger.http:
        assert stranger.http.post(path).status_code == 403
        assert stranger.http.get("/console/people").status_code == 403


def test_the_command_prints_the_link(relay: Relay) -> None:
    done = subprocess.run(relay.other_command("console"), capture_output=True, env=relay.environment(), check=True, text=True)
    assert re.search(rf"https://{re.escape(relay.bind)}:{relay.port('https')}/console/enter/[0-9a-f]{{48}}", done.stdout)


def test_a_restart_ends_every_session(relay: Relay, visitor: Visitor) -> None:
    visitor.enter()
    assert visitor.http.get("/console/people").status_code == 200
    relay.stop()
    relay.start()
    assert visitor.http.get("/console/people").status_code == 403


def test_blocking_ends_live_connections_at_once_and_lasts(relay: Relay, visitor: Visitor) -> None:
    anna, babak = person(relay), person(relay)
    visitor.enter()

    async def before() -> None:
        """Both of anna's connections are cut while she waits; babak's go on."""
        anna_imap, anna_smtp = await both(relay, anna)
        babak_imap, babak_smtp = await both(relay, babak)
        await anna_imap.command("SELECT INBOX")
        await babak_smtp.send([anna.address], encrypted_message(babak.address, [anna.address], 2000, 1))
        answer = await asyncio.to_thread(visitor.do, "block", address=anna.address)
        assert answer.status_code == 200
        await asyncio.gather(is_cut(anna_imap), is_cut(anna_smtp))
        await babak_imap.command("NOOP")
        with pytest.raises(Refused, match=re.escape("5.2.1")):
            await babak_smtp.send([anna.address], encrypted_message(babak.address, [anna.address], 2000, 2))
        babak_imap.line.close()
        babak_smtp.line.close()

    async def while_blocked() -> None:
        for who, words in ((anna, "5.7.13"), (Person(anna.address, "something else"), "5.7.8")):
            with pytest.raises(Refused, match=re.escape(words)):
                await Smtp.open(relay.bind, relay.port("submissions"), who)
        for who, words in ((anna, "CONTACTADMIN"), (Person(anna.address, "something else"), "AUTHENTICATIONFAILED")):
            with pytest.raises(Refused, match=re.escape(words)):
                await Imap.open(relay.bind, relay.port("imaps"), who)

    async def afterwards() -> None:
        imap, smtp = await both(relay, anna)
        responses = await imap.command("SELECT INBOX")
        assert next(count for each in responses if (count := each.number(b"UIDNEXT")) is not None) == 2
        await smtp.send([babak.address], encrypted_message(anna.address, [babak.address], 2000, 3))
        imap.line.close()
        smtp.line.close()

    asyncio.run(before())
    asyncio.run(while_blocked())
    relay.stop()
    relay.start()
    asyncio.run(while_blocked())
    visitor.enter()
    assert visitor.do("unblock", address=anna.address.partition("@")[0]).status_code == 200
    asyncio.run(afterwards())


def test_nothing_of_whom_was_blocked_is_written_anywhere(relay: Relay, visitor: Visitor) -> None:
    anna, guest = person(relay), person(relay)
    asyncio.run(both_and_away(relay, anna))
    visitor.enter()
    for address in (anna.address, guest.address):
        visitor.do("block", address=address)
    visitor.do("block", address=f"{guest.address}.elsewhere.example")
    visitor.do("unblock", address=guest.address)
    note = f"Mrk{random_text(12)}"
    visitor.do("invite", uses="2", days="3", note=note)
    visitor.http.get(f"/console/do/block?address={anna.address}")
    passphrase = f"Mrk {random_text(20)}"
    assert visitor.do("backup", passphrase=passphrase, again=passphrase).content.startswith(b"razdar backup 1 sealed\n")
    wanted = {name: needles(text) for name, text in {"anna": anna.address, "guest": guest.address.partition("@")[0], "note": note}.items()}
    wanted |= {"anna's name": needles(anna.address.partition("@")[0]), "passphrase": needles(passphrase)}
    wanted["cookie"] = {cookie.encode() for cookie in visitor.http.cookies.values()}
    assert search(wanted, files_below(relay.folder), {"output": relay.output().encode()}) == []
    relay.stop()
    assert search(wanted, files_below(relay.folder), {"output": relay.output().encode()}) == []
    log = [json.loads(line) for line in (relay.data / "actions.log").read_text().splitlines()]
    assert [kind for _, kind, *_ in log] == ["enter", "block", "block", "unblock", "invite", "backup"]
    assert {detail for _, _, *details in log for detail in details} == {""}


async def both_and_away(relay: Relay, who: Person) -> None:
    for connection in await both(relay, who):
        connection.line.close()


def test_settings_change_at_once_and_outlast_a_restart(relay: Relay, visitor: Visitor) -> None:
    visitor.enter()
    assert visitor.do("registration", value="closed").status_code == 200
    assert visitor.do("setting", name="keep_days", value="5").status_code == 422  # the command line of this relay says 19
    newcomer = person(relay)
    with pytest.raises(Refused):
        asyncio.run(both(relay, newcomer))
    relay.stop()
    relay.start()
    with pytest.raises(Refused):
        asyncio.run(both(relay, newcomer))
    visitor.enter()
    visitor.do("restore", name="registration", value="")
    asyncio.run(both_and_away(relay, newcomer))


def test_a_backup_knows_who_is_blocked_and_what_was_changed(relay: Relay, visitor: Visitor) -> None:
    visitor.enter()
    visitor.do("block", address="abcdefghi")
    visitor.do("registration", value="invite")
    content = visitor.do("backup", passphrase="a very long passphrase", again="a very long passphrase").content
    parts = unpack(content, "a very long passphrase", PARTS)
    assert read_blocks(parts["blocks"]) == read_blocks((relay.data / "blocks").read_bytes())
    assert len(read_blocks(parts["blocks"])) == 1
    assert b'registration = "invite"' in parts["console.toml"]


def test_the_signed_number_of_blocks_is_checked_by_a_command(relay: Relay, visitor: Visitor, tmp_path: Path) -> None:
    visitor.enter().do("block", address="abcdefghi")
    file = tmp_path / "status.json"
    file.write_bytes(visitor.http.get("/status.json").content)
    statement = parse_statement(json.loads(file.read_bytes())["blocks"]["statement"])
    assert statement is not None
    assert (statement.relay, statement.blocks) == (relay.name, 1)
    command = [word for word in relay.other_command("verify") if word not in ("--data", str(relay.data))]
    done = subprocess.run([*command, str(file)], capture_output=True, env=relay.environment(), text=True, check=True)
    assert f"{relay.name} had 1 blocked accounts" in done.stdout
    assert "The relay's name is made from this very key." in done.stdout
    file.write_text(file.read_text().replace("blocks 1", "blocks 0"))
    forged = subprocess.run([*command, str(file)], capture_output=True, env=relay.environment(), text=True, check=False)
    assert forged.returncode == 1
    assert "no right signature" in forged.stderr


def test_status_is_known_from_the_first_moment_and_down_time_from_the_next_start(relay: Relay, visitor: Visitor) -> None:
    assert visitor.http.get("/status.json").json()["state"] == "well"
    relay.stop()
    kept = json.loads((relay.data / "statistics.json").read_text())
    kept["seen"] -= 7200
    (relay.data / "statistics.json").write_text(json.dumps(kept))
    relay.start()
    hours = [day["hours"]["down"] for day in visitor.http.get("/status.json").json()["days"]]
    assert 1 <= sum(hours) <= 3


def test_a_damaged_list_of_blocks_is_no_empty_list(relay: Relay) -> None:
    relay.stop()
    (relay.data / "blocks").write_bytes(b"nonsense")
    done = subprocess.run(relay.command(), capture_output=True, env=relay.environment(), text=True, check=False, timeout=20)
    assert done.returncode == 1
    assert "blocked accounts is damaged" in done.stderr


def test_what_commands_do_stands_in_the_log_by_its_kind(relay: Relay, visitor: Visitor, tmp_path: Path) -> None:
    app = tmp_path / "deltachat-2.57.0.apk"
    app.write_bytes(b"an app")
    razdar = [sys.executable, "-m", "razdar"]
    commands = (
        ["invite", "--note", "Parisa"],
        ["peer", "add", "other.example", "192.0.2.7", "--pin", "ab" * 32],
        ["peer", "remove", "other.example"],
        ["apps", "add", str(app)],
        ["apps", "remove", app.name],
        ["backup", str(tmp_path / "saved")],
    )
    for command in commands:
        subprocess.run([*razdar, *command, "--data", str(relay.data)], check=True, capture_output=True, timeout=60)
    visitor.enter()
    kinds = [json.loads(line)[1] for line in (relay.data / "actions.log").read_text().splitlines()]
    assert kinds == ["invite", "peer_add", "peer_remove", "app_add", "app_remove", "backup", "enter"]
    assert "An app was added" in visitor.http.get("/console/log?lang=en").text
    log = (relay.data / "actions.log").read_text()
    assert not [word for word in ("Parisa", "other.example", "deltachat", "192.0.2.7") if word in log]


def test_a_relay_written_down_at_the_console_is_in_force_at_once(relay: Relay, visitor: Visitor) -> None:
    visitor.enter()
    entry = {"name": "other.example", "addresses": relay.bind, "https_port": str(relay.port("https")), "smtp_port": "25"}
    form = re.search(r'name="form" value="([0-9a-f]+)"', visitor.http.get("/console/people?lang=en").text)
    assert form is not None
    question = visitor.http.post("/console/do/peer_add?lang=en", data={"form": form[1], **entry})
    seen = re.search(r'name="seen" value="([0-9a-f]{64})"', question.text)
    assert seen is not None, "its certificate was looked at; here it is our own"
    assert visitor.do("peer_add", **entry, seen=seen[1]).status_code == 200
    assert f"seen={seen[1]}" in (relay.data / "names.txt").read_text()
    assert "other.example" in visitor.http.get("/console/relay?lang=en").text
