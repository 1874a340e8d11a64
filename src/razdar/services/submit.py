# SPDX-License-Identifier: AGPL-3.0-or-later
"""Submission: somebody who is logged in hands us a message (RFC 6409). Policies decide, in the order of what they cost."""

import asyncio
from collections.abc import Awaitable, Callable

from razdar.model.address import Address
from razdar.model.message import Envelope
from razdar.model.verdict import ACCEPT, Accept, Refusal, Verdict
from razdar.policy.encryption import require_encryption
from razdar.policy.rate import RateBook
from razdar.policy.sender import check_from, check_sender
from razdar.ports.clock import Clock
from razdar.ports.crew import Crew
from razdar.services.accounts import Login
from razdar.services.deliver import Deliver, Sender
from razdar.services.off_loop import off_loop
from razdar.settings import Settings
from razdar.wire.hygiene import for_mailbox, for_submission
from razdar.wire.smtp import replies


class Submit:
    """From a logged-in client to the mailboxes of this relay, and into the queue for others."""

    def __init__(
        self,
        deliver: Deliver,
        rates: RateBook,
        crew: Crew,
        clock: Clock,
        settings: Callable[[], Settings],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._deliver = deliver
        self._crew = crew
        self._rates = rates
        self._clock = clock
        self._settings = settings
        self._pause = pause

    @property
    def is_full(self) -> bool:
        """Nothing can be taken at this moment. Better said before the login than after the content: a client that cannot log in waits and
        tries again for ever, while each refused message costs one of its six tries (docs/interop.md, fact 7)."""
        return self._deliver.is_full

    def check_sender(self, login: Login, sender: Address | None) -> Verdict:
        """At MAIL FROM: nobody sends under another name."""
        return check_sender(login.address, sender)

    def may_send(self, login: Login) -> bool:
        """Whether the rate allows one message more at this moment; if so it is counted."""
        return self._rates.take(login.account, self._clock.monotonic())

    async def wait_for_rate(self, login: Login) -> Verdict:
        """Before the content is read: whoever sends too fast is slowed down, and refused only if that takes too long.

        A refusal costs the client one of its six tries, and it tries again with every new message, so six quick messages would make it give
        up the first (docs/interop.md); waiting costs it nothing below its 60 s of patience.
        """
        waited_s = 0.0
        pause_s = max(0.05, 60.0 / self._settings().send_per_minute)
        while not self.may_send(login):
            if waited_s + pause_s > self._settings().rate_wait_seconds:
                return replies.RATE_EXCEEDED
            await self._pause(pause_s)
            waited_s += pause_s
        return ACCEPT

    def check_content(self, login: Login, content: bytes) -> Awaitable[Verdict]:
        """What the content must be, whether it is submitted or appended. Large ones are looked at off the event loop. Raises `CrewBusy`."""
        return off_loop(self._crew, lambda: self._check(login, content), len(content))

    def _check(self, login: Login, content: bytes) -> Verdict:
        bounds = self._settings().header_bounds
        verdict = check_from(content, login.address, **bounds)
        if isinstance(verdict, Refusal):
            return verdict
        return require_encryption(content, **bounds)

    async def __call__(self, login: Login, envelope: Envelope, content: bytes) -> Verdict:
        """Accept: the message is on stable storage. Raises `StoreUnavailable`, `CrewBusy`."""
        verdict = await self.check_content(login, content)
        if isinstance(verdict, Refusal):
            return verdict
        bounds = self._settings().header_bounds
        message = for_mailbox(for_submission(content, **bounds), **bounds)
        sender = Sender(login.address, login.account, login.public_key)
        return await self._deliver(sender, envelope.recipients, message) or Accept()
