"""Submission: somebody who is logged in hands us a message (RFC 6409). Policies decide, in the order of what they cost."""

from collections.abc import Callable

from razdar.model.address import Address
from razdar.model.message import Envelope
from razdar.model.verdict import ACCEPT, Accept, Refusal, Verdict
from razdar.policy.encryption import require_encryption
from razdar.policy.rate import RateBook
from razdar.policy.sender import check_from, check_sender
from razdar.ports.clock import Clock
from razdar.services.accounts import Login
from razdar.services.deliver import Deliver, Sender
from razdar.settings import Settings
from razdar.wire.hygiene import for_mailbox, for_submission
from razdar.wire.smtp import replies


class Submit:
    """From a logged-in client to the mailboxes of this relay; other relays come later."""

    def __init__(self, deliver: Deliver, rates: RateBook, clock: Clock, settings: Callable[[], Settings]) -> None:
        self._deliver = deliver
        self._rates = rates
        self._clock = clock
        self._settings = settings

    def check_sender(self, login: Login, sender: Address | None) -> Verdict:
        """At MAIL FROM: nobody sends under another name."""
        return check_sender(login.address, sender)

    def check_rate(self, login: Login) -> Verdict:
        """Before the content is read, so that a flood costs its sender more than us."""
        return ACCEPT if self._rates.take(login.account, self._clock.monotonic()) else replies.RATE_EXCEEDED

    def check_content(self, login: Login, content: bytes) -> Verdict:
        """What the content must be, whether it is submitted or appended."""
        verdict = check_from(content, login.address)
        return verdict if isinstance(verdict, Refusal) else require_encryption(content)

    async def __call__(self, login: Login, envelope: Envelope, content: bytes) -> Verdict:
        """Accept: the message is on stable storage. Raises `StoreUnavailable`, `CrewBusy`."""
        verdict = self.check_content(login, content)
        if isinstance(verdict, Refusal):
            return verdict
        message = for_mailbox(for_submission(content))
        sender = Sender(login.address, login.account, login.public_key)
        return await self._deliver(sender, envelope.recipients, message) or Accept()
