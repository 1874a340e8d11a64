# SPDX-License-Identifier: AGPL-3.0-or-later
"""SEARCH keys on one message (RFC 3501 section 6.4.4)."""

import pytest

from razdar.wire.errors import PeerError
from razdar.wire.imap import commands as c
from razdar.wire.imap import search
from razdar.wire.imap.framing import Frame
from razdar.wire.imap.parsers import parse_frame
from razdar.wire.imap.search import Facts, matches, needs_facts, needs_message
from razdar.wire.imap.search_keys import SearchKey

FACTS = Facts(seq=2, uid=7, last_seq=3, last_uid=9, flags=("\\Seen", "$Forwarded"), internal_date=1_700_000_000, size=100)  # 14-Nov-2023
MESSAGE = (
    b"From: Ann <ann@chat.example>\r\nSubject: =?utf-8?B?2LPZhNin2YU=?= World\r\nDate: Mon, 13 Nov 2023 23:30:00 -0800\r\n"
    b"X-Thing: a\r\nX-Thing: bc\r\n\r\nBody Text\r\n"
)


def key(text: str) -> SearchKey:
    command = parse_frame(Frame((f"a SEARCH {text}".encode(),))).command
    assert isinstance(command, c.Search)
    return command.key


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ALL", True),
        ("SEEN", True),
        ("UNSEEN", False),
        ("KEYWORD $forwarded", True),
        ("UNKEYWORD $forwarded", False),
        ("NEW", False),
        ("OLD", True),
        ("2", True),
        ("3:*", False),
        ("*", False),
        ("UID 7", True),
        ("UID 8:*", False),
        ("UID 1:*", True),
        ("LARGER 100", False),
        ("LARGER 99", True),
        ("SMALLER 101", True),
        ("BEFORE 14-Nov-2023", False),
        ("ON 14-Nov-2023", True),
        ("SINCE 14-Nov-2023", True),
        ("SINCE 15-Nov-2023", False),
        ("NOT SEEN", False),
        ("OR UNSEEN SEEN", True),
        ("SEEN UNSEEN", False),
        ("(SEEN 2) NOT (UNSEEN)", True),
    ],
)
def test_without_the_message(text: str, expected: bool) -> None:
    assert matches(key(text), FACTS) is expected
    assert matches(key(f"NOT ({text})"), FACTS) is not expected
    assert not needs_message(key(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM ANN@", True),
        ("FROM bob", False),
        ("TO a", False),
        ('TO ""', False),
        ('HEADER From ""', True),
        ("HEADER X-Thing bc", True),
        ('SUBJECT "سلام world"', True),
        ("BODY body", True),
        ("BODY ann", False),
        ("TEXT ann", True),
        ("SENTON 13-Nov-2023", True),  # the day as written, whatever the zone
        ("SENTBEFORE 13-Nov-2023", False),
        ("SENTSINCE 13-Nov-2023", True),
        ("OR FROM bob BODY text", True),
        ("FROM ann NOT SUBJECT world", False),
    ],
)
def test_with_the_message(text: str, expected: bool) -> None:
    assert matches(key(text), FACTS) is None
    assert matches(key(text), FACTS, MESSAGE) is expected
    assert needs_message(key(text))


@pytest.mark.parametrize(
    ("text", "expected"), [("UNSEEN FROM x", False), ("FROM x UNSEEN", False), ("OR SEEN FROM x", True), ("OR FROM x SEEN", True)]
)
def test_the_message_is_not_needed_if_facts_decide(text: str, expected: bool) -> None:
    assert matches(key(text), FACTS) is expected


def test_numbers_alone_need_no_seal_to_be_opened() -> None:
    assert not needs_facts(key("UID 5:* NOT 3"))
    assert needs_facts(key("NOT (5 OR ALL SEEN)"))
    assert not needs_facts(key("FROM x"))


@pytest.mark.parametrize("date", [b"", b"x", b"99 Foo 2023", b"Mon, 99 Nov 2023 00:00:00", b"0 Jan 0", b"\xff" * 200, b"1 Jan 99999"])
def test_senseless_dates_match_nothing(date: bytes) -> None:
    message = b"Date: " + date + b"\r\n\r\n"
    assert matches(key("SENTBEFORE 1-Jan-3000"), FACTS, message) is False


@pytest.mark.parametrize("subject", [b"=?x?q?a?=", b"=?utf-8?b?!?=", b"=?utf-8?q?" + b"=" * 4000, b"=?" * 2000, b"\xff"])
def test_senseless_encoded_words_do_not_raise(subject: bytes) -> None:
    assert matches(key("SUBJECT zzz"), FACTS, b"Subject: " + subject + b"\r\n\r\n") is False


@pytest.mark.parametrize("end", [search.WINDOW_BYTES - 2, search.WINDOW_BYTES, search.WINDOW_BYTES + 3, 2 * search.WINDOW_BYTES])
def test_a_text_is_found_across_windows(end: int) -> None:
    """Large messages are looked through window by window."""
    message = (b"a: b\r\n\r\n" + b"x" * end + b"NeeDle").ljust(3 * search.WINDOW_BYTES, b"y")
    assert matches(key("BODY needle"), FACTS, message) is True
    assert matches(key("TEXT needless"), FACTS, message) is False
    assert matches(key('TEXT ""'), FACTS, message) is True


@pytest.mark.parametrize(
    ("text", "returns"),
    [
        ("ALL", None),
        ("RETURN () ALL", {"ALL"}),
        ("RETURN (MIN COUNT) CHARSET UTF-8 ALL", {"MIN", "COUNT"}),
        ("return (max) 1:3", {"MAX"}),
    ],
)
def test_return_options(text: str, returns: set[str] | None) -> None:
    """RFC 4731 section 3.1."""
    command = parse_frame(Frame((f"a UID SEARCH {text}".encode(),))).command
    assert isinstance(command, c.Search)
    assert command.returns == returns


@pytest.mark.parametrize("text", ["RETURN ALL", "RETURN (SAVE) ALL", "RETURN (MIN", "RETURN (MIN)ALL", "RETURN ()"])
def test_senseless_return_options(text: str) -> None:
    assert isinstance(parse_frame(Frame((f"a SEARCH {text}".encode(),))).command, PeerError)
