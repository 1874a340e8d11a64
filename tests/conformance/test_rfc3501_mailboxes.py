# SPDX-License-Identifier: AGPL-3.0-or-later
"""RFC 3501 section 6.3 against the running relay: SELECT to APPEND, names, hierarchy, subscriptions."""

import unicodedata
from datetime import UTC, datetime

import pytest
from tests.conformance.client import Answer, Client
from tests.conformance.grammar import wire_name
from tests.conformance.people import Person
from tests.mail.make import plain_message

pytestmark = pytest.mark.slow

NAMES = {
    "Persian": "پیام‌های من",
    "Persian with a half-space at the end of a part": "می‌شود/خانه",
    "Arabic letters beside Persian ones": "ي ی ك ک",
    "right-to-left marks": "گروه‏ها ؜",
    "composed": "café",
    "decomposed": "cafe\u0301",
    "Hangul": "한국어",
    "a smiling face": "😀",
    "plane 2": "𠀋",
    "plane 14": "a\U000e0101",
    "plane 16": "\U0010fffd",
    "ampersand": "Tom & Jerry &-",
    "quotes and backslashes": 'a"b\\c',
    "looks like a shift": "&AGE-",
    "braces and spaces": " {5} (x) ",
    "hash and tilde": "#news ~me",
}


def listed(answer: Answer, kind: str = "LIST") -> dict[str, frozenset[str]]:
    """Name → attributes in small letters."""
    return {each.value.name: frozenset(a.lower() for a in each.value.attributes) for each in answer.all(kind)}


def names(client: Client, pattern: str, reference: str = "", kind: str = "LIST") -> set[str]:
    return set(listed(client(f'{kind} "{reference}" "{pattern}"'), kind))


# SELECT and EXAMINE


def test_select_says_what_it_must(person: Person) -> None:
    """The client checks the list of section 6.3.1 at every SELECT; here that UIDNEXT is above every UID."""
    client = person.filled(2)
    assert client.selected.uid_next > max(client.learn())
    assert "\\*" in client.selected.permanent


def test_a_failed_select_leaves_nothing_selected(person: Person) -> None:
    client = person.client("INBOX")
    assert client("SELECT nowhere", ok=False).status == "NO [NONEXISTENT]"
    assert client("FETCH 1 FLAGS", ok=False).tagged.kind == "BAD"


def test_examine_changes_nothing(person: Person) -> None:
    """RFC 3501 section 6.3.2."""
    client = person.filled(2)
    client("STORE 1 +FLAGS (\\Deleted)")
    client("EXAMINE INBOX")
    assert client("FETCH 1 BODY[]").fetched()[1].get("FLAGS", []) in ([], ["\\Deleted"])
    for command in ("STORE 1 +FLAGS (\\Seen)", "EXPUNGE", "UID EXPUNGE 1", "MOVE 1 INBOX"):
        assert client(command, ok=False).status == "NO [READ-ONLY]", command
    client("CREATE elsewhere")
    client("COPY 1 elsewhere")
    client("CLOSE")
    client("SELECT INBOX")
    assert list(client.learn().values()) == [frozenset({"\\deleted"}), frozenset()]


def test_select_again_shows_the_mailbox_afresh(person: Person) -> None:
    client, other = person.filled(1), person.client()
    other.append(person.mail())
    client("SELECT INBOX")
    assert len(client.selected.messages) == 2


# CREATE, DELETE, RENAME and hierarchy


def test_create_makes_superior_names(person: Person) -> None:
    """Section 6.3.3: names above exist as places in the hierarchy; they become mailboxes when they are made."""
    client = person.client()
    client("CREATE a/b/c")
    assert listed(client('LIST "" *')) == {
        "INBOX": {"\\hasnochildren"},
        "a": {"\\noselect", "\\nonexistent", "\\haschildren"},
        "a/b": {"\\noselect", "\\nonexistent", "\\haschildren"},
        "a/b/c": {"\\hasnochildren"},
    }
    assert client("SELECT a", ok=False).tagged.kind == "NO"
    client("CREATE a/b/")
    assert listed(client('LIST "" a/%'))["a/b"] == {"\\haschildren"}
    client("SELECT a/b")


