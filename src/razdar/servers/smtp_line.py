# SPDX-License-Identifier: AGPL-3.0-or-later
"""What both SMTP doors share: the engine on a connection, and what it counts for in memory."""

from typing import Any

from razdar.servers.connection import Connection
from razdar.servers.memory import SMALL_BYTES
from razdar.wire.smtp.session import Role, SmtpLimits, SmtpSession


class SmtpLine(Connection):
    """One connection that speaks SMTP. Subclasses answer its events."""

    engine: SmtpSession

    def __init__(self, hostname: str, limits: SmtpLimits, role: Role, *shared: Any) -> None:
        super().__init__(*shared)
        self._hostname = hostname
        self._smtp_limits = limits
        self._role = role

    def make_engine(self, is_tls: bool) -> SmtpSession:
        return SmtpSession(role=self._role, hostname=self._hostname, limits=self._smtp_limits, is_tls=is_tls)

    @property
    def held_bytes(self) -> int:
        """A message on its way counts as a small one from the start, so that one that was let in can end."""
        return max(self.engine.held_bytes, SMALL_BYTES if self.engine.is_receiving_content else 0)

    def take_output(self) -> bytes:
        return self.engine.take_output()

    def fail(self) -> None:
        self.engine.fail()

    def end(self, is_timeout: bool) -> None:
        if is_timeout:
            self.engine.time_out()
        else:
            self.engine.shut_down()

    def closed(self) -> None:
        if self.engine.was_smuggled:
            self._journal.count("smuggling.refused")
        if self.engine.was_abused:
            self._journal.count("protocol.refused")
        for code, messages in self.engine.refused.items():
            self._journal.count(f"{'message' if self._role is Role.SUBMISSION else 'incoming'}.refused.{code}", messages)
