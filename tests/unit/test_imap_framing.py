# SPDX-License-Identifier: AGPL-3.0-or-later
"""From a byte stream to whole commands, within bounds (RFC 3501 section 4.3, RFC 7888)."""

import pytest

from razdar.wire.imap.framing import CONTINUE, Bounds, Frame, Framer, Refused

LOGGED_IN = Bounds(text_bytes=200, literal_bytes=100, message_bytes=10_000)
STRANGER = Bounds(text_bytes=100, literal_bytes=100, message_bytes=0, total_bytes=100)


def frames(data: bytes, bounds: Bounds = LOGGED_IN) -> list[Frame | Refused | bytes]:
    framer = Framer(bounds)
    framer.receive(data)
    found = []
    while (frame := framer.next_frame()) is not None:
        found.append(frame)
    return found


def test_lines_and_literals() -> None:
    assert frames(b"a NOOP\r\nb X {3+}\r\na\r\n y {0+}\r\n\r\nc") == [
        Frame((b"a NOOP",)),
        Frame((b"b X ", b" y ", b""), (b"a\r\n", b"")),
    ]


def test_a_literal_that_waits_is_asked_for() -> None:
    framer = Framer(LOGGED_IN)
    framer.receive(b"a X {3}\r\n")
    assert framer.next_frame() == CONTINUE
    assert framer.next_frame() is None
    framer.receive(b"abc {2}\r\n")
    assert framer.next_frame() == CONTINUE
    framer.receive(b"de\r\n")
    assert framer.next_frame() == Frame((b"a X ", b" ", b""), (b"abc", b"de"))


def test_a_literal_is_never_a_command() -> None:
    """However it looks, and however the announcement is spelled."""
    inside = b"\r\nb LOGOUT\r\n"
    for announced in (b"{%d+}", b"~{%d+}", b"x{%d+}", b'"{%d+}', b"{000%d+}"):
        (frame,) = frames(b"a X " + announced % len(inside) + b"\r\n" + inside + b"\r\n")
        assert isinstance(frame, Frame)
        assert frame.literals == (inside,)


@pytest.mark.parametrize("line", [b"a {3 +}", b"a {-3}", b"a {3-}", b"a {+}", b"a {3+} ", b"a {3}x", b"a {}"])
def test_what_announces_no_literal(line: bytes) -> None:
    assert frames(line + b"\r\n") == [Frame((line,))]


@pytest.mark.parametrize("byte", [b"\0", b"\r", b"\n"])
def test_forbidden_bytes_cost_the_whole_line_and_nothing_else(byte: bytes) -> None:
    """CVE-2019-11500 and its kind: the end of the line is not in doubt, so the next command counts."""
    bad, good = frames(b"a NOOP" + byte + b"b LOGOUT\r\nc NOOP\r\n")
    assert isinstance(bad, Refused)
    assert (bad.tag, bad.is_fatal) == ("a", False)
    assert good == Frame((b"c NOOP",))


def test_forbidden_byte_before_a_literal_on_its_way_is_fatal() -> None:
    (bad,) = frames(b"a X\0 {9+}\r\nb LOGOUT\r\nc NOOP\r\n")
    assert isinstance(bad, Refused)
    assert bad.is_fatal


@pytest.mark.parametrize(
    ("sent", "is_fatal"),
    [
        (b"a X {101}\r\n", False),
        (b"a X {4294967295}\r\n", False),
        (b"a X {%s}\r\n" % (b"9" * 150), False),
        (b"a X {101+}\r\n", True),
        (b"a X {101}\r\nb LOGOUT\r\n", True),  # did not wait for "+", so this is the literal
        (b"a X {60+}\r\n" + b"x" * 60 + b" {41+}\r\n", True),
        (b"a APPEND x {10001}\r\n", False),
        (b"a APPEND {101}\r\n", False),
        (b"a APPEND x {4097+}\r\n", True),  # LITERAL-
        (b"a APPEND x {9+}\r\n123456789 {101+}\r\n", True),  # only the first is the message
    ],
)
def test_literals_too_large(sent: bytes, is_fatal: bool) -> None:
    (refused,) = frames(sent)
    assert isinstance(refused, Refused)
    assert refused.is_too_big
    assert refused.is_literal
    assert refused.is_fatal is is_fatal
    assert refused.tag == "a"


def test_in_step_after_a_refused_literal() -> None:
    framer = Framer(LOGGED_IN)
    framer.receive(b"a X {101}\r\n")
    assert isinstance(framer.next_frame(), Refused)
    framer.receive(b"b NOOP\r\n")
    assert framer.next_frame() == Frame((b"b NOOP",))


@pytest.mark.parametrize(
    "announcement",
    [b"a APPEND x {%d}", b'a append "x y" (\\Seen) {%d}', b"a APPEND {1+}\r\nx {%d}", b"a APPEND {1+}\r\nx () ~{%d}"],
)
def test_the_message_of_an_append_may_be_large(announcement: bytes) -> None:
    *_, asked, frame = frames(announcement % 10_000 + b"\r\n" + b"x" * 10_000 + b"\r\n")
    assert asked == CONTINUE
    assert isinstance(frame, Frame)
    assert frame.literals[-1] == b"x" * 10_000


def test_lines_too_long() -> None:
    """VECTORS "IMAP before login": an endless line."""
    framer = Framer(STRANGER)
    for _ in range(100):
        framer.receive(b"a")
        assert framer.next_frame() is None
    framer.receive(b"a")
    refused = framer.next_frame()
    assert isinstance(refused, Refused)
    assert refused.is_fatal
    assert framer.buffered_bytes == 0
    framer.receive(b"b NOOP\r\n")
    assert framer.next_frame() is None
    assert framer.buffered_bytes == 0


def test_many_small_literals_share_one_bound() -> None:
    """VECTORS "IMAP before login": thousands of {n+}."""
    *_, refused = frames(b"a X" + b" {0+}\r\n" * 1000, STRANGER)
    assert isinstance(refused, Refused)
    assert refused.is_fatal
    *_, refused = frames(b"a X" + b" {9+}\r\n123456789" * 1000, STRANGER)
    assert isinstance(refused, Refused)
    assert refused.is_fatal


def test_announcing_costs_nothing_until_it_comes() -> None:
    """VECTORS "APPEND of 100 MB announced and none sent"."""
    framer = Framer(Bounds(200, 100, 2**31))
    framer.receive(b"a APPEND x {2000000000}\r\n")
    assert framer.next_frame() == CONTINUE
    assert framer.buffered_bytes < 50
    framer.receive(b"x" * 1000)
    assert framer.next_frame() is None
    assert 1000 <= framer.buffered_bytes < 1050


def test_a_literal_in_single_bytes_costs_its_size() -> None:
    framer = Framer(LOGGED_IN)
    framer.receive(b"a APPEND x {10000}\r\n")
    assert framer.next_frame() == CONTINUE
    for _ in range(10_000):
        framer.receive(b"x")
        assert framer.next_frame() is None
    assert framer.buffered_bytes < 10_100
    framer.receive(b"\r\n")
    frame = framer.next_frame()
    assert isinstance(frame, Frame)
    assert frame.literals == (b"x" * 10_000,)


def test_drop_forgets_half_a_command() -> None:
    framer = Framer(LOGGED_IN)
    framer.receive(b"a X {3+}\r\nab")
    assert framer.next_frame() is None
    framer.drop()
    framer.receive(b"b NOOP\r\n")
    assert framer.next_frame() == Frame((b"b NOOP",))