def test_create_refuses_what_cannot_be(person: Person) -> None:
    client = person.client()
    client("CREATE once")
    assert client("CREATE once", ok=False).status == "NO [ALREADYEXISTS]"
    assert client("CREATE inbox", ok=False).status == "NO [ALREADYEXISTS]"
    for bad in ('""', "/", "a//b", "/a", "a//", '"a*b"', '"a%b"'):
        assert client(f"CREATE {bad}", ok=False).tagged.kind == "NO", bad
    assert client(b"CREATE " + b"x" * 900, ok=False).status == "NO [LIMIT]"


def test_delete_of_a_name_with_children(person: Person) -> None:
    """Section 6.3.4: messages go, the name becomes \\Noselect and then cannot be deleted while it has children."""
    client = person.client()
    for name in ("foo", "foo/bar"):
        client(f"CREATE {name}")
    client("DELETE foo")
    assert listed(client('LIST "" *'))["foo"] >= {"\\noselect"}
    assert client("DELETE foo", ok=False).status == "NO [HASCHILDREN]"
    client("DELETE foo/bar")
    assert names(client, "*") == {"INBOX"}
    assert client("DELETE foo", ok=False).status == "NO [NONEXISTENT]"
    assert client("DELETE INBOX", ok=False).status == "NO [CANNOT]"


def test_delete_of_what_another_device_has_selected(person: Person) -> None:
    """RFC 2180 section 3: it sees the messages go, nothing else happens to it."""
    client = person.client()
    client("CREATE box")
    client.append(person.mail(), b"box")
    other = person.client("box")
    client("DELETE box")
    other("NOOP")
    assert other.selected.messages == []
    assert other("UID FETCH 1:* FLAGS").all("FETCH") == []
    assert other.append(person.mail(), b"box", ok=False).status == "NO [TRYCREATE]"
    assert other("SELECT box", ok=False).tagged.kind == "NO"


def test_rename_takes_the_children_along(person: Person) -> None:
    client = person.client()
    for name in ("a", "a/b", "ab"):
        client(f"CREATE {name}")
    client.append(person.mail(), b"a/b")
    client("RENAME a x/y")
    assert names(client, "*") == {"INBOX", "ab", "x", "x/y", "x/y/b"}
    assert client("STATUS x/y/b (MESSAGES)").one("STATUS")[1] == {"MESSAGES": 1}
    assert client("RENAME ab x/y", ok=False).status == "NO [ALREADYEXISTS]"
    assert client("RENAME nowhere z", ok=False).status == "NO [NONEXISTENT]"
    assert client("RENAME ab INBOX", ok=False).status == "NO [ALREADYEXISTS]"


def test_rename_of_a_place_without_mailbox_moves_what_is_below(person: Person) -> None:
    client = person.client()
    client("CREATE a/b")
    client("RENAME a c")
    assert names(client, "*") == {"INBOX", "c", "c/b"}


def test_rename_below_itself(person: Person) -> None:
    client = person.client()
    client("CREATE a")
    client("RENAME a a/a")
    assert listed(client('LIST "" *'))["a/a"] == {"\\hasnochildren"}


def test_rename_of_the_inbox_moves_its_messages(person: Person) -> None:
    """Section 6.3.5: a new mailbox with all messages, INBOX empty, what is below INBOX stays."""
    client, other = person.filled(3), person.client("INBOX")
    before = client.learn()
    client("STORE 2 +FLAGS (\\Flagged $Kept)")
    client("CREATE INBOX/below")
    client("RENAME INBOX old-mail")
    client("NOOP")
    other("NOOP")
    assert client.selected.messages == other.selected.messages == []
    assert names(client, "*") == {"INBOX", "INBOX/below", "old-mail"}
    client("SELECT old-mail")
    assert len(before) == 3
    assert list(client.learn().values()) == [frozenset(), frozenset({"\\flagged", "$kept"}), frozenset()]
    client("SELECT INBOX")
    assert client("RENAME INBOX old-mail", ok=False).status == "NO [ALREADYEXISTS]"


