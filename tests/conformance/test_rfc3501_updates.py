# SPDX-License-Identifier: AGPL-3.0-or-later
"""RFC 3501 sections 5.2, 5.5 and 7.4.1 against the running relay: what several sessions on one mailbox hear of each other, and when.

The client checks numbers, UIDs, flags and the places of EXPUNGE by itself; these tests say what must be heard in the end.
"""

import pytest
from tests.conformance.people import Person

pytestmark = pytest.mark.slow


def test_expunge_is_not_told_while_numbers_are_in_use(person: Person) -> None:
    """Section 7.4.1. The answers say that something was expunged (RFC 5530, EXPUNGEISSUED)."""
    client, other = person.filled(4), person.client("INBOX")
    uids = list(client.learn())
    other("STORE 2 +FLAGS.SILENT (\\Deleted)")
    other("EXPUNGE")
    fetched = client("FETCH 1:* UID")
    assert fetched.status == "OK [EXPUNGEISSUED]"
    assert [values["UID"] for values in fetched.fetched().values()] == [uids[0], uids[2], uids[3]]
    assert client("STORE 1:4 +FLAGS (\\Seen)").status == "OK [EXPUNGEISSUED]"
    assert client("SEARCH ALL").one("SEARCH") == [1, 3, 4]
    assert client("FETCH 4 UID").fetched()[4]["UID"] == uids[3]
    client("NOOP")
    assert client("FETCH 3 UID").fetched()[3]["UID"] == uids[3]
    assert client("FETCH 1:* UID").code is None


@pytest.mark.parametrize("command", ["UID FETCH 1:* FLAGS", "UID STORE 1:* +FLAGS (\\Seen)", "UID SEARCH ALL", "CHECK", "NOOP", "EXPUNGE"])
def test_other_commands_tell_of_expunged_messages(person: Person, command: str) -> None:
    client, other = person.filled(2), person.client("INBOX")
    other("STORE 1 +FLAGS.SILENT (\\Deleted)")
    other("EXPUNGE")
    client(command)
    assert len(client.selected.messages) == 1


def test_idle_tells_at_once(person: Person) -> None:
    """RFC 2177: arrivals, flags and expunges, without any further command."""
    client, other = person.filled(2), person.client("INBOX")
    tag = client.idle()
    other.append(person.mail())
    heard = client.next()
    assert (heard.kind, heard.number) == ("EXISTS", 3)
    other("STORE 1 +FLAGS.SILENT (\\Flagged)")
    heard = client.next()
    assert (heard.kind, heard.number, heard.value["FLAGS"]) == ("FETCH", 1, ["\\Flagged"])
    other("STORE 1:2 +FLAGS.SILENT (\\Deleted)")
    assert {client.next().number, client.next().number} == {1, 2}
    other("EXPUNGE")
    assert [client.next().kind, client.next().kind] == ["EXPUNGE", "EXPUNGE"]
    client.done(tag)
    assert len(client.selected.messages) == 1


def test_what_came_before_idle_is_told_when_it_begins(person: Person) -> None:
    client, other = person.filled(1), person.client("INBOX")
    other.append(person.mail())
    other("STORE 1 +FLAGS (\\Seen)")
    tag = client.idle()
    while len(client.selected.messages) < 2 or client.selected.messages[0].flags is None:
        client.next()
    assert client.selected.messages[0].flags == frozenset({"\\seen"})
    client.done(tag)


def test_a_new_keyword_in_idle_is_named_first(person: Person) -> None:
    client, other = person.filled(1), person.client("INBOX")
    tag = client.idle()
    other("STORE 1 +FLAGS.SILENT ($Fresh)")
    assert [client.next().kind for _ in range(3)] == ["FLAGS", "OK", "FETCH"]
    client.done(tag)


def test_a_message_that_came_and_went_is_not_mentioned(person: Person) -> None:
    client, other = person.filled(1), person.client("INBOX")
    other.append(person.mail(), flags="(\\Deleted)")
    other("NOOP")
    other("EXPUNGE")
    answer = client("NOOP")
    assert not answer.all("EXISTS")
    assert not answer.all("EXPUNGE")


def test_changes_of_one_device_reach_all_others(person: Person) -> None:
    clients = [person.filled(3), *(person.client("INBOX") for _ in range(3))]
    clients[0]("STORE 1 +FLAGS (\\Seen)")
    clients[1]("STORE 1 +FLAGS (\\Flagged)")
    clients[2]("STORE 2 +FLAGS (\\Deleted)")
    clients[3]("EXPUNGE")
    for client in clients:
        client("NOOP")
        assert [message.flags for message in client.selected.messages if message.flags] == [frozenset({"\\seen", "\\flagged"})]
        assert len(client.selected.messages) == 2


def test_two_devices_expunge_the_same_messages(person: Person) -> None:
    first, second = person.filled(10), person.client("INBOX")
    first("STORE 1:10 +FLAGS.SILENT (\\Deleted)")
    tags = first.begin("EXPUNGE"), second.begin("EXPUNGE")
    first.finish(tags[0])
    second.finish(tags[1])
    for client in (first, second):
        client("NOOP")
        assert client.selected.messages == []
