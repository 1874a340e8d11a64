# SPDX-License-Identifier: AGPL-3.0-or-later
"""The state of one SMTP dialogue and the few moves that change it.

The verbs (verbs.py) and the answers (answers.py) act on it; only session.py feeds it. It promises that a refusal is always one
reply, that the numbers of errors and failed logins are bounded, and that nothing leaves the CLOSED state.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, auto

from razdar.model.address import Address
from razdar.model.message import Envelope
from razdar.model.verdict import Refusal
from razdar.wire.smtp import replies
from razdar.wire.smtp.content import DISCARD_BYTES, ContentReader
from razdar.wire.smtp.events import Event
from razdar.wire.smtp.sasl import Mechanism
from razdar.wire.smtp.states import NOT_COUNTED, State

_MESSAGE_REFUSALS = (replies.TOO_BIG, replies.TOO_MANY_RECIPIENTS)


class Role(Enum):
    """Who we are for the client."""

    SUBMISSION = auto()
    """For people: TLS first, then AUTH, then MAIL (RFC 6409, RFC 8314)."""
    RELAY = auto()
    """For other relays, port 25: TLS first, no AUTH, anyone may MAIL."""


@dataclass(frozen=True, slots=True)
class SmtpLimits:
    """Bounds of one connection."""

    line_bytes: int = 4096
    """Longest command with its CRLF; RFC 5321 section 4.5.3.1.4 asks for 512, SASL for more."""
    message_bytes: int = 31_457_280
    """Announced as SIZE."""
    recipients: int = 1000
    """Per message, announced as LIMITS RCPTMAX (RFC 9422)."""
    login_failures: int = 10
    """The connection is closed with the last of them."""
    errors: int = 20
    """Commands that no honest client sends; the connection is closed with the last of them."""
    discard_bytes: int = DISCARD_BYTES
    """What is read of a message above the limit, so that its sender hears why; then the connection is closed."""
    commands_before_login: int = 50
    """Of any kind, on submission; the apps need five."""
    idle_commands: int = 200
    """Commands that bring no message nearer, since the last message."""


@dataclass(slots=True)
class Dialogue:
    """Everything that is known of one connection."""

    role: Role
    hostname: str
    limits: SmtpLimits
    is_tls: bool
    state: State = State.START
    login: str | None = None
    mechanism: Mechanism | None = None
    sender: Address | None = None
    recipients: list[Address] = field(default_factory=list)
    content: ContentReader | None = None
    event: Event | None = None
    is_handed_out: bool = False
    farewell: Refusal | None = None
    errors: int = 0
    login_failures: int = 0
    commands: int = 0
    idle_commands: int = 0
    output: bytearray = field(default_factory=bytearray)
    refused: Counter[int] = field(default_factory=Counter)
    """Messages that were refused without asking anybody, by code."""
    last_word: replies.Reply | Refusal | None = None
    """With what it was closed."""

    @property
    def home(self) -> State:
        """The state after EHLO, between transactions."""
        if self.role is Role.RELAY:
            return State.READY if self.is_tls else State.OPEN
        if not self.is_tls:
            return State.CLEAR
        return State.LOCKED if self.login is None else State.READY

    @property
    def envelope(self) -> Envelope:
        """Of the transaction so far."""
        return Envelope(self.sender, tuple(self.recipients))

    def say(self, reply: replies.Reply | Refusal) -> None:
        """The reply is queued."""
        self.output += replies.render(reply)
        if reply in _MESSAGE_REFUSALS:
            self.refused[reply.code] += 1

    def blame(self, refusal: Refusal) -> None:
        """The client's command was wrong: one reply, and the end after too many."""
        self.say(refusal)
        self.errors += refusal not in NOT_COUNTED
        if self.errors >= self.limits.errors:
            self.close(replies.TOO_MANY_ERRORS)

    def count_command(self, *, is_idle: bool) -> bool:
        """Whether one more command may be obeyed; if not, the dialogue is over. NOOP, RSET and alike cost us more than the peer."""
        self.commands += 1
        self.idle_commands += is_idle
        is_stranger = self.role is Role.SUBMISSION and self.login is None
        if self.idle_commands > self.limits.idle_commands or (is_stranger and self.commands > self.limits.commands_before_login):
            self.close(replies.TOO_MANY_COMMANDS)
        return self.state is not State.CLOSED

    def refuse_login(self, refusal: Refusal) -> None:
        """Nobody is logged in; a permanent refusal counts as a failure, a busy relay's does not."""
        self.say(refusal)
        self.login_failures += not refusal.is_temporary
        if self.login_failures >= self.limits.login_failures:
            self.close(replies.TOO_MANY_LOGINS)

    def offer(self, event: Event) -> None:
        """No command is read until the event is answered."""
        self.event = event
        self.is_handed_out = False

    def reset(self) -> None:
        """There is no transaction (RFC 5321 section 4.1.1.5)."""
        self.sender = None
        self.recipients = []
        self.content = None
        self.state = self.home

    def close(self, last_word: replies.Reply | Refusal) -> None:
        """The last word is queued and nothing else is read or said."""
        self.reset()
        self.say(last_word)
        self.last_word = last_word
        self.mechanism = None
        self.state = State.CLOSED
