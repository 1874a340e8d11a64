# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which names LIST and LSUB answer with (RFC 3501 sections 6.3.8 and 6.3.9, RFC 5258, RFC 6154)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from razdar.wire.imap import commands as c
from razdar.wire.imap.framing import Frame
from razdar.wire.imap.listing import Name, listing
from razdar.wire.imap.parsers import parse_frame

PLACE = "\\NonExistent \\Noselect \\HasChildren"
NAMES = [
    Name("INBOX", exists=True, is_subscribed=True),
    Name("fruit/apple", exists=True, is_subscribed=True),
    Name("gone/for/good", exists=False, is_subscribed=True),
    Name("Sent", exists=True, is_subscribed=False),
    Name("tools", exists=True, is_subscribed=False),
    Name("tools/hammer", exists=True, is_subscribed=True),
]


def command(text: str) -> c.List:
    parsed = parse_frame(Frame((f"a {text}".encode(),))).command
    assert isinstance(parsed, c.List)
    return parsed


def rows(text: str) -> dict[str, str]:
    return {row.name: " ".join([*row.attributes, *row.child_info]) for row in listing(command(text), NAMES)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'LIST "" *',
            {
                "INBOX": "\\HasNoChildren",
                "Sent": "\\HasNoChildren \\Sent",
                "fruit": PLACE,
                "fruit/apple": "\\HasNoChildren",
                "tools": "\\HasChildren",
                "tools/hammer": "\\HasNoChildren",
            },
        ),
        ('LIST "" fr%', {"fruit": PLACE}),
        ("LIST tools/ %", {"tools/hammer": "\\HasNoChildren"}),
        ('LIST "" (x inbox)', {"INBOX": "\\HasNoChildren"}),
        (
            'LIST (SUBSCRIBED) "" *',
            {
                "INBOX": "\\HasNoChildren \\Subscribed",
                "fruit/apple": "\\HasNoChildren \\Subscribed",
                "gone/for/good": "\\NonExistent \\Noselect \\HasNoChildren \\Subscribed",
                "tools/hammer": "\\HasNoChildren \\Subscribed",
            },
        ),
        (
            'LIST (SUBSCRIBED RECURSIVEMATCH) "" %',
            {
                "INBOX": "\\HasNoChildren \\Subscribed",
                "fruit": PLACE + " SUBSCRIBED",
                "gone": "\\NonExistent \\Noselect \\HasNoChildren SUBSCRIBED",
                "tools": "\\HasChildren SUBSCRIBED",
            },
        ),
        ('LIST (SUBSCRIBED RECURSIVEMATCH) "" tools*', {"tools/hammer": "\\HasNoChildren \\Subscribed"}),
        ('LIST (SUBSCRIBED SPECIAL-USE) "" *', {}),
        ('LIST (SPECIAL-USE) "" *', {"Sent": "\\HasNoChildren \\Sent"}),
        ('LIST "" tools RETURN (SUBSCRIBED)', {"tools": "\\HasChildren"}),
        ('LSUB "" *', {"INBOX": "", "fruit/apple": "", "gone/for/good": "\\Noselect", "tools/hammer": ""}),
        ('LSUB "" %', {"INBOX": "", "fruit": "\\Noselect", "gone": "\\Noselect", "tools": "\\Noselect"}),
        ('LSUB "" gone/%', {"gone/for": "\\Noselect"}),
    ],
)
def test_rows(text: str, expected: dict[str, str]) -> None:
    found = rows(text)
    assert {name: attributes.split() for name, attributes in found.items()} == {name: words.split() for name, words in expected.items()}


def test_inbox_comes_first_and_parents_before_children() -> None:
    assert list(rows('LIST "" *')) == ["INBOX", "Sent", "fruit", "fruit/apple", "tools", "tools/hammer"]


def test_patterns_together_are_bounded() -> None:
    """VECTORS "LIST wildcards": each pattern is tried on each name."""
    assert isinstance(parse_frame(Frame((b'a LIST "" (' + b"a" * 500 + b" " + b"b" * 500 + b")",))).command, c.List)
    assert not isinstance(parse_frame(Frame((b'a LIST "" (' + b"a" * 500 + b" " + b"b" * 501 + b")",))).command, c.List)


@given(st.sets(st.text("ab/", min_size=1, max_size=6).filter(lambda name: "//" not in name and name.strip("/") == name)))
def test_every_name_and_every_place_above_is_listed_once(names: set[str]) -> None:
    found = [row.name for row in listing(command('LIST "" *'), [Name(name, exists=True, is_subscribed=False) for name in names])]
    above = {name[:end] for name in names for end in range(len(name)) if name[end] == "/"}
    assert sorted(found) == sorted(names | above)
