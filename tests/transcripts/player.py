# SPDX-License-Identifier: AGPL-3.0-or-later
r"""Plays a dialogue that is written down as plain text against any protocol engine: SMTP, IMAP or another.

    # a comment; empty lines are free
    C: EHLO c.example                     the client sends the line and CRLF
    C| hello                              the client sends exactly these bytes, no CRLF (literals, half lines)
    S: 250*STARTTLS*                      the server says exactly one thing more, which matches; "*" stands for anything
    C: STARTTLS\r\nNOOP     <- note       two or more spaces and "<-" begin a remark
    !  tls                                calls the directive of that name; the rest of the line is its argument

`\r \n \t \0 \\ \xHH` are bytes; `\*` in an S line is a star itself, `\s` a blank that would otherwise be trimmed. What the server says
beyond the S lines is an error, at the next C line as well as at the end. A "thing" is one line, or what `unit` says it is: a whole SMTP
reply of several lines, an IMAP line with its literals. A pattern is tried on the whole thing first and then on its first line, so an EHLO
reply can be written as one pattern or line by line (without a star there: it would swallow the lines that follow).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Unit = Callable[[bytes], int]
"""Length of the first complete thing in the output, at least one line; 0 if there is none."""


class Peer(Protocol):
    """All that an engine must offer. A driver that answers events wraps the session and offers the same two."""

    def receive(self, data: bytes) -> None: ...
    def take_output(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a transcript. `kind` is one of `C:`, `C|`, `S:`, `!`."""

    number: int
    kind: str
    text: str


_STEP = re.compile(r"(C:|C\||S:|!)(?: (.*)|)$")
_REMARK = re.compile(r"\s{2,}<-.*$")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|.)")
_PLAIN = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "s": " ", "\\": "\\"}


def parse(text: str) -> Iterator[Step]:
    """The steps of a transcript; ValueError names the line that is none."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _STEP.match(_REMARK.sub("", line).rstrip())
        if found is None:
            raise ValueError(f"line {number} is no step of a transcript: {line!r}")
        argument = found[2] or ""
        yield Step(number, found[1], argument.strip() if found[1] == "!" else argument)


def unescape(text: str) -> bytes:
    """The bytes that `text` stands for; characters beyond ASCII become UTF-8."""

    def byte(found: re.Match[str]) -> bytes:
        name = found[1]
        return bytes([int(name[1:], 16)]) if len(name) == 3 else _PLAIN[name].encode()

    parts = []
    position = 0
    for found in _ESCAPE.finditer(text):
        parts += [text[position : found.start()].encode(), byte(found)]
        position = found.end()
    return b"".join([*parts, text[position:].encode()])


def matches(pattern: str, said: bytes) -> bool:
    """Whether the whole of `said`, without its last CRLF, is what the S line means."""
    pieces = re.split(r"(?<!\\)((?:\\\\)*)\*", pattern)  # odd places: pairs of backslashes right before a star
    texts = ["".join(pieces[i : i + 2]) for i in range(0, len(pieces), 2)]
    expression = b".*".join(re.escape(unescape(text.replace("\\*", "\\x2a"))) for text in texts)
    return re.fullmatch(expression, said.removesuffix(b"\r\n"), re.DOTALL) is not None


def one_line(output: bytes) -> int:
    """Every line is a thing of its own."""
    return output.find(b"\r\n") + 2 if b"\r\n" in output else 0


def smtp_reply(output: bytes) -> int:
    """A reply of several lines, `250-` up to `250 `, is one thing (RFC 5321 section 4.2.1)."""
    found = re.match(rb"(?:\d{3}-[^\r\n]*\r\n)*\d{3} [^\r\n]*\r\n", output)
    return found.end() if found else 0


class Player:
    """One dialogue with one peer. `chunk` cuts what the client sends into pieces of that many bytes, None sends each step as one write."""

    def __init__(
        self, peer: Peer, *, unit: Unit = one_line, directives: Mapping[str, Callable[[str], None]] | None = None, chunk: int | None = None
    ) -> None:
        self._peer = peer
        self._unit = unit
        self._directives = directives or {}
        self._chunk = chunk
        self._output = b""

    def play(self, text: str) -> None:
        """AssertionError, naming the line, as soon as the server says something else than the transcript."""
        for step in parse(text):
            self._play(step)
        self._expect_silence(None)

    def _play(self, step: Step) -> None:
        if step.kind == "S:":
            self._expect(step)
        elif step.kind == "!":
            self._direct(step)
        else:
            self._expect_silence(step)
            self._send(unescape(step.text) + (b"\r\n" if step.kind == "C:" else b""))

    def _direct(self, step: Step) -> None:
        name, _, argument = step.text.partition(" ")
        assert name in self._directives, f"line {step.number}: no directive {name!r}"
        try:
            self._directives[name](argument.strip())
        except AssertionError as error:
            raise AssertionError(f"line {step.number}: ! {step.text}: {error}") from error

    def _send(self, data: bytes) -> None:
        size = self._chunk or max(len(data), 1)
        for start in range(0, len(data), size):
            self._peer.receive(data[start : start + size])

    def _expect(self, step: Step) -> None:
        self._output += self._peer.take_output()
        for length in (self._unit(self._output), one_line(self._output)):
            if length and matches(step.text, self._output[:length]):
                self._output = self._output[length:]
                return
        raise AssertionError(f"line {step.number}: expected {step.text!r}, the server said {self._output!r}")

    def _expect_silence(self, step: Step | None) -> None:
        self._output += self._peer.take_output()
        place = f"before line {step.number}" if step else "at the end"
        assert not self._output, f"{place}: the server also said {self._output!r}"


def transcripts(folder: Path) -> list[Path]:
    """The transcripts of a folder, in a fixed order; never an empty list."""
    found = sorted(folder.glob("*.txt"))
    assert found, f"no transcripts in {folder}"
    return found
