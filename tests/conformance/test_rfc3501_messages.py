# SPDX-License-Identifier: AGPL-3.0-or-later
"""RFC 3501 section 6.4 against the running relay: CHECK to UID."""

import email
import email.policy
from datetime import UTC, datetime

import pytest
from tests.conformance.client import Client
from tests.conformance.people import Person

pytestmark = pytest.mark.slow


def flags_of(client: Client, number: int) -> set[str]:
    return set(client(f"FETCH {number} FLAGS").fetched()[number]["FLAGS"])


# CLOSE, EXPUNGE


def test_close_expunges_silently(person: Person) -> None:
    client, other = person.filled(3), person.client("INBOX")
    client("STORE 1,3 +FLAGS.SILENT (\\Deleted)")
    answer = client("CLOSE")
    assert not answer.all("EXPUNGE")
    other("NOOP")
    assert len(other.selected.messages) == 1


def test_check_is_a_noop(person: Person) -> None:
    person.filled(1)("CHECK")


def test_expunge_tells_every_message(person: Person) -> None:
    client = person.filled(5)
    uids = list(client.learn())
    client("STORE 2:3,5 +FLAGS.SILENT (\\Deleted)")
    answer = client("EXPUNGE")
    assert len(answer.all("EXPUNGE")) == 3
    assert sorted(filter(None, client.selected.expunged)) == [uids[1], uids[2], uids[4]]
    assert list(client.learn()) == [uids[0], uids[3]]


def test_a_message_undeleted_in_time_stays(person: Person) -> None:
    client, other = person.filled(1), person.client("INBOX")
    client("STORE 1 +FLAGS (\\Deleted)")
    other("STORE 1 -FLAGS (\\Deleted)")
    client("EXPUNGE")
    assert len(client.selected.messages) == 1


# SEARCH


@pytest.fixture
def searched(person: Person) -> Client:
    """1 seen and old, 2 flagged with a keyword, 3 large, 4 answered and deleted, 5 draft."""
    client = person.client()
    client.append(person.mail(), flags="(\\Seen)", date='"01-Feb-1994 23:30:00 -0800"')
    client.append(person.mail(), flags="(\\Flagged $Work)", date='"02-Feb-1994 12:00:00 +0000"')
    client.append(person.mail(9000))
    client.append(person.mail(), flags="(\\Answered \\Deleted)")
    client.append(person.mail(), flags="(\\Draft)")
    client("SELECT INBOX")
    return client


SEARCHES = {
    "ALL": [1, 2, 3, 4, 5],
    "ANSWERED": [4],
    "BCC x": [],
    "BEFORE 2-Feb-1994": [],
    "BEFORE 3-Feb-1994": [1, 2],
    'BODY "PGP MESSAGE"': [1, 2, 3, 4, 5],
    "BODY Message-ID": [],
    "CC x": [],
    "DELETED": [4],
    "DRAFT": [5],
    "FLAGGED": [2],
    "FROM razdar": [1, 2, 3, 4, 5],
    "FROM RAZDAR.ALT": [1, 2, 3, 4, 5],
    'HEADER Message-ID ""': [1, 2, 3, 4, 5],
    "HEADER X-Nothing x": [],
    "HEADER MIME-Version 1.0": [1, 2, 3, 4, 5],
    "KEYWORD $Work": [2],
    "KEYWORD $work": [2],
    "LARGER 5000": [3],
    "NEW": [],
    "NOT SEEN": [2, 3, 4, 5],
    "OLD": [1, 2, 3, 4, 5],
    "ON 2-Feb-1994": [1, 2],
    'ON "2-Feb-1994"': [1, 2],
    "OR SEEN FLAGGED": [1, 2],
    "OR (SEEN UNSEEN) DRAFT": [5],
    "RECENT": [],
    "SEEN": [1],
    "SENTBEFORE 1-Jan-2000": [],
    "SENTSINCE 1-Jan-2000": [1, 2, 3, 4, 5],
    "SENTON 1-Jan-2000": [],
    "SINCE 3-Feb-1994": [3, 4, 5],
    "SMALLER 5000": [1, 2, 4, 5],
    "SUBJECT [...]": [1, 2, 3, 4, 5],
    "TEXT Message-ID": [1, 2, 3, 4, 5],
    "TO hidden": [1, 2, 3, 4, 5],
    "UID 2:3": [2, 3],
    "UID 99": [],
    "UID 99:*": [5],
    "UNANSWERED": [1, 2, 3, 5],
    "UNDELETED": [1, 2, 3, 5],
    "UNDRAFT": [1, 2, 3, 4],
    "UNFLAGGED": [1, 3, 4, 5],
    "UNKEYWORD $Work": [1, 3, 4, 5],
    "UNSEEN": [2, 3, 4, 5],
    "2:3": [2, 3],
    "*": [5],
    "1,4:5 UNDELETED": [1, 5],
    "(SEEN)": [1],
    "NOT (OR SEEN (OR FLAGGED NOT SMALLER 5000))": [4, 5],
    "CHARSET UTF-8 SUBJECT ...": [1, 2, 3, 4, 5],
    "CHARSET US-ASCII SEEN": [1],
}


