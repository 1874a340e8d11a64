# SPDX-License-Identifier: AGPL-3.0-or-later
"""RFC 3501 sections 2 to 6.2 against the running relay: attributes of messages, the form of data, any-state commands, logging in."""

import base64
import re
import socket

import pytest
from tests.conformance.people import Person

pytestmark = pytest.mark.slow


# section 2: messages and their attributes


def test_uids_ascend_and_are_never_used_again(person: Person) -> None:
    """RFC 3501 section 2.3.1.1."""
    client = person.filled(3)
    first = list(client.learn())
    client("STORE 2:3 +FLAGS.SILENT (\\Deleted)")
    client("EXPUNGE")
    answer = client.append(person.mail())
    assert answer.code is not None
    assert answer.code.value == (client.selected.uid_validity, [first[-1] + 1])
    assert list(client.learn()) == [first[0], first[-1] + 1]


def test_uidvalidity_stays_over_sessions(person: Person) -> None:
    first, second = person.filled(1).selected, person.client("INBOX").selected
    assert (first.uid_validity, first.uid_next) == (second.uid_validity, second.uid_next)


def test_a_folder_made_again_has_a_higher_uidvalidity(person: Person) -> None:
    """RFC 3501 section 6.3.3."""
    client = person.client()
    seen = []
    for _ in range(3):
        client("CREATE again")
        client.append(person.mail(), b"again")
        client("SELECT again")
        seen.append(client.selected.uid_validity)
        client("UNSELECT")
        client("DELETE again")
    assert seen == sorted(set(seen))


def test_system_flags_are_kept_and_recent_cannot_be_set(person: Person) -> None:
    """RFC 3501 section 2.3.2."""
    client = person.filled(1)
    client("STORE 1 FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft \\Recent)")
    again = person.client("INBOX")
    assert list(again.learn().values()) == [frozenset({"\\seen", "\\answered", "\\flagged", "\\deleted", "\\draft"})]


def test_recent_is_never_set(person: Person) -> None:
    """Section 2.3.2 leaves it open what is recent when nobody can tell; a store that opens no seal cannot (docs/specifications.md)."""
    client = person.filled(2)
    assert client("SEARCH RECENT").one("SEARCH") == []
    assert client("SEARCH OLD").one("SEARCH") == [1, 2]
    assert client("STATUS INBOX (RECENT)").one("STATUS") == ("INBOX", {"RECENT": 0})


def test_size_is_the_number_of_octets(person: Person) -> None:
    """RFC 3501 section 2.3.4."""
    mail = person.mail(70_000)
    client = person.client()
    client.append(mail)
    client("SELECT INBOX")
    values = client("FETCH 1 (RFC822.SIZE BODY.PEEK[])").fetched()[1]
    assert values["RFC822.SIZE"] == len(mail) == len(values["BODY[]"])
    assert values["BODY[]"] == mail


# section 4: data formats


def test_strings_in_every_form_mean_the_same(person: Person) -> None:
    client = person.client()
    client("CREATE a-b")
    for name in (b"a-b", b'"a-b"', b'"a\\-b"'):
        assert client(b"STATUS " + name + b" (MESSAGES)", ok=name != b'"a\\-b"').tagged.kind == ("BAD" if b"\\" in name else "OK")
    assert client("STATUS {3}", b"a-b", " (MESSAGES)").tagged.kind == "OK"
    tag = client.begin("STATUS {3+}\r\na-b (MESSAGES)")
    assert client.finish(tag).tagged.kind == "OK"


def test_numbers_out_of_range_are_bad(person: Person) -> None:
    client = person.filled(1)
    for command in ("FETCH 0 FLAGS", "FETCH 4294967296 FLAGS", "UID FETCH 0 FLAGS", "UID FETCH 99999999999 FLAGS", "FETCH 1:0 FLAGS"):
        assert client(command, ok=False).tagged.kind == "BAD", command


def test_nil_is_no_mailbox_name(person: Person) -> None:
    """NIL in the place of an astring is the astring NIL (RFC 3501 section 4.5 and 9)."""
    client = person.client()
    client("CREATE NIL")
    assert [listed.value.name for listed in client('LIST "" NIL').all("LIST")] == ["NIL"]


# section 5: operations


@pytest.mark.parametrize(
    "line", ["", "t", "t ", " NOOP", "t NOOP now", "t  NOOP", "* NOOP", "t+ NOOP", "t FROB", "t UID NOOP", "(", "t FETCH 1 FLAGS"]
)
def test_nonsense_is_bad_and_the_connection_lives(person: Person, line: str) -> None:
    client = person.client()
    client.send(line.encode() + b"\r\n")
    answer = client.next()
    assert answer.kind == "BAD"
    assert client("NOOP").tagged.kind == "OK"


