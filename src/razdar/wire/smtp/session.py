# SPDX-License-Identifier: AGPL-3.0-or-later
"""One SMTP connection as a value: bytes in, events out, replies queued. The server side, for submission and for port 25.

    session.receive(data)                       as often as bytes arrive
    while event := session.next_event():        at most one event waits for an answer
        session.answer(verdict)
    transport.write(session.take_output())      then close if session.is_closing

It touches no socket and no clock and never raises because of what the peer sent. How the bytes were cut into packets makes no
difference. Commands that the client pipelined behind an event wait here unread; the server stops reading from the socket when
`buffered_bytes` grows.
"""

from collections.abc import Mapping

from razdar.model.verdict import Refusal, Verdict
from razdar.wire.frames import BareNewline, LineFramer, LineTooLong
from razdar.wire.smtp import replies
from razdar.wire.smtp.answers import settle
from razdar.wire.smtp.content import ContentReader, Endless
from razdar.wire.smtp.dialogue import Dialogue, Role, SmtpLimits
from razdar.wire.smtp.events import Closed, Event, MessageReceived, TlsRequested
from razdar.wire.smtp.states import State
from razdar.wire.smtp.verbs import obey, respond

__all__ = ["Role", "SmtpLimits", "SmtpSession"]

_ABUSE = (replies.TOO_MANY_ERRORS, replies.TOO_MANY_COMMANDS, replies.NOT_SMTP, replies.LINE_TOO_LONG)
_DEAF = (State.HANDSHAKE, State.CLOSED)


class SmtpSession:
    """The dialogue and the bytes that wait for it. The greeting is queued from the start."""

    __slots__ = ("_dialogue", "_lines", "was_smuggled")

    def __init__(self, *, role: Role, hostname: str, limits: SmtpLimits, is_tls: bool) -> None:
        self._dialogue = Dialogue(role, hostname, limits, is_tls)
        self._lines = LineFramer(limits.line_bytes)
        self.was_smuggled = False
        """Whether it ended because of a line end that two readers could take for different ones (CVE-2023-51764)."""
        self._dialogue.output += replies.render_lines(replies.GREETING.code, [f"{hostname} {replies.GREETING.text}"])

    @property
    def refused(self) -> Mapping[int, int]:
        """How many messages it refused by itself, by code: too big, too many recipients."""
        return self._dialogue.refused

    @property
    def was_abused(self) -> bool:
        """Whether it ended because no honest client behaves like this one."""
        return self._dialogue.last_word in _ABUSE

    @property
    def is_closing(self) -> bool:
        """Send what is queued, then close."""
        return self._dialogue.state is State.CLOSED

    @property
    def login(self) -> str | None:
        """User name of the accepted login, as the client wrote it."""
        return self._dialogue.login

    @property
    def buffered_bytes(self) -> int:
        """Received and not read yet, because an event waits for its answer. The message in progress does not count."""
        return len(self._lines)

    @property
    def held_bytes(self) -> int:
        """All that is kept of what the client sent, the message in progress and one that waits for its answer included."""
        dialogue = self._dialogue
        held = len(self._lines) + (dialogue.content.held_bytes if dialogue.content is not None else 0)
        return held + (len(dialogue.event.content) if isinstance(dialogue.event, MessageReceived) else 0)

    @property
    def is_receiving_content(self) -> bool:
        """Between 354 and the end mark."""
        return self._dialogue.content is not None

    def receive(self, data: bytes) -> None:
        """Everything that needs no answer is done; see `next_event` and `take_output`."""
        if self._dialogue.state not in _DEAF:
            self._lines.feed(data)
            self._advance()

    def next_event(self) -> Event | None:
        """The next event, each once; None if more bytes are needed or an answer is outstanding."""
        dialogue = self._dialogue
        event = dialogue.event
        if event is None or dialogue.is_handed_out:
            return None
        dialogue.is_handed_out = True
        if isinstance(event, (TlsRequested, Closed)):
            dialogue.event = None
        return event

    def answer(self, verdict: Verdict) -> None:
        """The reply to the event is queued and reading goes on. No effect once the session is closing; RuntimeError if no event waits."""
        dialogue = self._dialogue
        if self.is_closing:
            return
        event, dialogue.event = dialogue.event, None
        if event is None or not dialogue.is_handed_out:
            raise RuntimeError("no event waits for an answer")
        settle(dialogue, event, verdict)
        if dialogue.farewell is not None and not self.is_closing:
            dialogue.close(dialogue.farewell)
        self._advance()

    def fail(self) -> None:
        """Something of ours broke while the event was being answered: the client may try again."""
        self.answer(replies.INTERNAL_ERROR)

    def take_output(self) -> bytes:
        """What to send now; empty if nothing."""
        output = self._dialogue.output
        if not output:
            return b""
        self._dialogue.output = bytearray()
        return bytes(output)

    def tls_started(self) -> None:
        """The handshake is done: as at the start, without a greeting (RFC 3207 section 4.2). There was no login that could be forgotten."""
        dialogue = self._dialogue
        if dialogue.state is not State.HANDSHAKE:
            raise RuntimeError("the client did not ask for TLS")
        dialogue.is_tls = True
        dialogue.reset()
        dialogue.state = State.START

    def time_out(self) -> None:
        """The client said nothing for too long."""
        self._end(replies.TIMED_OUT)

    def turn_away(self, refusal: Refusal) -> None:
        """Instead of the greeting (RFC 5321 section 3.1)."""
        self.take_output()
        self._end(refusal)

    def give_up(self) -> None:
        """There is no memory left for what the client sends."""
        self._end(replies.OVERLOADED_CLOSING)

    def shut_down(self) -> None:
        """The relay stops. An event that waits for its answer still gets it, so that no accepted message is sent twice."""
        self._end(replies.SHUTTING_DOWN)

    def _end(self, last_word: Refusal) -> None:
        dialogue = self._dialogue
        if dialogue.state is State.HANDSHAKE:
            dialogue.state = State.CLOSED  # the client expects TLS now, not text
        elif dialogue.event is not None:
            dialogue.farewell = last_word
        elif not self.is_closing:
            dialogue.close(last_word)
            self._lines.take_rest()

    def _advance(self) -> None:
        """Reads until an event, the end of the connection or the end of the bytes."""
        try:
            while self._dialogue.event is None and self._step():
                pass
        except BareNewline:
            self.was_smuggled = True
            self._dialogue.close(replies.BARE_NEWLINE)
        except LineTooLong:
            self._dialogue.close(replies.LINE_TOO_LONG)
        except Endless:
            self._dialogue.close(replies.TOO_BIG)
        if self._dialogue.state in _DEAF:
            self._lines.take_rest()  # STARTTLS injection (CVE-2011-0411) ends here

    def _step(self) -> bool:
        """One line or one piece of content; False if there is nothing to read."""
        dialogue = self._dialogue
        if dialogue.content is not None:
            return self._read_content(dialogue, dialogue.content)
        line = None if dialogue.state in _DEAF else self._lines.next_line()
        if line is None:
            return False
        if dialogue.state is State.SASL:
            respond(dialogue, line.decode("latin-1"))
        else:
            obey(dialogue, line)
        return True

    def _read_content(self, dialogue: Dialogue, reader: ContentReader) -> bool:
        rest = reader.feed(self._lines.take_rest())
        if rest is None:
            return False
        self._lines.feed(rest)
        content = reader.take()
        dialogue.content = None
        if content is None:
            dialogue.reset()
            dialogue.say(replies.TOO_BIG)
        else:
            dialogue.offer(MessageReceived(dialogue.envelope, content))
        return True