def test_search_by_every_key(searched: Client) -> None:
    """RFC 3501 section 6.4.4, in its order; UIDs equal numbers in a fresh mailbox."""
    for keys, found in SEARCHES.items():
        assert searched(f"SEARCH {keys}").one("SEARCH") == found, keys
        assert searched(f"UID SEARCH {keys}").one("SEARCH") == found, keys


def test_search_for_what_cannot_be_searched_for(searched: Client) -> None:
    answer = searched("SEARCH CHARSET KOI8-R SEEN", ok=False)
    assert answer.status == "NO [BADCHARSET]"
    assert answer.code is not None
    assert answer.code.value == [b"US-ASCII", b"UTF-8"]
    for keys in ("", "FROB", "NOT", "OR SEEN", "(SEEN", "()", "BEFORE yesterday", "LARGER -1", "KEYWORD \\Seen x y"):
        assert searched(f"SEARCH {keys}", ok=False).tagged.kind == "BAD", keys


def test_search_with_a_literal_in_persian(searched: Client) -> None:
    word = "سلام".encode()
    assert searched(f"SEARCH CHARSET UTF-8 SUBJECT {{{len(word)}}}", word, b"").one("SEARCH") == []


# FETCH


def test_fetch_sections_agree_with_a_mail_parser(person: Person) -> None:
    """Section 6.4.5, against Python's parser."""
    mail = person.mail(5000)
    client = person.client()
    client.append(mail)
    client("SELECT INBOX")
    asked = "BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT] BODY.PEEK[1] BODY.PEEK[2] BODY.PEEK[1.MIME] BODY.PEEK[2.MIME]"
    values = client(f"FETCH 1 ({asked} BODY.PEEK[HEADER.FIELDS (From DATE)] BODY.PEEK[HEADER.FIELDS.NOT (From DATE)])").fetched()[1]
    parsed = email.message_from_bytes(mail, policy=email.policy.SMTP)
    first, second = parsed.iter_parts()
    head, _, body = mail.partition(b"\r\n\r\n")
    assert values["BODY[]"] == mail
    assert values["BODY[HEADER]"] == head + b"\r\n\r\n"
    assert values["BODY[TEXT]"] == body
    assert values["BODY[1]"].decode() == first.get_payload()
    assert values["BODY[2]"].decode() == second.get_payload()
    assert email.message_from_bytes(values["BODY[1.MIME]"])["Content-Type"] == str(first["Content-Type"])
    assert values["BODY[2.MIME]"].endswith(b"\r\n\r\n")
    fields = email.message_from_bytes(values["BODY[HEADER.FIELDS (FROM DATE)]"])
    assert {name.lower() for name in fields.keys()} == {"from", "date"}  # noqa: SIM118 - a message is no dictionary
    others = email.message_from_bytes(values["BODY[HEADER.FIELDS.NOT (FROM DATE)]"])
    assert set(others.keys()) | set(fields.keys()) == set(parsed.keys())


def test_fetch_old_names_and_macros(person: Person) -> None:
    client = person.filled(1)
    whole = client("FETCH 1 (RFC822.HEADER RFC822.TEXT RFC822)").fetched()[1]
    assert whole["RFC822"] == whole["RFC822.HEADER"] + whole["RFC822.TEXT"]
    assert set(client("FETCH 1 FAST").fetched()[1]) == {"FLAGS", "INTERNALDATE", "RFC822.SIZE"}
    assert set(client("FETCH 1 ALL").fetched()[1]) == {"FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"}
    assert set(client("FETCH 1 FULL").fetched()[1]) == {"FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"}


