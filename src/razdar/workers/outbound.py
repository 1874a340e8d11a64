# SPDX-License-Identifier: AGPL-3.0-or-later
"""The queue's worker: whatever is to be done now for another relay (schedule.py) is done, in one task for each.

A relay that nothing waits for costs a record in RAM and no task. One that cannot be reached costs an entry in a list of times. The store is
the only truth: after a restart folders and their numbers of messages are read, and everything else follows from what happens next.

Messages whose time is over become reports; whoever waits for a day is told once. Both are looked for beside the sending, never at the same
moment for the same relay, so that nothing is reported that is just being sent.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from razdar.model.ids import MailboxId
from razdar.policy.queue_room import QueueRoom
from razdar.policy.quota import unit_bytes
from razdar.policy.retry import RESTED, Pace
from razdar.ports.bus import Added, Bus, Change
from razdar.ports.clock import Clock
from razdar.ports.courier import Courier, Line, Reason, Unreachable
from razdar.ports.crew import CrewBusy
from razdar.ports.store import Store, StoreUnavailable
from razdar.servers.journal import Journal
from razdar.services.calendar import Calendar
from razdar.services.outbound import queued_day
from razdar.services.queue_folders import PeerFolder, QueueFolders
from razdar.services.settlement import Settlement
from razdar.settings import Settings
from razdar.workers.peer import Lines, Peer
from razdar.workers.peer_review import REVIEW_S, review
from razdar.workers.peer_run import LINGER_S, PeerRun, Tools
from razdar.workers.peer_state import PeerState, states_of
from razdar.workers.schedule import Schedule
from razdar.workers.sending_memory import Memory

OWN_TROUBLE_S = 30.0
"""After a failure of ours, such as a full disk, a relay is left alone so long."""
CAME_BACK_S = 60.0
"""When one relay is back that was lost for long, the others that were are tried within this."""
LOST_FAILURES = 5
UNEVENTFUL_S = 1.0


class NoCourier:
    """A `Courier` that reaches nobody: what waits goes back to its senders when its time is over."""

    async def open(self, domain: str) -> Line:
        raise Unreachable(Reason.NO_ROUTE)


class Outgoing:
    """Owns all sending to other relays."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        courier: Courier,
        folders: QueueFolders,
        settlement: Settlement,
        room: QueueRoom,
        clock: Clock,
        calendar: Calendar,
        settings: Callable[[], Settings],
        chance: Callable[[], float],
        journal: Journal,
        linger_s: float = LINGER_S,
    ) -> None:
        self._store = store
        self._bus = bus
        self._folders = folders
        self._room = room
        self._clock = clock
        self._calendar = calendar
        self._settings = settings
        self._journal = journal
        self._lines = Lines(settings().queue_lines)
        memory = Memory(settings().memory_bytes // 2)
        note = journal.count
        self._tools = Tools(store, courier, folders, settlement, clock, chance, note, self._lines, memory, self._came_back, linger_s)
        self._peers: dict[MailboxId, Peer] = {}
        self._runs: dict[MailboxId, PeerRun] = {}
        self._times = Schedule(self._lines)
        self._heard: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()
        self._day = calendar.day
        self._reviewing = asyncio.Semaphore(2)

    async def open(self) -> None:
        """What waits is known, and what comes from now on is heard. Call it before anything can come. Raises `StoreUnavailable`."""
        self._folders.on_new, self._folders.on_gone = self._add, self._remove
        await self._folders.open()
        owner = self._folders.owner.account
        used = (await self._store.recipients([owner]))[owner].used
        self._room.add(None, 0, used * unit_bytes(self._settings().quota_bytes))
        for peer in self._peers.values():
            if peer.folder.waiting:
                await self._look_at_first(peer)

    async def _look_at_first(self, peer: Peer) -> None:
        uids = await self._store.uids(peer.folder.mailbox)
        for entry in await self._store.entries(peer.folder.mailbox, uids[:1]):
            peer.oldest_day = queued_day(entry.expires)
        if peer.oldest_day < self._calendar.day:  # it was not reached before the restart either, so let others go first
            peer.pace = Pace(failures=1)

    def _add(self, folder: PeerFolder) -> None:
        peer = Peer(folder, self._calendar.day)
        self._peers[folder.mailbox] = peer
        self._room.came(folder.waiting)
        peer.stop = self._bus.subscribe(folder.mailbox, partial(self._arrived, peer))
        self._schedule(peer)

    def _remove(self, folder: PeerFolder) -> None:
        self._peers.pop(folder.mailbox).stop()

    def _arrived(self, peer: Peer, _: MailboxId, change: Change) -> None:
        if not isinstance(change, Added):
            return
        if not peer.folder.waiting:
            peer.oldest_day = self._calendar.day
            peer.review_s = self._clock.monotonic() + REVIEW_S
        if peer.folder.waiting <= len(peer.deferred):  # nothing but what was turned away was in the way of this one
            peer.pace = peer.pace.sign(self._clock.monotonic())
        peer.folder.waiting += len(change.entries)
        self._room.came(len(change.entries))
        run = self._runs.get(peer.folder.mailbox)
        if run is None:
            self._schedule(peer)
        else:
            for entry in change.entries:
                run.tell(entry.uid)

    # from outside

    def heard_from(self, domain: str) -> None:
        """That relay has just proven that it is alive, by a message of its own."""
        self._heard.add(domain)
        folder = self._folders.find(domain)
        peer = self._peers.get(folder.mailbox) if folder is not None else None
        if peer is not None:
            self._sign(peer, 0.0)
        self._news.set()

    @property
    def pending(self) -> int:
        """Messages that wait."""
        return self._room.messages

    def states(self) -> list[PeerState]:
        """Relays that something waits for, the one that waits longest first."""
        return states_of(self._peers.values(), self._calendar.day, self._clock.monotonic())

    # when

    def _schedule(self, peer: Peer) -> None:
        if self._times.put(peer):
            self._news.set()

    def _sign(self, peer: Peer, delay_s: float) -> None:
        """It may be back: everything of it is tried soon."""
        peer.sign(self._clock.monotonic() + delay_s)
        self._schedule(peer)

    def _came_back(self, peer: Peer) -> None:
        """One that was lost for long is back, so the cut may be over for the others too."""
        self._journal.count("queue.came-back")
        for other in self._peers.values():
            if other is not peer and other.pace.failures >= LOST_FAILURES and other.folder.waiting:
                self._sign(other, self._tools.chance() * CAME_BACK_S)

    async def run(self) -> None:
        """Until cancelled; then every line is closed."""
        try:
            while True:
                await self._wait()
                try:
                    await self.round()
                except Exception as error:
                    self._journal.bug(error)
                    await asyncio.sleep(UNEVENTFUL_S)
        finally:
            await self.close()

    async def close(self) -> None:
        """No task is left."""
        for task in self._tasks:
            task.cancel()
        await self.settle_down()

    async def settle_down(self) -> None:
        """What was being done has ended, or was given up."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._times.pause_s(self._clock.monotonic())):
                await self._news.wait()
        self._news.clear()

    async def round(self) -> None:
        """Whatever is due has been begun."""
        await self._remember()
        await self._pass_day()
        self._times.pass_to(self._clock.monotonic())
        for peer, is_suspect in self._times.begun():
            self._begin(peer, is_suspect=is_suspect)
        self._make_way(self._times.wanted)

    def _make_way(self, wanted: int) -> None:
        """Relays wait for a line that answered the last time: as many of those that answer least give theirs back."""
        now_s = self._clock.monotonic()
        overdue = [(late_s, run) for run in self._runs.values() if (late_s := run.overdue_s(now_s)) > 0] if wanted else []
        for _, run in sorted(overdue, key=lambda each: each[0], reverse=True)[:wanted]:
            self._journal.count("queue.gave-way")
            run.give_way()

    async def _remember(self) -> None:
        """Of the relays that were heard from, when."""
        while self._heard:
            with suppress(StoreUnavailable):  # they will be heard from again
                await self._folders.exchanged(self._heard.pop(), by_them=True)

    async def _pass_day(self) -> None:
        if self._day == self._calendar.day:
            return
        self._day = self._calendar.day
        for peer in self._peers.values():
            peer.review_s = self._clock.monotonic()
            self._schedule(peer)
        with suppress(StoreUnavailable):
            await self._folders.tidy()

    # what

    def _begin(self, peer: Peer, *, is_suspect: bool) -> None:
        task = asyncio.get_running_loop().create_task(self._work(peer))
        self._tasks.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            self._lines.give(is_suspect=is_suspect)
            peer.is_working = False
            self._runs.pop(peer.folder.mailbox, None)
            self._schedule(peer)
            self._news.set()

        task.add_done_callback(ended)

    async def _work(self, peer: Peer) -> None:
        """One look and one run; a failure of ours is not the other relay's."""
        try:
            await self._review(peer)
            if peer.folder.waiting and peer.send_s() <= self._clock.monotonic():
                run = self._runs[peer.folder.mailbox] = PeerRun(self._tools, peer)
                await run.run()
                if peer.is_gone:
                    peer.expired_day, peer.review_s = 0, self._clock.monotonic()
                    await self._review(peer)
                    if not peer.folder.waiting:
                        peer.pace = RESTED
        except* (StoreUnavailable, CrewBusy):
            self._leave_alone(peer)
        except* Exception as group:
            for error in group.exceptions:
                self._journal.bug(error)
            self._leave_alone(peer)

    async def _review(self, peer: Peer) -> None:
        if peer.folder.waiting and peer.review_s <= self._clock.monotonic():
            async with self._reviewing:
                await review(self._tools, peer, self._calendar.day, self._settings())

    def _leave_alone(self, peer: Peer) -> None:
        peer.leave_alone(self._clock.monotonic() + OWN_TROUBLE_S)
