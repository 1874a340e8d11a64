# SPDX-License-Identifier: AGPL-3.0-or-later
"""The extensions that the relay announces, each by its RFC, against the running relay."""

import pytest
from tests.conformance.client import Answer, Client
from tests.conformance.people import Person
from tests.conformance.test_rfc3501_mailboxes import listed

pytestmark = pytest.mark.slow

CHILDLESS = "\\hasnochildren"


def capabilities(client: Client) -> set[str]:
    return set(client("CAPABILITY").one("CAPABILITY"))


def test_announced_after_login(person: Person) -> None:
    """Each of these has a test below, or in another file of this folder; docs/specifications.md has the same list."""
    assert capabilities(person.client()) == {
        *("IMAP4rev1", "LITERAL-", "SASL-IR", "ID", "ENABLE", "NAMESPACE", "IDLE", "MOVE", "UIDPLUS", "UNSELECT", "CHILDREN"),
        *("QUOTA", "QUOTA=RES-STORAGE", "METADATA", "LIST-EXTENDED", "LIST-STATUS", "STATUS=SIZE", "SPECIAL-USE", "ESEARCH"),
        *("XCHATMAIL", "XDELTAPUSH"),
    }


# RFC 7888 LITERAL-


def test_literal_minus(person: Person) -> None:
    client = person.client()
    tag = client.begin("CREATE {4+}\r\nabcd")
    assert client.finish(tag).tagged.kind == "OK"
    tag = client.begin("CREATE {4097+}")
    assert client.next().kind in ("BAD", "NO")  # section 5: the server may close, as it cannot tell what follows
    assert client.next().kind == "BYE"


# RFC 2971 ID, RFC 2342 NAMESPACE, RFC 5161 ENABLE, RFC 3691 UNSELECT


def test_id_tells_a_name_and_no_version(person: Person) -> None:
    client = person.client()
    assert client('ID ("name" "test" "version" NIL)').one("ID") == {b"name": b"Razdar"}
    assert client("ID NIL").one("ID") == {b"name": b"Razdar"}
    assert client("ID", ok=False).tagged.kind == "BAD"


def test_namespace_is_one_and_personal(person: Person) -> None:
    assert person.client()("NAMESPACE").one("NAMESPACE") == [[(b"", b"/")], None, None]


def test_enable_answers_with_what_it_enabled(person: Person) -> None:
    client = person.client()
    assert client("ENABLE CONDSTORE X-GOOD-IDEA").one("ENABLED") == []
    assert client("ENABLE", ok=False).tagged.kind == "BAD"


def test_unselect_expunges_nothing(person: Person) -> None:
    client = person.filled(1)
    client("STORE 1 +FLAGS (\\Deleted)")
    client("UNSELECT")
    assert client("FETCH 1 FLAGS", ok=False).tagged.kind == "BAD"
    client("SELECT INBOX")
    assert len(client.selected.messages) == 1


# RFC 2177 IDLE


def test_idle_ends_with_done_in_any_case(person: Person) -> None:
    client = person.client()
    tag = client.idle()
    client.send(b"done\r\n")
    assert client.finish(tag).tagged.kind == "OK"


def test_a_command_in_idle_ends_the_connection(person: Person) -> None:
    client = person.client("INBOX")
    tag = client.idle()
    client.send(b"x NOOP\r\n")
    assert client.next().tag == tag
    assert client.next().kind == "BYE"


# RFC 4315 UIDPLUS


def test_appenduid_and_copyuid(person: Person) -> None:
    client = person.client()
    client("CREATE there")
    client("SELECT there")
    there = client.selected.uid_validity
    appended = client.append(person.mail(), b"there")
    assert appended.code is not None
    assert appended.code.value == (there, [1])
    client.append(person.mail())
    client.append(person.mail())
    client("SELECT INBOX")
    copied = client("COPY 1:2 there")
    assert copied.code is not None
    assert copied.code.value == (there, {1: 2, 2: 3})


def test_uid_expunge_takes_only_what_is_named(person: Person) -> None:
    client = person.filled(3)
    client("STORE 1:2 +FLAGS.SILENT (\\Deleted)")
    client("UID EXPUNGE 2:3")
    assert list(client.learn()) == [1, 3]


# RFC 6851 MOVE


def moved(answer: Answer) -> dict[int, int]:
    """COPYUID stands in an untagged OK before the first EXPUNGE (section 4.3)."""
    kinds = [response.kind for response in answer.untagged if response.kind in ("OK", "EXPUNGE")]
    assert kinds == sorted(kinds, reverse=True)
    mapping: dict[int, int] = answer.untagged_code("COPYUID")[1]
    return mapping