def test_fetch_partial(person: Person) -> None:
    """Section 6.4.5: beyond the end an empty string, over the end what there is."""
    client = person.filled(1)
    mail = client("FETCH 1 BODY.PEEK[]").fetched()[1]["BODY[]"]
    for first, count in ((0, 1), (0, 10), (100, 50), (len(mail) - 3, 100), (len(mail), 5), (len(mail) + 5, 5), (4294967295, 4294967295)):
        values = client(f"FETCH 1 BODY.PEEK[]<{first}.{count}>").fetched()[1]
        assert values == {f"BODY[]<{first}>": mail[first : first + count]}
    assert client("FETCH 1 BODY.PEEK[]<0.0>", ok=False).tagged.kind == "BAD"


def test_fetch_of_parts_that_are_not_there(person: Person) -> None:
    client = person.filled(1)
    for section in ("3", "1.1", "2.7.1", "1.HEADER", "99.TEXT"):
        assert client(f"FETCH 1 BODY.PEEK[{section}]").fetched()[1][f"BODY[{section}]"] in (None, b""), section
    for section in ("0", "MIME", "1.", "HEADER.FIELDS", "HEADER.FIELDS ()", "FROB"):
        assert client(f"FETCH 1 BODY.PEEK[{section}]", ok=False).tagged.kind == "BAD", section


def test_reading_sets_seen_and_tells_it(person: Person) -> None:
    client, other = person.filled(4), person.client("INBOX")
    assert client("FETCH 1 BODY.PEEK[]").fetched()[1].keys() == {"BODY[]"}
    assert flags_of(client, 1) == set()
    for number, item in ((1, "BODY[]"), (2, "RFC822"), (3, "BODY[1]<0.3>"), (4, "RFC822.TEXT")):
        assert client(f"FETCH {number} {item}").fetched()[number]["FLAGS"] == ["\\Seen"], item
    other("NOOP")
    assert [message.flags for message in other.selected.messages] == [frozenset({"\\seen"})] * 4


def test_header_alone_does_not_set_seen(person: Person) -> None:
    client = person.filled(1)
    client("FETCH 1 RFC822.HEADER")
    assert flags_of(client, 1) == set()


def test_fetch_of_messages_that_do_not_exist(person: Person) -> None:
    client = person.filled(2)
    assert client("FETCH 3 FLAGS", ok=False).tagged.kind == "BAD"
    assert client("UID FETCH 99 FLAGS").all("FETCH") == []
    assert set(client("UID FETCH 99:* FLAGS").fetched()) == {2}
    assert set(client("FETCH 2:1 UID").fetched()) == {1, 2}
    assert set(client("FETCH *:1 UID").fetched()) == {1, 2}


def test_envelope_and_bodystructure(person: Person) -> None:
    client = person.filled(1)
    values = client("FETCH 1 (ENVELOPE BODYSTRUCTURE BODY)").fetched()[1]
    envelope = values["ENVELOPE"]
    user, domain = person.address.encode().split(b"@")
    assert envelope[2] == envelope[3] == envelope[4] == [[None, None, user, domain]]
    assert envelope[5] == [[None, None, b"hidden-recipients", None], [None, None, None, None]]
    assert [part[:2] for part in values["BODYSTRUCTURE"][:2]] == [[b"application", b"pgp-encrypted"], [b"application", b"octet-stream"]]
    assert values["BODYSTRUCTURE"][2] == values["BODY"][2] == b"encrypted"
    size = values["BODYSTRUCTURE"][1][6]
    assert size == len(client("FETCH 1 BODY.PEEK[2]").fetched()[1]["BODY[2]"])


def test_internal_date_is_when_it_came(person: Person) -> None:
    client = person.filled(1)
    age = datetime.now(UTC) - client("FETCH 1 INTERNALDATE").fetched()[1]["INTERNALDATE"]
    assert abs(age.total_seconds()) < 60


# STORE


