# SPDX-License-Identifier: AGPL-3.0-or-later
"""Untagged lines, and strings that never break out of them (RFC 3501 sections 4.3 and 7)."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from razdar.wire.imap import responses as r
from razdar.wire.imap.framing import Frame
from razdar.wire.imap.grammar import Cursor


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (r.flags(("\\Seen", "x y", "a")), b"FLAGS (\\Seen a)"),
        (r.permanent_flags((), takes_new=True), b"OK [PERMANENTFLAGS (\\*)] Flags that stay"),
        (r.permanent_flags(("\\Seen",), takes_new=True), b"OK [PERMANENTFLAGS (\\Seen \\*)] Flags that stay"),
        (r.exists(3), b"3 EXISTS"),
        (r.recent(0), b"0 RECENT"),
        (r.expunge(3), b"3 EXPUNGE"),
        (r.unseen(2), b"OK [UNSEEN 2] First unseen"),
        (r.listed("", ("\\Noselect",)), b'LIST (\\Noselect) "/" ""'),
        (r.listed("a b", (), is_lsub=True), b'LSUB () "/" "a b"'),
        (r.listed("نامه", child_info=["SUBSCRIBED"]), b'LIST () "/" &BkYGJwZFBkc- ("CHILDINFO" ("SUBSCRIBED"))'),
        (r.extended_search("a1", [2, 3, 5], {"ALL", "COUNT", "MIN"}, by_uid=True), b'ESEARCH (TAG "a1") UID MIN 2 ALL 2:3,5 COUNT 3'),
        (r.extended_search("a1", [], {"ALL", "COUNT"}, by_uid=False), b'ESEARCH (TAG "a1") COUNT 0'),
        (r.listed("nil"), b'LIST () "/" "nil"'),
        (r.status("INBOX", {"UIDNEXT": 4, "MESSAGES": 1}), b"STATUS INBOX (UIDNEXT 4 MESSAGES 1)"),
        (r.search([]), b"SEARCH"),
        (r.search([1, 5]), b"SEARCH 1 5"),
        (r.quota_root("INBOX", ""), b'QUOTAROOT INBOX ""'),
        (r.quota("", {"STORAGE": (1, 2)}), b'QUOTA "" (STORAGE 1 2)'),
        (r.metadata("", {"/shared/comment": b"hi"}), b'METADATA "" (/shared/comment "hi")'),
        (r.metadata("INBOX", {"/a": None, "/b": b"x\r\ny"}), b"METADATA INBOX (/a NIL /b {4}\r\nx\r\ny)"),
    ],
)
def test_lines(line: bytes, expected: bytes) -> None:
    assert line == expected


def test_uidplus_codes() -> None:
    """RFC 4315 section 3: both sets in the same order."""
    assert r.append_uid(7, 9) == "APPENDUID 7 9"
    assert r.copy_uid(7, {}) is None
    assert r.copy_uid(7, {3: 12, 1: 10, 2: 11}) == "COPYUID 7 1:3 10:12"
    assert r.copy_uid(7, {1: 5, 2: 4}) == "COPYUID 7 1:2 5,4"


@given(st.binary(max_size=80) | st.text(max_size=40).map(str.encode))
def test_any_string_is_written_safely_and_read_back(value: bytes) -> None:
    for written in (r.string(value), r.astring(value)):
        announced = re.fullmatch(rb"\{(\d+)\}\r\n(.*)", written, re.DOTALL)
        if announced:
            assert announced[2] == value.replace(b"\0", b"")
            assert int(announced[1]) == len(announced[2])
            continue
        assert not set(written) & set(b"\0\r\n")
        assert Cursor(Frame((written,))).astring() == value


@given(st.lists(st.text(max_size=20), max_size=5))
def test_no_flag_breaks_out_of_its_list(names: list[str]) -> None:
    assert re.fullmatch(rb"\([^()\r\n\0\"{]*\)", r.flag_list(names))


@given(st.text(max_size=60))
def test_no_mailbox_name_breaks_out_of_its_line(name: str) -> None:
    assert not set(r.listed(name)) & set(b"\0\r\n") or b"{" in r.listed(name)
