"""One IMAP connection as a value: bytes in, commands out, answers queued.

`receive` what came, ask `next_event` until it says None, answer the command it gave (`untagged`… then one of `ok`, `no`, `bad`), send what
`take_output` returns. There is at most one command in progress; pipelined ones wait in the buffer, so a server stops reading when
`buffered_bytes` grows. Nothing a peer sends makes a method raise; a RuntimeError means that the caller broke the order above.

The session answers by itself whatever needs no store: syntax errors, commands out of place, CAPABILITY, LOGOUT, ID, NAMESPACE, ENABLE,
STARTTLS. It never hands out a password that came without TLS. It does not know who may log in, what is stored, or what time it is.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from razdar.wire.errors import PeerError

from . import commands as c
from .framing import Bounds, Frame, Framer, Refused
from .parsers import Declined, SaslStart, parse_frame, parse_sasl_plain
from .responses import Part
from .states import CHANGES_MAILBOX, TRANSITIONS, State

Event = c.Command | c.IdleEnded
SASL_CANCEL = b"*"


@dataclass(frozen=True, slots=True)
class ImapLimits:
    """What one connection may make us keep or do."""

    line_bytes: int = 65536
    """All lines of one command."""
    literal_bytes: int = 65536
    """All literals of one command, but for the message of an APPEND."""
    message_bytes: int = 31_457_280
    """The message of an APPEND (WIRE "SMTP submission": the same as there)."""
    login_bytes: int = 4096
    """Before login: lines and literals of one command together."""
    login_failures: int = 10
    """Refused logins after which the connection ends."""
    errors: int = 20
    """Commands that were nonsense after which the connection ends."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What is announced in which situation, each a tuple of names."""

    before_tls: tuple[str, ...] = ("IMAP4rev1", "LITERAL-", "ID", "STARTTLS", "LOGINDISABLED")
    before_login: tuple[str, ...] = ("IMAP4rev1", "LITERAL-", "SASL-IR", "ID", "AUTH=PLAIN")
    after_login: tuple[str, ...] = ("IMAP4rev1", "LITERAL-", "ID", "ENABLE", "NAMESPACE", "IDLE", "MOVE", "UIDPLUS", "UNSELECT")


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
        """Between `idle_started` and the tagged answer: `untagged` may be called at any time."""
        self.selected_read_only = False
        self._framer = Framer(self._bounds())
        self._output: deque[Part] = deque()
        self._output_bytes = 0
        self._current: c.Command | None = None
        self._sasl_tag: str | None = None
        self._awaits_tls = False
        self._starttls_tag = ""
        self._failed_logins = 0
        self._errors = 0
        self._send_line(f"* OK [{self._capability_line()}] {greeting}")

    # what the server reads

    @property
    def buffered_bytes(self) -> int:
        """Received and not yet answered."""
        return self._framer.buffered_bytes

    @property
    def output_bytes(self) -> int:
        """Queued and not yet taken."""
        return self._output_bytes

    @property
    def command_in_progress(self) -> c.Command | None:
        """The one to answer next."""
        return self._current

    def take_output(self, at_most: int | None = None) -> bytes:
        """The next bytes to send. With `at_most`, about so many, so that a large answer need not exist twice in memory."""
        if at_most is None or self._output_bytes <= at_most:
            taken = b"".join(self._output)
            self._output.clear()
            self._output_bytes = 0
            return taken
        parts: list[Part] = []
        room = at_most
        while room > 0:
            part = self._output.popleft()
            if len(part) > room:
                self._output.appendleft(memoryview(part)[room:])
                part = memoryview(part)[:room]
            parts.append(part)
            room -= len(part)
        self._output_bytes -= at_most
        return b"".join(parts)

    # what the peer sends

    def receive(self, data: bytes) -> None:
        """The bytes count from now on. Between STARTTLS and `tls_started` they are dropped (CVE-2011-0411)."""
        if not (self.is_closing or self._awaits_tls):
            self._framer.receive(data)

    def next_event(self) -> Event | None:
        """The next command to answer, or the end of an IDLE. None: more bytes are needed, or the current command is unanswered."""
        while not (self.is_closing or self._awaits_tls):
            if self._current is not None:
                return self._idle_line() if self.is_idling else None
            if self._sasl_tag is not None:
                if not self._sasl_line(self._sasl_tag):
                    return None
            else:
                self._framer.bounds = self._bounds()
                frame = self._framer.next_frame()
                if frame is None:
                    return None
                self._take(frame)
            if self._current is not None:
                return self._current
            if self._awaits_tls:
                return c.StartTls(self._starttls_tag)
        return None

    def tls_started(self) -> None:
        """The handshake is done: all that came before is forgotten (RFC 3501 section 6.2.1, CVE-2021-38371)."""
        self._framer.drop()
        self._awaits_tls = False
        self.is_tls = True

    # answering

    def untagged(self, line: bytes) -> None:
        """`* line` is queued."""
        self._queue(b"* ", line, b"\r\n")

    def untagged_parts(self, parts: Iterable[Part]) -> None:
        """As `untagged`, for a line in pieces that are not joined."""
        self._queue(b"* ", *parts, b"\r\n")

    def ok(self, text: str | None = None, code: str | None = None) -> None:
        """The current command succeeded; the state moves by the table."""
        command = self._finish()
        self.state = TRANSITIONS[self.state, type(command)].after_ok
        if isinstance(command, c.Login):
            code = code or self._capability_line()
        elif isinstance(command, c.Select):
            self.selected_read_only = command.is_read_only
            code = code or ("READ-ONLY" if command.is_read_only else "READ-WRITE")
        self._tagged(command.tag, "OK", text or f"{type(command).__name__.upper()} completed", code)

    def no(self, text: str, code: str | None = None) -> None:
        """The current command failed; the state moves by the table. Too many refused logins end the connection."""
        command = self._finish()
        self.state = TRANSITIONS[self.state, type(command)].after_no
        self._tagged(command.tag, "NO", text, code)
        if isinstance(command, c.Login):
            self._failed_logins += 1
            if self._failed_logins >= self.limits.login_failures:
                self.shut_down("Too many failed logins")

    def bad(self, text: str) -> None:
        """The current command makes no sense after all (a sequence number that does not exist)."""
        command = self._finish()
        self.state = TRANSITIONS[self.state, type(command)].after_no
        self._bad(command.tag, text)

    def idle_started(self) -> None:
        """The peer is told to wait. From now on `untagged` at any time, until `next_event` gives IdleEnded."""
        if not isinstance(self._current, c.Idle):
            raise RuntimeError("there is no IDLE to start")
        self.is_idling = True
        self._queue(b"+ idling\r\n")

    def still_here(self) -> None:
        """A sign of life, in IDLE only (WIRE "IMAP": at least every two minutes)."""
        if self.is_idling:
            self.untagged(b"OK Still here")

    def shut_down(self, text: str) -> None:
        """BYE is queued and nothing more is read. For time-outs, a server that stops, a peer that made too many errors."""
        if not self.is_closing:
            self._send_line(f"* BYE {text}")
            self._end()

    # what came

    def _take(self, frame: Frame | Refused | bytes) -> None:
        if isinstance(frame, bytes):
            self._queue(frame)
        elif isinstance(frame, Refused):
            self._refuse(frame)
        else:
            self._parse(frame)

    def _refuse(self, refused: Refused) -> None:
        tag = refused.tag or "*"
        if refused.is_literal and not self.is_tls:
            self._tagged(tag, "NO" if refused.tag else "BAD", "Start TLS first", "PRIVACYREQUIRED")
            self._count_error()
        elif refused.is_too_big and refused.is_literal and refused.tag:
            self._tagged(tag, "NO", refused.text, "TOOBIG")
            self._count_error()
        else:
            self._bad(refused.tag, refused.text)
        if refused.is_fatal:
            self.shut_down(refused.text)

    def _parse(self, frame: Frame) -> None:
        parsed = parse_frame(frame)
        command = parsed.command
        if isinstance(command, Declined):
            self._tagged(parsed.tag or "*", "NO", command.text, command.code)
        elif isinstance(command, PeerError):
            self._bad(parsed.tag, command.text)
        elif isinstance(command, SaslStart):
            self._start_sasl(command)
        else:
            self._begin(command)

    def _begin(self, command: c.Command) -> None:
        kind = type(command)
        if (self.state, kind) not in TRANSITIONS:
            self._bad(command.tag, f"Not now: the connection is {self.state.value}")
        elif kind in CHANGES_MAILBOX and self.selected_read_only:
            self._tagged(command.tag, "NO", "The mailbox is read only", "READ-ONLY")
        elif isinstance(command, c.Login) and not self.is_tls:
            self._tagged(command.tag, "NO", "Start TLS first", "PRIVACYREQUIRED")
        else:
            self._current = command
            own = self._OWN_ANSWERS.get(kind)
            if own is not None:
                own(self, command)

    # SASL (RFC 3501 section 6.2.2, RFC 4959, RFC 4616)

    def _start_sasl(self, start: SaslStart) -> None:
        if (self.state, c.Login) not in TRANSITIONS:
            self._bad(start.tag, f"Not now: the connection is {self.state.value}")
        elif not self.is_tls:
            self._tagged(start.tag, "NO", "Start TLS first", "PRIVACYREQUIRED")
        elif start.mechanism != "PLAIN":
            self._tagged(start.tag, "NO", "Only PLAIN", "CANNOT")
        elif start.initial is not None:
            self._sasl_answer(start.tag, start.initial)
        else:
            self._sasl_tag = start.tag
            self._queue(b"+ \r\n")

    def _sasl_line(self, tag: str) -> bool:
        line = self._framer.next_line(self.limits.login_bytes)
        if line is None:
            return False
        self._sasl_tag = None
        if isinstance(line, Refused):
            self._refuse(replace(line, tag=tag))
        elif line == SASL_CANCEL:
            self._bad(tag, "Cancelled")
        else:
            self._sasl_answer(tag, line)
        return True

    def _sasl_answer(self, tag: str, answer: bytes) -> None:
        parsed = parse_sasl_plain(tag, answer)
        if isinstance(parsed, Declined):
            self._tagged(tag, "NO", parsed.text, parsed.code)
        elif isinstance(parsed, PeerError):
            self._bad(tag, parsed.text)
        else:
            self._begin(parsed)

    # IDLE (RFC 2177)

    def _idle_line(self) -> c.IdleEnded | None:
        line = self._framer.next_line(self.limits.login_bytes)
        if line is None:
            return None
        if isinstance(line, Refused):
            self.shut_down(line.text)
            return None
        if line.upper() != b"DONE":
            # RFC 2177: no command may come here. Whoever sends one is out of step, and a literal may be on its way.
            self._bad(self._finish().tag, "Only DONE ends an IDLE")
            self.shut_down("Out of step")
            return None
        self.is_idling = False
        return c.IdleEnded()

    # commands that need no store

    def _capability(self, _: c.Command) -> None:
        self._send_line(f"* {self._capability_line()}")
        self.ok()

    def _logout(self, _: c.Command) -> None:
        self._send_line("* BYE Good bye")
        self.ok()
        self._end()

    def _id(self, _: c.Command) -> None:
        self._send_line('* ID ("name" "Razdar")')
        self.ok()

    def _namespace(self, _: c.Command) -> None:
        self._send_line('* NAMESPACE (("" "/")) NIL NIL')
        self.ok()

    def _enable(self, _: c.Command) -> None:
        self._send_line("* ENABLED")
        self.ok()

    def _starttls(self, command: c.Command) -> None:
        if self.is_tls:
            self.bad("TLS is on already")
            return
        self.ok("Begin TLS now")
        self._framer.drop()
        self._awaits_tls = True
        self._starttls_tag = command.tag

    def _compress(self, command: c.Command) -> None:
        mechanism = command.mechanism if isinstance(command, c.Compress) else ""
        if f"COMPRESS={mechanism}" not in self.capabilities.after_login:
            self.bad("Not offered")

    _OWN_ANSWERS: ClassVar[Mapping[type[c.Command], Callable[["ImapSession", c.Command], None]]] = {
        c.Capability: _capability,
        c.Logout: _logout,
        c.Id: _id,
        c.Namespace: _namespace,
        c.Enable: _enable,
        c.StartTls: _starttls,
        c.Compress: _compress,
    }

    # small things

    def _bounds(self) -> Bounds:
        limits = self.limits
        if self.state is State.NOT_AUTHENTICATED:
            # Without TLS no command of use carries a literal; a LOGIN that wants to is told so before its password travels.
            return Bounds(limits.login_bytes, limits.login_bytes if self.is_tls else 0, 0, limits.login_bytes)
        return Bounds(limits.line_bytes, limits.literal_bytes, limits.message_bytes)

    def _capability_line(self) -> str:
        if self.state is not State.NOT_AUTHENTICATED:
            names = self.capabilities.after_login
        else:
            names = self.capabilities.before_login if self.is_tls else self.capabilities.before_tls
        return " ".join(("CAPABILITY", *names))

    def _finish(self) -> c.Command:
        if self._current is None:
            raise RuntimeError("there is no command to answer")
        command, self._current = self._current, None
        self.is_idling = False
        return command

    def _bad(self, tag: str | None, text: str) -> None:
        self._tagged(tag or "*", "BAD", text, None)
        self._count_error()

    def _count_error(self) -> None:
        self._errors += 1
        if self._errors >= self.limits.errors:
            self.shut_down("Too many errors")

    def _tagged(self, tag: str, condition: str, text: str, code: str | None) -> None:
        self._send_line(f"{tag} {condition} [{code}] {text}" if code else f"{tag} {condition} {text}")

    def _send_line(self, line: str) -> None:
        # Codes may carry what a peer once chose; a line end in them would be an answer of its own.
        self._queue(line.replace("\r", " ").replace("\n", " ").encode("utf-8"), b"\r\n")

    def _queue(self, *parts: Part) -> None:
        if not self.is_closing:
            self._output.extend(parts)
            self._output_bytes += sum(map(len, parts))

    def _end(self) -> None:
        self.is_closing = True
        self._current = None
        self.is_idling = False
        self.state = State.LOGOUT
        self._framer.stop()