def test_store_adds_removes_and_replaces(person: Person) -> None:
    client = person.filled(1)
    steps = [
        ("+FLAGS (\\Seen $A)", {"\\Seen", "$A"}),
        ("+FLAGS \\Flagged", {"\\Seen", "$A", "\\Flagged"}),
        ("-FLAGS (\\Seen $Unknown)", {"$A", "\\Flagged"}),
        ("FLAGS (\\Draft)", {"\\Draft"}),
        ("FLAGS ()", set()),
        ("+FLAGS ()", set()),
        ("+FLAGS \\Seen \\Draft", {"\\Seen", "\\Draft"}),
    ]
    for item, flags in steps:
        assert set(client(f"STORE 1 {item}").fetched()[1]["FLAGS"]) == flags, item
    assert client("STORE 1 FLAGS.SILENT (\\Answered)").all("FETCH") == []
    assert flags_of(client, 1) == {"\\Answered"}
    for item in ("FROB (\\Seen)", "FLAGS", "FLAGS (\\Seen", "FLAGS (a b", "+FLAGS.LOUD (\\Seen)"):
        assert client(f"STORE 1 {item}", ok=False).tagged.kind == "BAD", item
    assert client("STORE 2 FLAGS (\\Seen)", ok=False).tagged.kind == "BAD"


def test_a_new_keyword_is_announced(person: Person) -> None:
    """Section 7.2.6; the client checks that no flag is told before FLAGS has named it."""
    client, other = person.filled(1), person.client("INBOX")
    assert "$new" in {flag.lower() for flag in client("STORE 1 +FLAGS ($New)").one("FLAGS")}
    assert "$new" in client.selected.permanent
    other("NOOP")
    assert other.selected.messages[0].flags == frozenset({"$new"})


def test_keywords_have_a_limit(person: Person) -> None:
    """32 in a mailbox; the seal of a message has so many bits (docs/specifications.md)."""
    client = person.filled(1)
    client("STORE 1 +FLAGS (" + " ".join(f"k{number}" for number in range(32)) + ")")
    assert len(flags_of(client, 1)) == 32
    assert "\\*" not in client.selected.permanent
    assert client("STORE 1 +FLAGS (one-more)", ok=False).status == "NO [LIMIT]"
    assert client("STORE 1 +FLAGS (K7 \\Seen)").tagged.kind == "OK"
    client("STORE 1 -FLAGS (k3)")
    assert "k3" not in flags_of(client, 1)


# COPY


def test_copy_keeps_flags_and_date(person: Person) -> None:
    client = person.client()
    client.append(person.mail(), flags="(\\Flagged $Kept)", date='"17-Jul-1996 02:44:25 +0000"')
    client("CREATE copies")
    client("SELECT INBOX")
    client("COPY 1 copies")
    there = person.client("copies")
    here_values, there_values = (one("FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])").fetched()[1] for one in (client, there))
    assert here_values == there_values


def test_copy_to_nowhere_and_onto_itself(person: Person) -> None:
    client = person.filled(2)
    assert client("COPY 1 nowhere", ok=False).status == "NO [TRYCREATE]"
    assert client("COPY 3 INBOX", ok=False).tagged.kind == "BAD"
    client("COPY 1:2 INBOX")
    assert len(client.learn()) == 4


# UID


def test_uid_commands_name_messages_by_uid(person: Person) -> None:
    client = person.filled(3)
    client("STORE 1 +FLAGS.SILENT (\\Deleted)")
    client("EXPUNGE")
    first, second = client.learn()
    assert client(f"UID FETCH {second} FLAGS").fetched() == {2: {"UID": second, "FLAGS": []}}
    assert client(f"UID STORE {first} +FLAGS (\\Seen)").fetched()[1]["FLAGS"] == ["\\Seen"]
    assert client(f"UID SEARCH {2}").one("SEARCH") == [second]
    assert client(f"SEARCH UID {second}").one("SEARCH") == [2]
    client("CREATE copies")
    client(f"UID COPY {first}:{second} copies")
    assert client("STATUS copies (MESSAGES)").one("STATUS")[1] == {"MESSAGES": 2}
    assert client("UID COPY 999 copies").code is None
    assert client("UID EXPUNGE", ok=False).tagged.kind == "BAD"
