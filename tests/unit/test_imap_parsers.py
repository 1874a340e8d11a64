# SPDX-License-Identifier: AGPL-3.0-or-later
"""One command line after the other: what it means, or that it means nothing (RFC 3501 section 9)."""

from datetime import date

import pytest

from razdar.wire.errors import PeerError
from razdar.wire.imap import commands as c
from razdar.wire.imap import fetch_items as f
from razdar.wire.imap import search_keys as k
from razdar.wire.imap.fault import Declined
from razdar.wire.imap.framing import Frame
from razdar.wire.imap.parsers import SaslStart, parse_frame
from razdar.wire.imap.sequence import parse


def parsed(line: str, *more: tuple[bytes, str]) -> object:
    """`line` with tag "a"; `more` are literals, each with the text behind it."""
    texts = (f"a {line}".encode(), *(text.encode() for _, text in more))
    return parse_frame(Frame(texts, tuple(literal for literal, _ in more))).command


HEADER_FIELDS = f.Section((), f.SectionText.HEADER_FIELDS, ("Date", "FROM"))
COMMANDS: list[tuple[str, object]] = [
    ("capability", c.Capability("a")),
    ("NOOP", c.Noop("a")),
    ("LOGOUT", c.Logout("a")),
    ("STARTTLS", c.StartTls("a")),
    ("ID NIL", c.Id("a")),
    ('ID ("name" "x" "version" nil)', c.Id("a", (("name", "x"), ("version", None)))),
    ("ID ()", c.Id("a")),
    ('LOGIN "a \\"b\\\\" c', c.Login("a", 'a "b\\', "c")),
    ("LOGIN x@y.example ]p]", c.Login("a", "x@y.example", "]p]")),
    ("AUTHENTICATE plain", SaslStart("a", "PLAIN")),
    ("AUTHENTICATE PLAIN AGEAYg==", SaslStart("a", "PLAIN", b"AGEAYg==")),
    ("NAMESPACE", c.Namespace("a")),
    ("ENABLE X Y", c.Enable("a", ("X", "Y"))),
    ("SELECT inbox", c.Select("a", "INBOX")),
    ('EXAMINE "&BkYGJwZFBkc-"', c.Select("a", "نامه", True)),
    ("CREATE a/b", c.Create("a", "a/b")),
    ("DELETE a", c.Delete("a", "a")),
    ("RENAME a b", c.Rename("a", "a", "b")),
    ("SUBSCRIBE a", c.Subscribe("a", "a")),
    ("UNSUBSCRIBE a", c.Unsubscribe("a", "a")),
    ('LIST "" *', c.List("a", "", ("*",))),
    ("LIST a/ %]", c.List("a", "a/", ("%]",))),
    ('LSUB "" "%"', c.List("a", "", ("%",), True)),
    (
        'LIST (SUBSCRIBED recursivematch) "" (a "b*") RETURN (CHILDREN STATUS (MESSAGES))',
        c.List(
            "a",
            "",
            ("a", "b*"),
            False,
            frozenset({"SUBSCRIBED", "RECURSIVEMATCH"}),
            frozenset({"CHILDREN", "STATUS"}),
            ("MESSAGES",),
        ),
    ),
    ('LIST () "" a RETURN ()', c.List("a", "", ("a",))),
    ("STATUS inbox (uidnext MESSAGES)", c.Status("a", "INBOX", ("UIDNEXT", "MESSAGES"))),
    ("IDLE", c.Idle("a")),
    ("COMPRESS deflate", c.Compress("a", "DEFLATE")),
    ('GETQUOTA ""', c.GetQuota("a", "")),
    ("GETQUOTAROOT INBOX", c.GetQuotaRoot("a", "INBOX")),
    ('SETQUOTA "" (STORAGE 5)', c.SetQuota("a", "")),
    ('GETMETADATA "" /Shared/Comment', c.GetMetadata("a", "", ("/shared/comment",))),
    ('GETMETADATA "" (/a /b)', c.GetMetadata("a", "", ("/a", "/b"))),
    ('GETMETADATA (MAXSIZE 9 DEPTH infinity) "" (/a)', c.GetMetadata("a", "", ("/a",), "infinity", 9)),
    ("GETMETADATA INBOX (depth 1) (/a)", c.GetMetadata("a", "INBOX", ("/a",), "1")),
    ('SETMETADATA INBOX (/private/devicetoken "t" /b NIL)', c.SetMetadata("a", "INBOX", (("/private/devicetoken", b"t"), ("/b", None)))),
    ("CHECK", c.Check("a")),
    ("CLOSE", c.Close("a")),
    ("UNSELECT", c.Unselect("a")),
    ("EXPUNGE", c.Expunge("a")),
    ("UID EXPUNGE 1:3", c.Expunge("a", parse(b"1:3"))),
    ("COPY 1 x", c.Copy("a", parse(b"1"), "x")),
    ("uid copy 1 x", c.Copy("a", parse(b"1"), "x", True)),
    ("MOVE * inbox", c.Move("a", parse(b"*"), "INBOX")),
    ("UID MOVE 1 x", c.Move("a", parse(b"1"), "x", True)),
    ("STORE 1 +FLAGS (\\seen $Fwd)", c.Store("a", parse(b"1"), c.StoreAction.ADD, False, ("\\Seen", "$Fwd"))),
    ("UID STORE 1 -flags.silent \\Deleted x", c.Store("a", parse(b"1"), c.StoreAction.REMOVE, True, ("\\Deleted", "x"), True)),
    ("STORE 1 FLAGS ()", c.Store("a", parse(b"1"), c.StoreAction.REPLACE, False, ())),
    ("FETCH 1 FAST", c.Fetch("a", parse(b"1"), f.FAST)),
    ("FETCH 1 all", c.Fetch("a", parse(b"1"), f.ALL)),
    ("FETCH 1 FULL", c.Fetch("a", parse(b"1"), f.FULL)),
    ("FETCH 1 (UID uid FLAGS)", c.Fetch("a", parse(b"1"), (f.UID, f.FLAGS))),
    ("UID FETCH 1 FLAGS", c.Fetch("a", parse(b"1"), (f.UID, f.FLAGS), True)),
    ("FETCH 1 BODY", c.Fetch("a", parse(b"1"), (f.STRUCTURE,))),
    ("FETCH 1 BODY[]", c.Fetch("a", parse(b"1"), (f.FetchItem(f.FetchKind.SECTION, f.Section()),))),
    (
        "FETCH 1 body.peek[1.2.mime]<0.5>",
        c.Fetch("a", parse(b"1"), (f.FetchItem(f.FetchKind.SECTION, f.Section((1, 2), f.SectionText.MIME), (0, 5), True),)),
    ),
    (
        'FETCH 1 BODY[HEADER.FIELDS (Date "FROM")]',
        c.Fetch("a", parse(b"1"), (f.FetchItem(f.FetchKind.SECTION, HEADER_FIELDS),)),
    ),
    ("SEARCH ALL", c.Search("a", None, k.Everything())),
    ("UID SEARCH charset utf-8 SEEN", c.Search("a", "UTF-8", k.HasFlag("\\Seen"), True)),
    ("SEARCH NEW", c.Search("a", None, k.And((k.HasFlag("\\Recent"), k.HasFlag("\\Seen", False))))),
    ("SEARCH OLD", c.Search("a", None, k.HasFlag("\\Recent", False))),
    ("SEARCH UNKEYWORD $x", c.Search("a", None, k.HasFlag("$x", False))),
    ("SEARCH OR 1:2 UID 3", c.Search("a", None, k.Or(k.Among(parse(b"1:2"), False), k.Among(parse(b"3"), True)))),
    ("SEARCH (NOT (FROM x) DELETED)", c.Search("a", None, k.And((k.Not(k.HasHeader("FROM", "x")), k.HasFlag("\\Deleted"))))),
    ('SEARCH HEADER "x-Y" ""', c.Search("a", None, k.HasHeader("X-Y", ""))),
    ('SEARCH SENTBEFORE "1-Feb-2024"', c.Search("a", None, k.Dated(k.DateSide.BEFORE, date(2024, 2, 1), True))),
    ("SEARCH ON 1-Feb-2024", c.Search("a", None, k.Dated(k.DateSide.ON, date(2024, 2, 1)))),
    ("SEARCH LARGER 5 SMALLER 9", c.Search("a", None, k.And((k.Sized(True, 5), k.Sized(False, 9))))),
    ("SEARCH BODY x TEXT y", c.Search("a", None, k.And((k.HasText("x", True), k.HasText("y", False))))),
]