def test_move(person: Person) -> None:
    client, other = person.filled(4), person.client("INBOX")
    client("STORE 2 +FLAGS ($Kept \\Flagged)")
    client("CREATE there")
    answer = client("MOVE 2:3 there")
    assert moved(answer) == {2: 1, 3: 2}
    assert len(answer.all("EXPUNGE")) == 2
    other("NOOP")
    assert len(other.selected.messages) == 2
    client("SELECT there")
    assert client.learn() == {1: frozenset({"$kept", "\\flagged"}), 2: frozenset()}


def test_move_onto_itself(person: Person) -> None:
    """Nothing is lost; the messages have new UIDs."""
    client = person.filled(3)
    answer = client("UID MOVE 1:2 INBOX")
    assert moved(answer) == {1: 4, 2: 5}
    assert list(client.learn()) == [3, 4, 5]
    assert len(client("FETCH 1:* BODY.PEEK[]").all("FETCH")) == 3


def test_move_to_nowhere(person: Person) -> None:
    client = person.filled(1)
    assert client("MOVE 1 nowhere", ok=False).status == "NO [TRYCREATE]"
    assert client("UID MOVE 99 INBOX").untagged == []
    assert len(client.selected.messages) == 1


# RFC 9208 QUOTA


def test_quota(person: Person) -> None:
    client = person.filled(1)
    answer = client("GETQUOTAROOT INBOX")
    name, roots = answer.one("QUOTAROOT")
    assert (name, roots) == ("INBOX", [b""])
    root, resources = answer.one("QUOTA")
    used, limit = resources["STORAGE"]
    assert root == b""
    assert 0 <= used <= limit == 500_000_000 // 1024
    assert client('GETQUOTA ""').one("QUOTA")[0] == b""
    assert client("GETQUOTA other", ok=False).status == "NO [NONEXISTENT]"
    assert client('SETQUOTA "" (STORAGE 1)', ok=False).status == "NO [NOPERM]"
    assert client("GETQUOTAROOT nowhere").one("QUOTAROOT") == ("nowhere", [b""])  # section 4.2.2: it need not exist


# RFC 5464 METADATA


def test_metadata_of_the_server(person: Person) -> None:
    client = person.client()
    asked = client('GETMETADATA "" (/shared/vendor/deltachat/maxsmtprecipients /shared/nothing)').one("METADATA")
    assert asked == ("", {"/shared/vendor/deltachat/maxsmtprecipients": b"1000"})
    everything = client('GETMETADATA (DEPTH infinity) "" (/shared)').one("METADATA")[1]
    assert "/shared/vendor/deltachat/maxsmtprecipients" in everything
    short = client('GETMETADATA (MAXSIZE 1) "" /shared/vendor/deltachat/maxsmtprecipients')
    assert short.all("METADATA") == []
    assert short.status == "OK [METADATA]"
    assert short.code is not None
    assert short.code.value == "LONGENTRIES 4"


def test_metadata_that_can_and_cannot_be_set(person: Person) -> None:
    client = person.client()
    client('SETMETADATA INBOX (/private/devicetoken "openpgp:token")')
    client("SETMETADATA INBOX (/private/devicetoken NIL)")
    assert client('SETMETADATA "" (/shared/comment "mine")', ok=False).status == "NO [NOPERM]"
    assert client("SETMETADATA INBOX (/private/devicetoken {4097}", b"x" * 4097, b")", ok=False).status == "NO [METADATA]"
    assert client('SETMETADATA nowhere (/private/devicetoken "openpgp:token")', ok=False).status == "NO [NONEXISTENT]"
    assert client("GETMETADATA nowhere /private/comment", ok=False).status == "NO [NONEXISTENT]"
    assert client("GETMETADATA INBOX /private/comment").all("METADATA") == []
    assert client('GETMETADATA "" /private/*', ok=False).tagged.kind == "BAD"


# RFC 4731 ESEARCH


def test_esearch(person: Person) -> None:
    client = person.filled(5)
    client("STORE 2,4:5 +FLAGS.SILENT (\\Seen)")
    client("STORE 1 +FLAGS.SILENT (\\Deleted)")
    client("EXPUNGE")

    def ask(command: str) -> dict[str, object]:
        answer = client(command)
        assert answer.all("SEARCH") == []
        found: dict[str, object] = answer.one("ESEARCH")
        assert found.pop("TAG") == answer.tagged.tag
        return found

    assert ask("SEARCH RETURN (MIN COUNT) SEEN") == {"MIN": 1, "COUNT": 3}
    assert ask("SEARCH RETURN (MAX) SEEN") == {"MAX": 4}
    assert ask("SEARCH RETURN () SEEN") == {"ALL": [1, 3, 4]}
    assert ask("SEARCH RETURN (ALL COUNT MIN MAX) UNSEEN") == {"ALL": [2], "COUNT": 1, "MIN": 2, "MAX": 2}
    assert ask("UID SEARCH RETURN (ALL) SEEN") == {"UID": True, "ALL": [2, 4, 5]}
    assert ask("UID SEARCH RETURN (MIN MAX COUNT) CHARSET UTF-8 DRAFT") == {"UID": True, "COUNT": 0}
    assert ask("SEARCH RETURN (ALL) DRAFT") == {}
    assert client("SEARCH RETURN (FROB) ALL", ok=False).tagged.kind == "BAD"
    assert client("SEARCH RETURN (SAVE) ALL", ok=False).tagged.kind == "BAD"
    assert client("SEARCH RETURN ALL", ok=False).tagged.kind == "BAD"


