# SPDX-License-Identifier: AGPL-3.0-or-later
"""One IMAP connection as a value: bytes in, commands out, answers queued.

`receive` what came, ask `next_event` until it says None, answer the command it gave (`untagged`… then one of `ok`, `no`, `bad`), send what
`take_output` returns. There is at most one command in progress; pipelined ones wait in the buffer, so a server stops reading when
`buffered_bytes` grows. Nothing a peer sends makes a method raise; a RuntimeError means that the caller broke the order above. Once the
session is closing, answers are dropped: whoever was working on one need not know.

The session answers by itself whatever needs no store: syntax errors, commands out of place, CAPABILITY, LOGOUT, ID, NAMESPACE, ENABLE,
STARTTLS. It never hands out a password that came without TLS. It does not know who may log in, what is stored, or what time it is.
"""

from collections.abc import Iterable
from dataclasses import replace

from razdar.wire.errors import PeerError

from . import commands as c
from .fault import Declined
from .framing import Frame, Framer, Refused
from .gate import objection
from .limits import Capabilities, ImapLimits
from .outbox import Outbox
from .parsers import SaslStart, parse_frame, parse_sasl_plain
from .responses import Part
from .states import TRANSITIONS, State

__all__ = ["Capabilities", "Event", "ImapLimits", "ImapSession", "State"]

Event = c.Command | c.IdleEnded
OWN_LINES: dict[type[c.Command], str] = {
    c.Logout: "BYE Good bye",
    c.Id: 'ID ("name" "Razdar")',
    c.Namespace: 'NAMESPACE (("" "/")) NIL NIL',
    c.Enable: "ENABLED",
}
"""Commands that the session answers with one line and OK; CAPABILITY is another, but depends on the state."""


