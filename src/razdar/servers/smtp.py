# SPDX-License-Identifier: AGPL-3.0-or-later
"""Submission at the socket: SMTP for people of this relay, who log in. Other relays come in at smtp_relay.py."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from razdar.model.address import parse_address
from razdar.model.verdict import ACCEPT, Refusal, Verdict
from razdar.ports.crew import CrewBusy
from razdar.ports.store import StoreFull, StoreUnavailable
from razdar.servers.memory import SMALL_BYTES
from razdar.servers.smtp_line import SmtpLine
from razdar.services.accounts import Accounts, Login
from razdar.services.submit import Submit
from razdar.wire.smtp import replies
from razdar.wire.smtp.events import ContentOffered, Event, LoginOffered, MessageReceived, SenderOffered, TlsRequested
from razdar.wire.smtp.session import Role, SmtpLimits


@dataclass(frozen=True, slots=True)
class SmtpDesk:
    """What every SMTP connection needs."""

    accounts: Accounts
    submit: Submit
    hostname: str
    limits: SmtpLimits
    memory_wait_s: float = 15.0
    """Together with the wait for the rate (services/submit.py) below the 60 s of the client: waiting costs it none of its tries."""


class SmtpConnection(SmtpLine):
    """One client of a person."""

    def __init__(self, desk: SmtpDesk, *shared: Any) -> None:
        super().__init__(desk.hostname, desk.limits, Role.SUBMISSION, *shared)
        self._desk = desk
        self._login: Login | None = None
        self._is_within_rate = False
        self._unwatch: Callable[[], None] | None = None

    @property
    def account(self) -> bytes | None:
        return self._login.account if self._login is not None else None

    def next_step(self) -> Coroutine[Any, Any, None] | None:
        """Events that need no waiting are answered here; the first that does comes back as work."""
        while (event := self.engine.next_event()) is not None:
            if isinstance(event, (LoginOffered, MessageReceived, TlsRequested)) or self._must_wait(event):
                return self._wait_for(event)
            self.engine.answer(self._decide(event))
        return None

    # decisions that need no waiting

    def _must_wait(self, event: Event) -> bool:
        """Whether content is offered faster than this login may send, or there is no memory for it; if not, the message is counted now."""
        if not isinstance(event, ContentOffered) or self._login is None:
            return False
        self._is_within_rate = self._desk.submit.may_send(self._login)
        return not (self._is_within_rate and self.reserve_now(SMALL_BYTES))

    def _decide(self, event: Event) -> Verdict:
        if isinstance(event, SenderOffered) and self._login is not None:
            return self._desk.submit.check_sender(self._login, event.address)
        return ACCEPT  # one bad recipient must not silence a group: services/deliver.py reports it

    # decisions that wait for the store or for Argon2

    async def _wait_for(self, event: Event) -> None:
        if isinstance(event, TlsRequested):
            await self.start_tls()
        elif isinstance(event, LoginOffered):
            self.engine.answer(await self._log_in(event))
        elif isinstance(event, ContentOffered) and self._login is not None:
            self.engine.answer(await self._admit_content(self._login))
        elif isinstance(event, MessageReceived):
            self.engine.answer(await self._submit(event))

    async def _admit_content(self, login: Login) -> Verdict:
        verdict = ACCEPT if self._is_within_rate else await self._desk.submit.wait_for_rate(login)
        if not isinstance(verdict, Refusal) and not await self.reserve(SMALL_BYTES, self._desk.memory_wait_s):
            return replies.OVERLOADED
        return verdict

    async def _log_in(self, event: LoginOffered) -> Verdict:
        if self._desk.submit.is_full:
            self._journal.count("login.refused.full")
            return replies.FULL_FOR_NOW
        try:
            answer = await self._desk.accounts.log_in(parse_address(event.user), event.password, self.origin)
        except CrewBusy:
            return replies.BUSY
        except StoreUnavailable:
            return replies.STORE_UNAVAILABLE
        if isinstance(answer, Refusal):
            if answer != replies.BLOCKED:  # a right password is nobody's attack
                self._journal.count("login.refused")
            return answer
        self._login = answer
        self._unwatch = self._desk.accounts.when_closed(answer, self.account_closed)
        return ACCEPT

    def account_closed(self) -> None:
        self.engine.shut_down()
        self.pump()

    def closed(self) -> None:
        super().closed()
        if self._unwatch is not None:
            self._unwatch()

    async def _submit(self, event: MessageReceived) -> Verdict:
        if self._login is None:
            return replies.AUTH_REQUIRED
        try:
            verdict = await self._desk.submit(self._login, event.envelope, event.content)
        except StoreFull:
            return replies.STORE_FULL
        except (StoreUnavailable, CrewBusy):
            return replies.STORE_UNAVAILABLE
        if isinstance(verdict, Refusal):
            self._journal.count(f"message.refused.{verdict.code}")
        else:
            self._journal.count("message.accepted")
        return verdict
