# SPDX-License-Identifier: AGPL-3.0-or-later
"""The player itself: it would be worthless if it could not fail."""

import pytest
from tests.transcripts.player import Player, Step, matches, one_line, parse, smtp_reply, unescape


class Echo:
    """Says back every complete line."""

    def __init__(self) -> None:
        self.heard = b""
        self.writes = 0
        self.said = b"hello\r\n"

    def receive(self, data: bytes) -> None:
        self.writes += 1
        self.heard += data
        lines, _, self.heard = self.heard.rpartition(b"\n")
        if lines:
            self.said += lines + b"\n"

    def take_output(self) -> bytes:
        said, self.said = self.said, b""
        return said


def test_parse_reads_steps_remarks_and_comments() -> None:
    text = "# comment\n\nC: NOOP   <- remark\nS: 250 *\n!  tls now\nC|\n"
    assert list(parse(text)) == [Step(3, "C:", "NOOP"), Step(4, "S:", "250 *"), Step(5, "!", "tls now"), Step(6, "C|", "")]


def test_parse_refuses_anything_else() -> None:
    with pytest.raises(ValueError, match="line 2"):
        list(parse("S: 220 *\nX: what\n"))


@pytest.mark.parametrize(
    ("text", "data"), [(r"a\r\nb", b"a\r\nb"), (r"\0\x7f\\", b"\0\x7f\\"), (r"\\r\s", b"\\r "), ("سلام", "سلام".encode())]
)
def test_escapes(text: str, data: bytes) -> None:
    assert unescape(text) == data


@pytest.mark.parametrize(
    ("pattern", "said", "expected"),
    [
        ("220 *", b"220 relay\r\n", True),
        ("220 *", b"221 relay\r\n", False),
        ("250*TLS*", b"250-a\r\n250-STARTTLS\r\n250 b\r\n", True),
        ("OK [READ-ONLY] (.)", b"OK [READ-ONLY] (.)\r\n", True),
        ("OK (.)", b"OK (x)\r\n", False),
        (r"\* 3 EXISTS", b"* 3 EXISTS\r\n", True),
        (r"\* 3 EXISTS", b"a 3 EXISTS\r\n", False),
        (r"{5}\r\nhello)", b"{5}\r\nhello)\r\n", True),
        (r"\\*", b"\\more\r\n", True),
    ],
)
def test_patterns(pattern: str, said: bytes, expected: bool) -> None:
    assert matches(pattern, said) is expected


def test_units() -> None:
    assert one_line(b"a\r\nb\r\n") == 3
    assert smtp_reply(b"250-a\r\n250 b\r\n250 c\r\n") == 14
    assert smtp_reply(b"250-a\r\n") == 0


@pytest.mark.parametrize("chunk", [None, 1, 3])
def test_a_dialogue_that_holds(chunk: int | None) -> None:
    called: list[str] = []
    Player(Echo(), directives={"note": called.append}, chunk=chunk).play("S: hello\nC: one\nS: one\n! note this\nC| tw\nC: o\nS: t*o\n")
    assert called == ["this"]


def test_each_step_is_one_write_unless_cut() -> None:
    whole, cut = Echo(), Echo()
    Player(whole).play(r"S: hello" + "\n" + r"C: a\r\nb" + "\nS: a\nS: b\n")
    Player(cut, chunk=1).play("S: hello\nC: ab\nS: ab\n")
    assert (whole.writes, cut.writes) == (1, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("S: goodbye\n", "line 1: expected 'goodbye'"),
        ("S: hello\nS: hello\n", "line 2: expected"),
        ("C: one\n", "before line 1"),
        ("S: hello\nC: one\n", "at the end"),
        ("! unknown\n", "no directive 'unknown'"),
        ("S: hello\nC| half\nS: half\n", "line 3: expected"),
    ],
)
def test_a_dialogue_that_does_not_hold(text: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        Player(Echo()).play(text)