# names


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_names_come_back_as_they_were_given(person: Person, name: str) -> None:
    """Section 5.1.3. Nothing is folded or normalised: what the person typed is what the person sees."""
    client = person.client()
    wire = wire_name(name)
    client(b"CREATE " + wire)
    assert name in names(client, "*")
    client(b"SELECT " + wire)
    client.append(person.mail(), wire)
    assert client(b"STATUS " + wire + b" (MESSAGES)").one("STATUS") == (name, {"MESSAGES": 1})
    client(b"SUBSCRIBE " + wire)
    assert name in names(client, "*", kind="LSUB")
    client(b"DELETE " + wire)


def test_two_normal_forms_are_two_names(person: Person) -> None:
    client = person.client()
    composed, decomposed = "é", unicodedata.normalize("NFD", "é")
    client(b"CREATE " + wire_name(composed))
    client(b"CREATE " + wire_name(decomposed))
    assert names(client, "*") == {"INBOX", composed, decomposed}


@pytest.mark.parametrize("wire", ['"&AGE-"', '"&"', '"a&b"', '"&2D0-"', '"&AAA-"', '"&Jjo!"', '"&U,BTFw-&ZeVnLIqe-"', '"&AP8"'])
def test_names_in_a_wrong_spelling_are_bad(person: Person, wire: str) -> None:
    assert person.client()(f"CREATE {wire}", ok=False).tagged.kind == "BAD"


# LIST, LSUB, SUBSCRIBE


def test_list_patterns(person: Person) -> None:
    client = person.client()
    for name in ("a", "a/b", "a/b/c", "other", "Inboxes"):
        client(f"CREATE {name}")
    assert names(client, "*") == {"INBOX", "a", "a/b", "a/b/c", "other", "Inboxes"}
    assert names(client, "%") == {"INBOX", "a", "other", "Inboxes"}
    assert names(client, "a/%") == {"a/b"}
    assert names(client, "%", "a/") == {"a/b"}
    assert names(client, "%/%") == {"a/b"}
    assert names(client, "a*c") == {"a/b/c"}
    assert names(client, "inbox") == {"INBOX"}
    assert names(client, "iNb%") == {"INBOX"}
    assert names(client, "OTHER") == set()
    assert listed(client('LIST "" ""')) == {"": {"\\noselect"}}


def test_percent_lists_levels_that_are_no_mailboxes(person: Person) -> None:
    """Section 6.3.8, last paragraph but two."""
    client = person.client()
    client("CREATE x/y/z")
    assert listed(client('LIST "" %'))["x"] == {"\\noselect", "\\nonexistent", "\\haschildren"}
    assert listed(client('LIST "" x/%')) == {"x/y": {"\\noselect", "\\nonexistent", "\\haschildren"}}


def test_subscriptions(person: Person) -> None:
    client = person.client()
    client("CREATE a")
    client("SUBSCRIBE a")
    assert "a" in names(client, "*", kind="LSUB")
    client("UNSUBSCRIBE a")
    assert "a" not in names(client, "*", kind="LSUB")
    assert client("SUBSCRIBE nowhere", ok=False).status == "NO [NONEXISTENT]"
    assert client("UNSUBSCRIBE nowhere", ok=False).tagged.kind == "NO"
    client("UNSUBSCRIBE INBOX")
    assert names(client, "*", kind="LSUB") == set()
    client("SUBSCRIBE INBOX")
    assert names(client, "*", kind="LSUB") == {"INBOX"}