def test_commands_in_any_case(person: Person) -> None:
    client = person.client()
    client("select inbox")
    client("Uid Search All")
    client('lIsT "" %')


def test_pipelined_commands_are_answered_in_order(person: Person) -> None:
    """RFC 3501 section 5.5."""
    client = person.filled(2)
    tags = [client.begin(command) for command in ("FETCH 1 UID", "STORE 1 +FLAGS (\\Seen)", "FETCH 1 FLAGS", "NOOP", "SEARCH SEEN")]
    answers = [client.finish(tag) for tag in tags]
    assert answers[2].fetched()[1]["FLAGS"] == ["\\Seen"]
    assert answers[4].one("SEARCH") == [1]


# section 6.1: any state


def test_capability_names_what_is_there(person: Person) -> None:
    client = person.connect()
    before = client("CAPABILITY").one("CAPABILITY")
    assert client.greeting.code is not None
    assert client.greeting.code.value == before
    assert {"IMAP4rev1", "AUTH=PLAIN", "SASL-IR"} <= set(before)
    assert not {"STARTTLS", "LOGINDISABLED"} & set(before)
    answer = client(f'LOGIN "{person.address}" "{person.password}"')
    assert answer.code is not None
    assert answer.code.value == client("CAPABILITY").one("CAPABILITY")


def test_noop_in_every_state(person: Person) -> None:
    client = person.connect()
    client("NOOP")
    client.log_in(person.address, person.password)
    client("NOOP")
    client("SELECT INBOX")
    client("NOOP")


def test_logout_says_bye_and_closes(person: Person) -> None:
    client = person.client("INBOX")
    client("LOGOUT")
    with pytest.raises(EOFError):
        client.next()


# section 6.2: not authenticated


def test_authenticate_plain_with_and_without_initial_response(person: Person) -> None:
    blob = base64.b64encode(f"\0{person.address}\0{person.password}".encode()).decode()
    first = person.connect()
    assert first(f"AUTHENTICATE PLAIN {blob}").tagged.kind == "OK"
    second = person.connect()
    tag = second.begin("AUTHENTICATE PLAIN")
    assert second.next().tag == "+"
    second.send(blob.encode() + b"\r\n")
    assert second.finish(tag).tagged.kind == "OK"


def test_authenticate_can_be_cancelled(person: Person) -> None:
    client = person.connect()
    tag = client.begin("AUTHENTICATE PLAIN")
    assert client.next().tag == "+"
    client.send(b"*\r\n")
    assert client.finish(tag).tagged.kind == "BAD"
    client.log_in(person.address, person.password)


def test_unknown_mechanism_is_refused(person: Person) -> None:
    assert person.connect()("AUTHENTICATE KERBEROS_V4", ok=False).tagged.kind == "NO"


def test_commands_of_other_states_are_bad(person: Person) -> None:
    """RFC 3501 section 3."""
    client = person.connect()
    for command in ("SELECT INBOX", 'LIST "" *', "FETCH 1 FLAGS", "CLOSE", "IDLE"):
        assert client(command, ok=False).tagged.kind == "BAD", command
    client.log_in(person.address, person.password)
    for command in ("FETCH 1 FLAGS", "CLOSE", "EXPUNGE", "CHECK", f"LOGIN {person.address} x", "STARTTLS"):
        assert client(command, ok=False).tagged.kind == "BAD", command


def test_login_with_literals(person: Person) -> None:
    client = person.connect()
    client(f"LOGIN {{{len(person.address)}}}", person.address, f" {{{len(person.password)}}}", person.password, "")


def test_starttls_port_offers_no_password_in_clear(person: Person) -> None:
    """RFC 3501 section 6.2.1 and 11.2; TLS itself is tried by the transcripts and by real clients."""
    with socket.create_connection((person.relay.bind, person.relay.port("imap")), 10) as plain:
        greeting = plain.recv(4096)
        assert re.search(rb"STARTTLS.*LOGINDISABLED|LOGINDISABLED.*STARTTLS", greeting)
        plain.sendall(b"a LOGIN x y\r\n")
        assert plain.recv(4096).startswith(b"a NO [PRIVACYREQUIRED]")


def test_two_clients_are_two_clients(person: Person) -> None:
    """What one has selected, the other has not (RFC 3501 section 3)."""
    first, second = person.filled(1), person.client()
    assert second("FETCH 1 FLAGS", ok=False).tagged.kind == "BAD"
    assert list(first("FETCH 1 FLAGS").fetched()) == [1]
