# SPDX-License-Identifier: AGPL-3.0-or-later
"""VECTORS "cross-account" against the running relay: whatever a person names, it is looked for among that person's own things only.

Anna owns messages, folders, subscriptions, flags and a push token; Boris tries every command that takes a name, a UID or a number.
"""

import base64

import pytest
from tests.conformance.client import Client
from tests.conformance.people import Person

pytestmark = pytest.mark.slow


@pytest.fixture
def anna(person: Person) -> Client:
    client = person.filled(2)
    for name in ("Secret", "Secret/Deeper"):
        client(f"CREATE {name}")
        client(f"SUBSCRIBE {name}")
    client("COPY 1 Secret")
    client("STORE 1 +FLAGS ($AnnasWord)")
    client('SETMETADATA INBOX (/private/devicetoken "openpgp:annas-token")')
    return client


@pytest.fixture
def names(anna: Client, person: Person) -> list[str]:
    """Everything that other servers might take for a way to Anna."""
    user = person.address.partition("@")[0]
    ways = [f"user/{user}", f"user/{user}/INBOX", f"Other Users/{user}/Secret", f"~{user}/Secret", f"#shared/{user}", f"../{user}/Secret"]
    return [*ways, f"/{user}/Secret", person.address, f"{person.address}/INBOX", f"{user}.INBOX", f"INBOX/../../{user}/INBOX", "Secret"]


@pytest.fixture
def boris(stranger: Person, anna: Client) -> Client:
    return stranger.client("INBOX")


def test_no_command_reaches_another_persons_folder(boris: Client, stranger: Person, names: list[str]) -> None:
    boris.append(stranger.mail())
    for name in names:
        commands = [f'STATUS "{name}" (MESSAGES)', f'DELETE "{name}"', f'SUBSCRIBE "{name}"']
        commands += [f'UNSUBSCRIBE "{name}"', f'RENAME "{name}" mine', f'GETMETADATA "{name}" /private/devicetoken']
        commands += [f'SETMETADATA "{name}" (/private/devicetoken "x")', f'COPY 1 "{name}"', f'UID MOVE 1 "{name}"']
        for command in commands:
            assert boris(command, ok=False).tagged.kind == "NO", command
        for command in ("SELECT", "EXAMINE"):
            assert boris(f'{command} "{name}"', ok=False).tagged.kind == "NO", command
        boris("SELECT INBOX")
        assert boris(f'LIST "" "{name}"').all("LIST") == []
        assert boris(f'LIST "{name}/" "*"').all("LIST") == []


def test_lists_show_only_the_own(boris: Client) -> None:
    for command in ('LIST "" *', 'LSUB "" *', 'LIST (SUBSCRIBED RECURSIVEMATCH) "" *', 'LIST (REMOTE) "" (* % "*/*")'):
        assert {listed.value.name for listed in (*boris(command).all("LIST"), *boris(command).all("LSUB"))} == {"INBOX"}, command


def test_append_goes_nowhere_else(boris: Client, stranger: Person, names: list[str]) -> None:
    for name in names:
        assert boris.append(stranger.mail(), f'"{name}"'.encode(), ok=False).status == "NO [TRYCREATE]", name


def test_uids_and_numbers_are_the_own_mailboxs(boris: Client, stranger: Person) -> None:
    assert boris("UID FETCH 1:* (FLAGS BODY.PEEK[])").all("FETCH") == []
    assert boris("UID STORE 1:* +FLAGS (\\Deleted)").all("FETCH") == []
    assert boris("UID EXPUNGE 1:*").all("EXPUNGE") == []
    assert boris("UID SEARCH ALL").one("SEARCH") == []
    boris.append(stranger.mail())
    assert boris("UID FETCH 1:* UID").by_uid().keys() == {1}
    assert "$annasword" not in boris.selected.flags


def test_the_same_names_are_other_folders(boris: Client, anna: Client) -> None:
    for name in ("Secret", "Secret/Deeper"):
        boris(f"CREATE {name}")
    assert boris("STATUS Secret (MESSAGES)").one("STATUS")[1] == {"MESSAGES": 0}
    boris("DELETE Secret/Deeper")
    boris("DELETE Secret")
    assert anna("STATUS Secret (MESSAGES)").one("STATUS")[1] == {"MESSAGES": 1}


def test_quota_and_metadata_are_the_own(boris: Client, person: Person) -> None:
    for root in (person.address, f"user/{person.address}", "INBOX"):
        assert boris(f'GETQUOTA "{root}"', ok=False).status == "NO [NONEXISTENT]"
    assert boris("GETQUOTAROOT INBOX").one("QUOTAROOT") == ("INBOX", [b""])
    for mailbox in ("INBOX", '""'):
        answer = boris(f"GETMETADATA (DEPTH infinity) {mailbox} (/private /shared/vendor /private/devicetoken)")
        assert all(b"annas-token" not in (value or b"") for response in answer.all("METADATA") for value in response.value[1].values())


def test_nothing_is_heard_of_others(boris: Client, anna: Client, person: Person) -> None:
    tag = boris.idle()
    anna.append(person.mail())
    anna("STORE 1 +FLAGS (\\Flagged)")
    anna("STORE 2 +FLAGS (\\Deleted)")
    anna("EXPUNGE")
    anna("DELETE Secret/Deeper")
    assert boris.done(tag).untagged == []
    assert boris("NOOP").untagged == []


def test_acting_for_somebody_else_is_refused(person: Person, stranger: Person, anna: Client) -> None:
    """RFC 4616: an authorization identity that is not one's own."""
    blob = base64.b64encode(f"{person.address}\0{stranger.address}\0{stranger.password}".encode()).decode()
    stranger.client()
    assert stranger.connect()(f"AUTHENTICATE PLAIN {blob}", ok=False).status == "NO [AUTHORIZATIONFAILED]"


def test_a_second_login_in_one_connection_is_refused(boris: Client, person: Person) -> None:
    assert boris(f'LOGIN "{person.address}" "{person.password}"', ok=False).tagged.kind == "BAD"
    assert {listed.value.name for listed in boris('LIST "" *').all("LIST")} == {"INBOX"}
