# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mail from other relays: from a message and whoever brings it to the mailboxes of this relay.

What it must be is decided first (policy/incoming.py), then whether it is from where it says (services/provenance.py), and only then who
gets it. So a liar learns nothing about our people from a message, and costs one look-up at most. Nothing is ever passed on: recipients
elsewhere are refused, and the only thing that leaves is a delivery report, to the proven author who is also the envelope sender, about a
message that is no report itself. So nobody can make this relay write to somebody who did not write to it (backscatter); and as a signed
message can be brought by anybody who has it, with other recipients, one author hears of failures a few times an hour at most.

Where registration is open, unknown names are refused at RCPT, one by one. Where it is not, they are found out after the proof, so that
strangers cannot try names.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol

from razdar.model.address import Address
from razdar.model.arrival import Arrival
from razdar.model.ids import AccountId, MailboxId
from razdar.model.message import Envelope
from razdar.model.verdict import ACCEPT, Refusal, Verdict
from razdar.policy.alignment import Signed
from razdar.policy.incoming import Letter, read_letter
from razdar.ports.crew import Crew, CrewBusy
from razdar.ports.store import StoreUnavailable
from razdar.services.arrived import Arrived
from razdar.services.audience import Audience, Failure, Gatherer, Origin, why_nobody
from razdar.services.off_loop import off_loop
from razdar.services.parcels import Parcel, Parcels
from razdar.services.peer_budgets import PeerBudgets
from razdar.services.reporter import Reporter
from razdar.settings import Settings
from razdar.wire.hygiene import for_mailbox
from razdar.wire.smtp import replies

Prove = Callable[[Arrival, str, bytes], Awaitable[Verdict]]
"""Is the message from this domain (services/provenance.py)?"""


class Postbox(Protocol):
    """Where delivery reports to people of other relays go (services/outbound.py)."""

    async def pack_report(self, recipient: Address, report: bytes) -> Sequence[Parcel]:
        """What has to be committed so that it is sent, with the null sender. Raises `StoreUnavailable`, `CrewBusy`."""

    def committed(self, sender: None, parcels: Sequence[Parcel]) -> None:
        """What was packed is on stable storage."""


