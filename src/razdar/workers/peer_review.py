# SPDX-License-Identifier: AGPL-3.0-or-later
"""Looks through what waits for one other relay: what has waited for too long becomes a report, and who waits for a day is told once.

It is done at most once an hour, and for the first once in a relay day. Entries are in the order of their days but for rests of messages
that a part has arrived of, so the first look reads all days (that opens no seal) and the second stops at what is younger than a day.
"""

from collections.abc import Mapping

from razdar.model.verdict import Refusal
from razdar.policy.retry import DELAY_TOLD_S, is_over, keep_days
from razdar.ports.courier import Reason
from razdar.services.outbound import queued_day
from razdar.services.settlement import Waiting
from razdar.settings import Settings
from razdar.wire.smtp import replies
from razdar.workers.peer import Peer
from razdar.workers.peer_run import Tools

REVIEW_S = 3_600.0
LOOKED_AT_ONCE = 512
OPENED_AT_ONCE = 64
WHY: Mapping[Reason, Refusal] = {
    Reason.NO_SUCH_DOMAIN: replies.NO_SUCH_DOMAIN,
    Reason.NO_MAIL_HERE: replies.DOMAIN_TAKES_NO_MAIL,
    Reason.OURSELVES: replies.DOMAIN_IS_OURS,
}


async def review(tools: Tools, peer: Peer, today: int, settings: Settings) -> None:
    """Nobody waits for too long without knowing. Raises `StoreUnavailable`, `CrewBusy`."""
    peer.review_s = tools.clock.monotonic() + REVIEW_S
    if peer.expired_day < today:
        await _return_old(tools, peer, today, settings)
        peer.expired_day = today
    if peer.folder.waiting:
        await _tell_delays(tools, peer)


async def _return_old(tools: Tools, peer: Peer, today: int, settings: Settings) -> None:
    """What is over is back with its senders."""
    days = keep_days(is_known=tools.folders.is_known(peer.folder), is_gone=peer.is_gone, settings=settings)
    why = WHY.get(peer.reason, replies.NOT_IN_TIME) if peer.reason is not None else replies.NOT_IN_TIME
    peer.oldest_day = today
    mailbox = peer.folder.mailbox
    uids = await tools.store.uids(mailbox)
    for start in range(0, len(uids), LOOKED_AT_ONCE):
        entries = await tools.store.entries(mailbox, uids[start : start + LOOKED_AT_ONCE])
        over = [entry.uid for entry in entries if is_over(queued_day(entry.expires), today, days)]
        peer.oldest_day = min([peer.oldest_day, *(queued_day(entry.expires) for entry in entries if entry.uid not in set(over))])
        for first in range(0, len(over), OPENED_AT_ONCE):
            for waiting in await tools.settlement.opened(peer.folder, over[first : first + OPENED_AT_ONCE]):
                await _return(tools, peer, waiting, why)


async def _return(tools: Tools, peer: Peer, waiting: Waiting, why: Refusal) -> None:
    queued = await tools.settlement.content(peer.folder, waiting)
    if queued is not None:
        failed = [(address, why) for address in queued.to(peer.folder.domain)]
        await tools.settlement.settle(peer.folder, waiting, queued, failed, ())
        tools.note("queue.returned")
    peer.forget(waiting.uid)


async def _tell_delays(tools: Tools, peer: Peer) -> None:
    """Whoever waits for a day knows it."""
    mailbox = peer.folder.mailbox
    uids = [uid for uid in await tools.store.uids(mailbox) if uid > peer.told_until]
    for start in range(0, len(uids), OPENED_AT_ONCE):
        for waiting in await tools.settlement.opened(peer.folder, uids[start : start + OPENED_AT_ONCE]):
            if tools.clock.now() - waiting.secret.internal_date < DELAY_TOLD_S:
                return
            if not waiting.is_told:
                queued = await tools.settlement.content(peer.folder, waiting)
                if queued is not None:
                    await tools.settlement.tell_delay(peer.folder, waiting, queued, replies.STILL_TRYING)
            peer.told_until = waiting.uid
