# SPDX-License-Identifier: AGPL-3.0-or-later
"""value → bytes → value for every command, and the same events however the bytes are cut."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from tests.property.imap_commands import COMMANDS_AFTER_LOGIN, LOGINS, RANGES
from tests.property.imap_serialiser import Serialiser
from tests.transcripts.imap_driver import PASSWORD, USER, ImapDriver

from razdar.wire.imap import commands as c
from razdar.wire.imap.framing import Bounds, Frame, Framer
from razdar.wire.imap.parsers import parse_frame
from razdar.wire.imap.sequence import Range, sequence_set

BOUNDS = Bounds(65536, 65536, 65536)


def read(data: bytes) -> object:
    framer = Framer(BOUNDS)
    framer.receive(data)
    frame = framer.next_frame()
    assert isinstance(frame, Frame)
    assert framer.buffered_bytes == 0
    return parse_frame(frame).command


@given(LOGINS | COMMANDS_AFTER_LOGIN, st.data())
def test_every_command_comes_back(command: c.Command, data: st.DataObject) -> None:
    written = Serialiser(lambda: data.draw(st.booleans())).command(command)
    assert read(written) == command


def said(driver: ImapDriver, pieces: list[bytes]) -> bytes:
    output = driver.take_output()
    for piece in pieces:
        driver.receive(piece)
        output += driver.take_output()
    return output


@given(st.lists(COMMANDS_AFTER_LOGIN, max_size=6), st.lists(st.integers(0, 400), max_size=8))
def test_cutting_the_bytes_changes_nothing(commands: list[c.Command], places: list[int]) -> None:
    sent = Serialiser(lambda: False).command(c.Login("l", USER, PASSWORD))
    for command in commands:
        sent += Serialiser(lambda: False).command(command) + (b"DONE\r\n" if isinstance(command, c.Idle) else b"")
    cuts = sorted({0, *(place for place in places if place < len(sent)), len(sent)})
    whole, cut = ImapDriver(), ImapDriver()
    for driver in (whole, cut):
        driver.folders["INBOX"].add(b"Subject: x\r\n\r\nbody\r\n", set())
    assert said(whole, [sent]) == said(cut, [sent[start:end] for start, end in pairwise(cuts)])
    assert whole.handled == cut.handled


@given(RANGES, st.sets(st.integers(1, 40), max_size=20))
def test_a_set_names_what_its_ranges_name(ranges: list[Range], mailbox: set[int]) -> None:
    """Against the definition in RFC 3501 section 9, range by range, number by number."""
    ids = sequence_set(ranges)
    all_ids = sorted(mailbox)
    last = all_ids[-1] if all_ids else 0
    named = set()
    for low, high in ranges if mailbox else ():
        ends = (last if low is None else low, last if high is None else high)
        named |= {number for number in all_ids if min(ends) <= number <= max(ends)}
    assert ids.resolve(all_ids) == sorted(named)
    assert {number for number in all_ids if ids.contains(number, last)} == named