class ImapSession:
    """A server's side of one connection."""

    def __init__(
        self,
        *,
        limits: ImapLimits | None = None,
        capabilities: Capabilities | None = None,
        is_tls: bool,
        greeting: str = "Razdar ready",
    ) -> None:
        self.limits = limits or ImapLimits()
        self.capabilities = capabilities or Capabilities()
        self.state = State.NOT_AUTHENTICATED
        self.is_tls = is_tls
        self.is_closing = False
        """Send what is queued, then close. No further event comes."""
        self.is_idling = False
        """From `idle_started` to the end of the IDLE: `untagged` may be called at any time."""
        self.selected_read_only = False
        self._out = Outbox()
        self._framer = Framer(self.limits.bounds(is_logged_in=False, is_tls=is_tls))
        self._current: c.Command | None = None
        self._sasl_tag: str | None = None
        self._starttls: c.StartTls | None = None
        self._failed_logins = 0
        self._errors = 0
        self._strange_commands = 0
        self._out.line(f"* OK [{self._capability_line()}] {greeting}")

    # what the server reads

    @property
    def buffered_bytes(self) -> int:
        """Received and not yet answered."""
        return self._framer.buffered_bytes

    @property
    def held_bytes(self) -> int:
        """All that is kept of what the peer sent, the message of an APPEND under way included."""
        return self.buffered_bytes + (len(self._current.message) if isinstance(self._current, c.Append) else 0)

    @property
    def output_bytes(self) -> int:
        """Queued and not yet taken."""
        return self._out.size_bytes

    @property
    def command_in_progress(self) -> c.Command | None:
        """The one to answer next."""
        return self._current

    def take_output(self, at_most: int | None = None) -> bytes:
        """The next bytes to send: all, or `at_most` so many."""
        return self._out.take(at_most)

    # what the peer sends

    def receive(self, data: bytes) -> None:
        """The bytes count from now on. Between STARTTLS and `tls_started` they are dropped (CVE-2011-0411)."""
        if not (self.is_closing or self._starttls):
            self._framer.receive(data)

    def next_event(self) -> Event | None:
        """The next command to answer, or the end of an IDLE. None: more bytes are needed, or the current command is unanswered."""
        while not (self.is_closing or self._starttls):
            if self._current is not None:
                return self._idle_line() if self.is_idling else None
            if not (self._read_command() if self._sasl_tag is None else self._read_sasl_line(self._sasl_tag)):
                return None
            if self._current is not None or self._starttls is not None:
                return self._current or self._starttls
        return None

    def tls_started(self) -> None:
        """The handshake is done: all that came before is forgotten (RFC 3501 section 6.2.1, CVE-2021-38371)."""
        self._framer.drop()
        self._starttls = None
        self.is_tls = True

    # answering

    def untagged(self, line: bytes) -> None:
        """`* line` is queued."""
        self._out.put((b"* ", line, b"\r\n"))

    def untagged_parts(self, parts: Iterable[Part]) -> None:
        """As `untagged`, for a line in pieces that are not joined."""
        self._out.put((b"* ", *parts, b"\r\n"))

    def ok(self, text: str | None = None, code: str | None = None) -> None:
        """The current command succeeded; the state moves by the table."""
        command = self._finish(is_ok=True)
        if command is None:
            return
        self._errors = max(0, self._errors - 1)  # a client that is mostly right may stay for weeks
        if isinstance(command, c.Login):
            code = code or self._capability_line()
        elif isinstance(command, c.Select):
            self.selected_read_only = command.is_read_only
            code = code or ("READ-ONLY" if command.is_read_only else "READ-WRITE")
        self._out.tagged(command.tag, "OK", text or f"{type(command).__name__.upper()} completed", code)

    def no(self, text: str, code: str | None = None) -> None:
        """The current command failed; the state moves by the table. Too many refused logins end the connection."""
        command = self._finish(is_ok=False)
        if command is None:
            return
        self._out.tagged(command.tag, "NO", text, code)
        if isinstance(command, c.Login):
            self._failed_logins += 1
            if self._failed_logins >= self.limits.login_failures:
                self.shut_down("Too many failed logins")

    def bad(self, text: str) -> None:
        """The current command makes no sense after all (a sequence number that does not exist)."""
        command = self._finish(is_ok=False)
        if command is not None:
            self._bad(command.tag, text)

    def idle_started(self) -> None:
        """The peer is told to wait. From now on `untagged` at any time, until `next_event` gives IdleEnded."""
        if self.is_closing:
            return
        if not isinstance(self._current, c.Idle):
            raise RuntimeError("there is no IDLE to start")
        self.is_idling = True
        self._out.line("+ idling")

    def still_here(self) -> None:
        """A sign of life, in IDLE only (WIRE "IMAP": at least every two minutes)."""
        if self.is_idling:
            self.untagged(b"OK Still here")

    def give_up(self) -> None:
        """There is no memory left for what the peer sends."""
        self.shut_down("Too many large messages at this moment, try again soon")

    def shut_down(self, text: str) -> None:
        """BYE is queued and nothing more is read. For time-outs, a server that stops, a peer that made too many errors."""
        self._out.line(f"* BYE {text}")
        self._end()

    # commands

    def _read_command(self) -> bool:
        """False: more bytes are needed."""
        self._framer.bounds = self.limits.bounds(is_logged_in=self._is_logged_in, is_tls=self.is_tls)
        frame = self._framer.next_frame()
        if isinstance(frame, bytes):
            self._out.put((frame,))
        elif isinstance(frame, Refused):
            self._refuse(frame)
        elif frame is not None:
            self._parse(frame)
        return frame is not None

    def _refuse(self, refused: Refused) -> None:
        if refused.is_literal and not self.is_tls:
            self._no(refused.tag, "Start TLS first", "PRIVACYREQUIRED", is_error=True)
        elif refused.is_literal and refused.is_too_big:
            self._no(refused.tag, refused.text, "TOOBIG", is_error=True)
        else:
            self._bad(refused.tag, refused.text)
        if refused.is_fatal:
            self.shut_down(refused.text)

    def _parse(self, frame: Frame) -> None:
        self._strange_commands += not self._is_logged_in
        if self._strange_commands > self.limits.commands_before_login:
            self.shut_down("Too many commands before login")
            return
        parsed = parse_frame(frame, self.limits.grammar)
        if isinstance(parsed.command, PeerError):
            self._fault(parsed.tag, parsed.command)
        elif isinstance(parsed.command, SaslStart):
            self._start_sasl(parsed.command)
        else:
            self._begin(parsed.command)

    def _fault(self, tag: str | None, fault: PeerError) -> None:
        if isinstance(fault, Declined):
            self._no(tag, fault.text, fault.code)
        else:
            self._bad(tag, fault.text)

    def _begin(self, command: c.Command) -> None:
        fault = self._objection(type(command))
        if fault is not None:
            self._fault(command.tag, fault)
        elif isinstance(command, c.StartTls):
            self._out.tagged(command.tag, "OK", "Begin TLS now")
            self._framer.drop()
            self._starttls = command
        elif isinstance(command, c.Compress) and f"COMPRESS={command.mechanism}" not in self.capabilities.after_login:
            self._bad(command.tag, "Not offered")
        else:
            self._current = command
            self._answer_own(type(command))

    def _objection(self, kind: type[c.Command]) -> PeerError | None:
        return objection(kind, self.state, is_tls=self.is_tls, is_read_only=self.selected_read_only)

    def _answer_own(self, kind: type[c.Command]) -> None:
        line = self._capability_line() if kind is c.Capability else OWN_LINES.get(kind)
        if line is None:
            return
        self._out.line(f"* {line}")
        self.ok()
        if kind is c.Logout:
            self._end()

    # SASL (RFC 3501 section 6.2.2, RFC 4959, RFC 4616)

    def _start_sasl(self, start: SaslStart) -> None:
        fault = self._objection(c.Login)
        if fault is not None:
            self._fault(start.tag, fault)
        elif start.mechanism != "PLAIN":
            self._no(start.tag, "Only PLAIN", "CANNOT")
        elif start.initial is not None:
            self._sasl_answer(start.tag, start.initial)
        else:
            self._sasl_tag = start.tag
            self._out.line("+ ")

    def _read_sasl_line(self, tag: str) -> bool:
        """False: more bytes are needed."""
        line = self._framer.next_line(self.limits.login_bytes)
        if line is None:
            return False
        self._sasl_tag = None
        if isinstance(line, Refused):
            self._refuse(replace(line, tag=tag))
        elif line == b"*":
            self._bad(tag, "Cancelled")
        else:
            self._sasl_answer(tag, line)
        return True

    def _sasl_answer(self, tag: str, answer: bytes) -> None:
        parsed = parse_sasl_plain(tag, answer)
        if isinstance(parsed, PeerError):
            self._fault(tag, parsed)
        else:
            self._begin(parsed)

    # IDLE (RFC 2177)

    def _idle_line(self) -> c.IdleEnded | None:
        line = self._framer.next_line(self.limits.login_bytes)
        if line is None:
            return None
        if isinstance(line, bytes) and line.upper() == b"DONE":
            self.is_idling = False
            return c.IdleEnded()
        # No command may come here. Whoever sends one is out of step, and a literal may be on its way.
        self.bad("Only DONE ends an IDLE")
        self.shut_down("Out of step")
        return None

    # small things

    @property
    def _is_logged_in(self) -> bool:
        return self.state is not State.NOT_AUTHENTICATED

    def _capability_line(self) -> str:
        return self.capabilities.now(is_logged_in=self._is_logged_in, is_tls=self.is_tls)

    def _finish(self, *, is_ok: bool) -> c.Command | None:
        """The command that is answered now; None if the session is closing and no answer is wanted."""
        if self.is_closing:
            return None
        if self._current is None:
            raise RuntimeError("there is no command to answer")
        command, self._current = self._current, None
        self.is_idling = False
        transition = TRANSITIONS[self.state, type(command)]
        self.state = transition.after_ok if is_ok else transition.after_no
        if self.state is not State.SELECTED:
            self.selected_read_only = False
        return command

    def _no(self, tag: str | None, text: str, code: str, *, is_error: bool = False) -> None:
        self._out.tagged(tag or "*", "NO", text, code)
        self._count_error(1 if is_error else 0)

    def _bad(self, tag: str | None, text: str) -> None:
        self._out.tagged(tag or "*", "BAD", text)
        self._count_error(1)

    @property
    def was_abused(self) -> bool:
        """Whether it ended because no honest client makes so many errors."""
        return self._errors >= self.limits.errors

    def _count_error(self, errors: int) -> None:
        self._errors += errors
        if self._errors >= self.limits.errors:
            self.shut_down("Too many errors")

    def _end(self) -> None:
        self._out.close()
        self.is_closing = True
        self._current = None
        self.is_idling = False
        self.state = State.LOGOUT
        self._framer.stop()