def test_a_subscription_outlives_its_mailbox(person: Person) -> None:
    """Section 6.3.6: a name is not taken from the list because the mailbox is gone."""
    client = person.client()
    client("CREATE a")
    client("SUBSCRIBE a")
    client("DELETE a")
    assert names(client, "*") == {"INBOX"}
    assert listed(client('LSUB "" *'), "LSUB")["a"] == {"\\noselect"}
    assert client("SELECT a", ok=False).tagged.kind == "NO"
    assert client("STATUS a (MESSAGES)", ok=False).status == "NO [NONEXISTENT]"
    client("CREATE a")
    assert listed(client('LSUB "" a'), "LSUB") == {"a": set()}
    client("DELETE a")
    client("UNSUBSCRIBE a")
    assert names(client, "*", kind="LSUB") == {"INBOX"}


def test_rename_leaves_the_subscription_with_the_name(person: Person) -> None:
    client = person.client()
    client("CREATE a")
    client("SUBSCRIBE a")
    client("RENAME a b")
    assert listed(client('LSUB "" *'), "LSUB") == {"INBOX": set(), "a": {"\\noselect"}}


def test_lsub_percent_names_the_level_above(person: Person) -> None:
    """Section 6.3.9, the special case of LSUB with a percent sign."""
    client = person.client()
    client("CREATE foo/bar")
    client("SUBSCRIBE foo/bar")
    assert listed(client('LSUB "" %'), "LSUB") == {"INBOX": set(), "foo": {"\\noselect"}}
    assert listed(client('LSUB "" *'), "LSUB") == {"INBOX": set(), "foo/bar": set()}


# STATUS


def test_status_of_another_and_of_the_selected_mailbox(person: Person) -> None:
    client = person.filled(2)
    client("STORE 1 +FLAGS (\\Seen)")
    client("CREATE empty")
    box = client.selected
    wanted = {"MESSAGES": 2, "RECENT": 0, "UIDNEXT": box.uid_next, "UIDVALIDITY": box.uid_validity, "UNSEEN": 1}
    assert client("STATUS INBOX (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)").one("STATUS") == ("INBOX", wanted)
    assert client("STATUS empty (MESSAGES UNSEEN)").one("STATUS") == ("empty", {"MESSAGES": 0, "UNSEEN": 0})
    assert client("STATUS nowhere (MESSAGES)", ok=False).status == "NO [NONEXISTENT]"
    assert client("STATUS INBOX ()", ok=False).tagged.kind == "BAD"


# APPEND


def test_append_with_flags_and_date(person: Person) -> None:
    client = person.client()
    mail = person.mail()
    client.append(mail, flags="(\\Seen $Mine)", date='"17-Jul-1996 02:44:25 -0700"')
    client("SELECT INBOX")
    values = client("FETCH 1 (FLAGS INTERNALDATE BODY.PEEK[])").fetched()[1]
    assert values["INTERNALDATE"] == datetime(1996, 7, 17, 9, 44, 25, tzinfo=UTC)
    assert values["FLAGS"] == ["\\Seen", "$Mine"]
    assert values["BODY[]"] == mail


def test_append_into_the_selected_mailbox_tells_everybody(person: Person) -> None:
    client, other = person.filled(1), person.client("INBOX")
    answer = client.append(person.mail())
    assert [exists.number for exists in answer.all("EXISTS")] == [2]
    other("NOOP")
    assert len(other.selected.messages) == 2


def test_append_refuses_what_may_not_pass(person: Person) -> None:
    client = person.client()
    assert client.append(person.mail(), b"nowhere", ok=False).status == "NO [TRYCREATE]"
    assert client.append(plain_message(person.address, person.address), ok=False).status == "NO [CANNOT]"
    assert client("APPEND INBOX {0}", b"", b"", ok=False).tagged.kind == "NO"
    assert client("APPEND INBOX (\\Seen) {31457281}", b"", b"", ok=False).status == "NO [TOOBIG]"
    assert client.append(person.mail(), date='"99-Jul-1996 02:44:25 -0700"', ok=False).tagged.kind == "BAD"
    assert client("STATUS INBOX (MESSAGES)").one("STATUS")[1] == {"MESSAGES": 0}