# RFC 5258 LIST-EXTENDED, RFC 3348 CHILDREN, RFC 5819 LIST-STATUS, RFC 8438 STATUS=SIZE, RFC 6154 SPECIAL-USE


@pytest.fixture
def forest(person: Person) -> Client:
    """INBOX and `fruit/apple` subscribed, `fruit` a place only, `gone` subscribed and deleted, `tools` and `tools/hammer` mailboxes."""
    client = person.client()
    for name in ("fruit/apple", "gone", "tools", "tools/hammer"):
        client(f"CREATE {name}")
    for name in ("fruit/apple", "gone"):
        client(f"SUBSCRIBE {name}")
    client("DELETE gone")
    return client


def test_list_selects_subscribed(forest: Client) -> None:
    assert listed(forest('LIST (SUBSCRIBED) "" "*"')) == {
        "INBOX": {"\\subscribed", CHILDLESS},
        "fruit/apple": {"\\subscribed", CHILDLESS},
        "gone": {"\\subscribed", "\\nonexistent", "\\noselect", CHILDLESS},
    }


def test_list_returns_subscribed_and_children(forest: Client) -> None:
    assert listed(forest('LIST "" "%" RETURN (SUBSCRIBED CHILDREN)')) == {
        "INBOX": {"\\subscribed", CHILDLESS},
        "fruit": {"\\noselect", "\\nonexistent", "\\haschildren"},
        "tools": {"\\haschildren"},
    }


def test_list_recursive_match_tells_of_children(forest: Client) -> None:
    """RFC 5258 section 3.5 and example 5.7."""
    answer = forest('LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"')
    assert set(listed(answer)) == {"INBOX", "fruit", "gone"}
    infos = {each.value.name: each.value.extended for each in answer.all("LIST")}
    assert infos == {"INBOX": {}, "fruit": {"CHILDINFO": ["SUBSCRIBED"]}, "gone": {}}
    assert forest('LIST (RECURSIVEMATCH) "" "%"', ok=False).tagged.kind == "BAD"


def test_list_takes_several_patterns(forest: Client) -> None:
    assert set(listed(forest('LIST "" ("INBOX" "tools/%" "t*")'))) == {"INBOX", "tools", "tools/hammer"}
    assert set(listed(forest('LIST (REMOTE) "" (%)'))) == {"INBOX", "fruit", "tools"}
    assert forest('LIST (FROB) "" %', ok=False).tagged.kind == "BAD"
    assert forest('LIST "" % RETURN (FROB)', ok=False).tagged.kind == "BAD"


def test_list_status(person: Person) -> None:
    """RFC 5819: STATUS behind LIST of each mailbox that can be selected."""
    client = person.client()
    client("CREATE a/b")
    client.append(person.mail(), b"a/b")
    answer = client('LIST "" "*" RETURN (STATUS (MESSAGES UIDNEXT SIZE))')
    assert [response.kind for response in answer.untagged] == ["LIST", "STATUS", "LIST", "LIST", "STATUS"]
    found = dict(response.value for response in answer.all("STATUS"))
    assert set(found) == {"INBOX", "a/b"}
    assert found["a/b"]["MESSAGES"] == 1
    assert found["a/b"]["UIDNEXT"] == 2
    assert found["a/b"]["SIZE"] > 1000


def test_special_use(person: Person) -> None:
    """RFC 6154: by the names that mail programs use."""
    client = person.client()
    for name in ("Sent", "Drafts", "Trash", "Junk", "Archive", "Work/Sent"):
        client(f"CREATE {name}")
    wanted = {"Sent": "\\sent", "Drafts": "\\drafts", "Trash": "\\trash", "Junk": "\\junk", "Archive": "\\archive"}
    found = listed(client('LIST (SPECIAL-USE) "" *'))
    assert found == {name: {CHILDLESS, use} for name, use in wanted.items()}
    assert listed(client('LIST "" % RETURN (SPECIAL-USE)'))["Sent"] == {CHILDLESS, "\\sent"}
    assert listed(client('LIST "" *'))["Work/Sent"] == {CHILDLESS}
