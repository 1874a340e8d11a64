# SPDX-License-Identifier: AGPL-3.0-or-later
"""What one IMAP connection may make us keep or do, and what it is told we can do."""

from dataclasses import dataclass, field

from .framing import Bounds
from .grammar import GrammarLimits


@dataclass(frozen=True, slots=True)
class ImapLimits:
    """Sizes in bytes."""

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
    """Commands that were nonsense after which the connection ends; each that is carried out makes up for one."""
    commands_before_login: int = 50
    """Of any kind, after which a stranger's connection ends; the apps need three."""
    grammar: GrammarLimits = field(default_factory=GrammarLimits)
    """How much one command may ask for."""

    def bounds(self, *, is_logged_in: bool, is_tls: bool) -> Bounds:
        """For the next command. Without TLS no literal at all: a LOGIN with one is refused before its password travels."""
        if is_logged_in:
            return Bounds(self.line_bytes, self.literal_bytes, self.message_bytes)
        return Bounds(self.login_bytes, self.login_bytes if is_tls else 0, 0, self.login_bytes)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The names announced in each situation."""

    before_tls: tuple[str, ...] = ("IMAP4rev1", "LITERAL-", "ID", "STARTTLS", "LOGINDISABLED")
    before_login: tuple[str, ...] = ("IMAP4rev1", "LITERAL-", "SASL-IR", "ID", "AUTH=PLAIN")
    after_login: tuple[str, ...] = ("IMAP4rev1", "LITERAL-", "ID", "ENABLE", "NAMESPACE", "IDLE", "MOVE", "UIDPLUS", "UNSELECT")

    def now(self, *, is_logged_in: bool, is_tls: bool) -> str:
        """`CAPABILITY …`, for the untagged line and for the code."""
        names = self.after_login if is_logged_in else self.before_login if is_tls else self.before_tls
        return " ".join(("CAPABILITY", *names))