@pytest.mark.parametrize(("line", "command"), COMMANDS, ids=[line for line, _ in COMMANDS])
def test_commands(line: str, command: object) -> None:
    assert parsed(line) == command


def test_literals_stand_where_strings_do() -> None:
    assert parsed("LOGIN ", (b"u s", " "), (b"p{1}", "")) == c.Login("a", "u s", "p{1}")
    assert parsed("FETCH 1 BODY[HEADER.FIELDS (", (b"Date", ' "FROM")]')) == parsed('FETCH 1 BODY[HEADER.FIELDS (Date "FROM")]')
    assert parsed("APPEND x (\\Seen) ", (b"text", "")) == c.Append("a", "x", ("\\Seen",), None, b"text")
    assert parsed('APPEND x " 1-Jan-1970 00:00:01 +0000" ', (b"text", "")) == c.Append("a", "x", (), 1, b"text")
    assert parsed("SETMETADATA INBOX (/a ", (b"\xff\r\n", ")")) == c.SetMetadata("a", "INBOX", (("/a", b"\xff\r\n"),))


BAD = [
    "",
    "NOOP ",
    "UID",
    "UID NOOP",
    "LOGIN a",
    "LOGIN a b c",
    'LOGIN "a" "b',
    "LOGIN (a) b",
    'LOGIN "a\\x" b',
    "LOGIN a  b",
    "AUTHENTICATE",
    "AUTHENTICATE PLAIN !!",
    "SELECT",
    "SELECT a b",
    "SELECT &",
    "LIST *",
    'LIST (FOO) "" *',
    'LIST (RECURSIVEMATCH) "" *',
    'LIST "" a RETURN (FOO)',
    'LIST "" a RETURN',
    'LIST "" (' + " ".join("a" * 21) + ")",
    "STATUS a ()",
    "STATUS a (FOO)",
    "ENABLE",
    "COMPRESS",
    "APPEND a",
    "APPEND a (\\Seen)",
    'APPEND a "text"',
    'GETMETADATA ""',
    'GETMETADATA "" ()',
    'GETMETADATA "" comment',
    'GETMETADATA "" /a//b',
    'GETMETADATA "" "/a*"',
    'GETMETADATA (DEPTH 5) "" /a',
    'GETMETADATA (FOO 5) "" /a',
    "SETMETADATA INBOX ()",
    "SETMETADATA INBOX (/a b)",
    "STORE 1 FOO (x)",
    "STORE 1 +FLAGS",
    "STORE 0 +FLAGS (x)",
    "STORE 1 +FLAGS (\\*)",
    "FETCH 1 ()",
    "FETCH 1 (ALL)",
    "FETCH 1 FOO",
    "FETCH 1 BODY[",
    "FETCH 1 BODY[MIME]",
    "FETCH 1 BODY[0]",
    "FETCH 1 BODY[1.]",
    "FETCH 1 BODY[1..2]",
    "FETCH 1 BODY[FOO]",
    "FETCH 1 BODY[HEADER.FIELDS ()]",
    'FETCH 1 BODY[HEADER.FIELDS ("a b")]',
    "FETCH 1 BODY[]<0.0>",
    "FETCH 1 BODY[]<5>",
    "FETCH 1 FLAGS UID",
    "FETCH 1 BODY[" + ".".join("1" * 21) + "]",
    "FETCH 1 (" + " ".join(f"BODY[{number}]" for number in range(1, 42)) + ")",
    "SEARCH",
    "SEARCH FOO",
    "SEARCH ()",
    "SEARCH (ALL",
    "SEARCH ALL)",
    "SEARCH OR ALL",
    "SEARCH NOT",
    "SEARCH LARGER x",
    "SEARCH SENTFOO 1-Feb-2024",
    "SEARCH ON 1-Feb",
    "SEARCH " + "(" * 22 + "ALL" + ")" * 22,
    "SEARCH " + "NOT " * 30_000 + "ALL",
    "SEARCH " + " ".join(["ALL"] * 501),
    "SEARCH " + " ".join(["TEXT x"] * 9),
]