class Receive:
    """The way in."""

    def __init__(
        self,
        prove: Prove,
        budgets: PeerBudgets,
        arrived: Arrived,
        gatherer: Gatherer,
        parcels: Parcels,
        postbox: Postbox,
        crew: Crew,
        reporter: Reporter,
        settings: Callable[[], Settings],
        domain: str,
        heard_from: Callable[[str], None],
        wake: Callable[[Sequence[AccountId]], None],
    ) -> None:
        """`heard_from` is told each domain that has just proven that it is alive."""
        self._prove = prove
        self._budgets = budgets
        self._arrived = arrived
        self._gatherer = gatherer
        self._parcels = parcels
        self._postbox = postbox
        self._crew = crew
        self._reporter = reporter
        self._settings = settings
        self._domain = domain
        self._heard_from = heard_from
        self._wake = wake

    def may_offer(self, arrival: Arrival) -> Verdict:
        """At MAIL: whether a message may come from that network now; if so it is counted."""
        return self._budgets.may_offer(arrival)

    async def check_recipient(self, arrival: Arrival, recipient: Address) -> Verdict:
        """At RCPT. Accept is no promise. Raises `StoreUnavailable`."""
        if recipient.domain != self._domain:
            return replies.NOT_LOCAL
        if self._settings().registration != "open":
            return ACCEPT
        origin, audience = self._budgets.stranger(arrival), Audience()
        try:
            await self._gatherer.gather(origin, [recipient], 0, audience)
        finally:
            self._gatherer.release(origin, audience, 0)
        if audience.shortage is not None:
            return audience.shortage
        return _for_peers(audience.failures[0][1]) if audience.failures else ACCEPT

    async def __call__(self, arrival: Arrival, envelope: Envelope, content: bytes) -> Verdict:
        """Accept: on stable storage for everybody who can receive it. Raises `StoreUnavailable`, `CrewBusy`."""
        self._budgets.came(arrival, len(content))
        letter = await off_loop(self._crew, lambda: self._read(content), len(content))
        if isinstance(letter, Refusal):
            return letter
        proof = await self._prove(arrival, letter.author.domain, content)
        if isinstance(proof, Refusal):
            self._budgets.proved_nothing(arrival)
            return proof
        self._heard_from(letter.author.domain)
        mark = proof.mark if isinstance(proof, Signed) else b""
        is_again = bool(mark) and self._arrived.is_again(self._arrived.digest(b"", mark))
        allowance = ACCEPT if is_again else self._budgets.may_bring(letter.author.domain, len(content))
        if isinstance(allowance, Refusal):
            return allowance
        if mark:
            self._arrived.take_in(self._arrived.digest(b"", mark))
        message = await off_loop(self._crew, lambda: for_mailbox(content, **self._settings().header_bounds), len(content))
        origin = self._budgets.origin(letter.author, arrival, is_again=is_again)
        return await self._deliver(letter, envelope, origin, message, mark)

    async def _deliver(self, letter: Letter, envelope: Envelope, origin: Origin, message: bytes, mark: bytes) -> Verdict:
        audience = Audience()
        addresses = list(dict.fromkeys(envelope.recipients))
        audience.failures += [(address, replies.NOT_LOCAL) for address in addresses if address.domain != self._domain]
        local = [address for address in addresses if address.domain == self._domain]
        try:
            await self._gatherer.gather(origin, local, len(message), audience)
            if audience.shortage is not None:
                return audience.shortage
            if not audience.members:
                return why_nobody([_for_peers(refusal) for _, refusal in audience.failures])
            return await self._hand_over(letter, envelope, origin, audience, message, mark)
        finally:
            self._gatherer.release(origin, audience, len(message))

    async def _hand_over(
        self, letter: Letter, envelope: Envelope, origin: Origin, audience: Audience, message: bytes, mark: bytes
    ) -> Verdict:
        digest = await off_loop(self._crew, lambda: self._arrived.digest(message, mark), len(message))
        members = [each for each in audience.members if not self._arrived.has(digest, each[1])]
        if not members:  # the line broke before our answer was heard
            return ACCEPT
        parcels = [
            await self._parcels.seal([(address, MailboxId(account), known.public_key) for address, account, known in members], message)
        ]
        reports = await self._report(letter, envelope, audience.failures, message)
        missed = await self._parcels.commit([*parcels, *reports])
        self._postbox.committed(None, reports)
        reached = [account for address, account, _ in members if address not in missed]
        for account in reached:
            self._gatherer.arrived(origin, account, len(message))
            self._arrived.note(digest, account)
        self._wake(reached)
        gone = [(address, replies.NO_SUCH_USER) for address in missed]
        if len(gone) == len(audience.members):
            return why_nobody([_for_peers(refusal) for _, refusal in [*audience.failures, *gone]])
        if gone:  # deleted between the look-up and the commit; the message is accepted, with or without a word on that
            with suppress(StoreUnavailable, CrewBusy):
                reports = await self._report(letter, envelope, gone, message)
                await self._parcels.commit(reports)
                self._postbox.committed(None, reports)
        return ACCEPT

    async def _report(self, letter: Letter, envelope: Envelope, failures: Sequence[Failure], message: bytes) -> Sequence[Parcel]:
        """One report on everybody who was missed, to somebody who certainly sent the message and wants to hear of it; or none."""
        if not failures or letter.is_report or envelope.sender != letter.author or not self._budgets.may_be_told(letter.author):
            return ()
        return await self._postbox.pack_report(letter.author, self._reporter(letter.author, failures, message))

    def _read(self, content: bytes) -> Letter | Refusal:
        return read_letter(content, self._domain, **self._settings().header_bounds)


def _for_peers(refusal: Refusal) -> Refusal:
    """A full mailbox may have room tomorrow, and another relay has a queue to wait in; a person's app has not."""
    return replies.MAILBOX_FULL_NOW if refusal is replies.MAILBOX_FULL else refusal