@pytest.mark.parametrize("line", BAD, ids=lambda line: line[:50])
def test_what_is_no_command(line: str) -> None:
    assert isinstance(parsed(line), PeerError)
    assert not isinstance(parsed(line), Declined)


def test_same_item_many_times_is_one_item() -> None:
    """VECTORS "FETCH of the same body 10^4 times in one command": at most 400 are read, and equal ones are answered once."""
    assert parsed("FETCH 1 (" + " ".join(["BODY[]"] * 400) + ")") == parsed("FETCH 1 (BODY[])")
    assert isinstance(parsed("FETCH 1 (" + " ".join(["BODY[]"] * 10_000) + ")"), PeerError)


def test_unknown_charset_is_declined() -> None:
    fault = parsed("SEARCH CHARSET KOI8-R ALL")
    assert isinstance(fault, Declined)
    assert fault.code == "BADCHARSET (US-ASCII UTF-8)"


def test_faults_repeat_nothing_of_the_command() -> None:
    fault = parsed('LOGIN "s3cret')
    assert isinstance(fault, PeerError)
    assert "s3cret" not in fault.text


def test_secrets_do_not_show_in_repr() -> None:
    shown = repr([parsed("LOGIN u s3cret"), parsed("AUTHENTICATE PLAIN s3cret"), parsed('SETMETADATA INBOX (/a "s3cret")')])
    assert "s3cret" not in shown


def test_which_items_need_the_message_and_which_set_seen() -> None:
    """RFC 3501 section 6.4.5."""
    command = parsed("FETCH 1 (UID FLAGS INTERNALDATE RFC822.SIZE)")
    assert isinstance(command, c.Fetch)
    assert not any(item.needs_message or item.sets_seen for item in command.items)
    command = parsed("FETCH 1 (BODY[] BODY[1.MIME] RFC822 RFC822.TEXT)")
    assert isinstance(command, c.Fetch)
    assert all(item.needs_message and item.sets_seen for item in command.items)
    command = parsed("FETCH 1 (BODY.PEEK[] RFC822.HEADER ENVELOPE BODY BODYSTRUCTURE)")
    assert isinstance(command, c.Fetch)
    assert all(item.needs_message and not item.sets_seen for item in command.items)
