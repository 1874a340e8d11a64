# SPDX-License-Identifier: AGPL-3.0-or-later
"""Several sessions on one mailbox do random things at the same time, and everything they hear is held against what must be true.

Besides what the strict client checks by itself: a UID stands for one message for ever (Message-ID, size, date); each session owns one flag
that nobody else touches, so whatever it hears of that flag must be what it last stored; messages go only after somebody marked or moved
them. Now and then all sessions pause: after one NOOP each must believe exactly what a fresh session sees, flags included. Meanwhile mail
arrives.

Longer than in the test suite: `python -m tests.conformance.stress --seconds 600 --seed 7 --sessions 5`
"""

import argparse
import contextlib
import random
import smtplib
import ssl
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conformance.client import Answer, Believed, Client
from tests.conformance.grammar import Response, Violation, wire_name
from tests.conformance.people import Person
from tests.lab.relay import Relay
from tests.mail.make import encrypted_message

SETTINGS = {"send_per_minute": 1_000_000, "send_burst": 100_000}
OWN_FLAGS = ("\\Seen", "\\Answered", "\\Flagged", "$Fourth", "$Fifth", "\\Draft")
STEPS_PER_ROUND = 40
MESSAGES_MAX = 60
NOBODY = 4_000_000_000
ID_FIELD = "BODY[HEADER.FIELDS (MESSAGE-ID)]"


@dataclass
class Truth:
    """What all sessions know together; `lock` guards it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    facts: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    """(mailbox, UID) → Message-ID, size, date, as far as known."""
    may_go: set[int] = field(default_factory=set)
    """UIDs in INBOX that somebody marked as deleted or moved, at any time."""
    sent: set[bytes] = field(default_factory=set)
    seed: int = 0

    def learn(self, mailbox: str, uid: int, **facts: Any) -> None:
        """Violation if something else is known."""
        with self.lock:
            known = self.facts.setdefault((mailbox, uid), {})
            for name, value in facts.items():
                if known.setdefault(name, value) != value:
                    raise Violation(f"UID {uid} in {mailbox} has {name} {value!r}, and had {known[name]!r}")

    def copied(self, source: int, mailbox: str, target: int) -> None:
        with self.lock:
            facts = dict(self.facts.get(("INBOX", source), {}))
            if source in self.may_go and mailbox == "INBOX":
                self.may_go.add(target)
        self.learn(mailbox, target, **facts)

    def may_now_go(self, uids: Iterable[int]) -> None:
        with self.lock:
            self.may_go.update(uids)

    def next_seed(self) -> int:
        with self.lock:
            self.seed += 1
            return self.seed


class Session:
    """One client that does random things. `flag` is its own."""

    def __init__(self, number: int, person: Person, truth: Truth, seed: int) -> None:
        self.number = number
        self.flag = OWN_FLAGS[number]
        self.person = person
        self.truth = truth
        self.rng = random.Random(f"{seed} {number}")
        self.mine: dict[int, bool] = {}
        """UID → whether it carries the own flag, where this session knows."""
        self.done: Counter[str] = Counter()
        self.is_storing = False
        self.client = self.connect()

    def connect(self) -> Client:
        client = self.person.client("INBOX")
        client.observe = self.hear
        return client

    @property
    def box(self) -> Believed:
        return self.client.selected

    # hearing

    def hear(self, response: Response) -> None:
        if response.kind != "FETCH" or self.client.box is None:
            return
        values = response.value
        uid = values.get("UID") or self.box.messages[(response.number or 0) - 1].uid
        if uid is None:
            return
        facts = {"size": values.get("RFC822.SIZE"), "date": values.get("INTERNALDATE"), "id": values.get(ID_FIELD)}
        if "BODY[]" in values:
            head = values["BODY[]"].partition(b"\r\n\r\n")[0]
            facts["id"] = next(line for line in head.split(b"\r\n") if line.startswith(b"Message-ID:")) + b"\r\n\r\n"
            facts["size"] = len(values["BODY[]"])
        self.truth.learn("INBOX", uid, **{name: value for name, value in facts.items() if value is not None})
        if "FLAGS" in values and not self.is_storing:
            self._hear_own_flag(uid, self.flag in values["FLAGS"])

    def _hear_own_flag(self, uid: int, is_set: bool) -> None:
        if self.mine.setdefault(uid, is_set) != is_set:
            raise Violation(f"{self.flag} of UID {uid} is {is_set}, and only this session may change it")

    # doing

    def some(self) -> list[int]:
        """Message numbers, mostly few."""
        count = len(self.box.messages)
        return sorted(self.rng.sample(range(1, count + 1), min(count, self.rng.choice((1, 1, 2, 3, 8)))))

    def some_uids(self) -> list[int]:
        """UIDs of some messages; of those that it does not know it asks for them. `NOBODY` if they are gone meanwhile."""
        numbers = self.some()
        if any(self.box.messages[number - 1].uid is None for number in numbers):
            self.client(f"FETCH {written(numbers)} UID")
        return [uid for number in numbers if (uid := self.box.messages[number - 1].uid) is not None] or [NOBODY]

    def step(self) -> None:
        name = self.rng.choices(*zip(*CHANCES.items(), strict=True))[0]
        if name in ("append", "copy_here") and len(self.box.messages) >= MESSAGES_MAX:
            name = "mark"
        if not self.box.messages and name not in ("append", "noop", "idle", "status", "reopen", "reconnect", "search"):
            name = "append"
        self.done[name] += 1
        getattr(self, f"do_{name}")()

    def do_noop(self) -> None:
        self.client(self.rng.choice(("NOOP", "CHECK")))

    def do_fetch(self) -> None:
        items = self.rng.choice(
            ("FLAGS", "(UID FLAGS)", "ALL", f"(FLAGS {ID_FIELD.replace('BODY', 'BODY.PEEK')})", "(UID BODY.PEEK[])", "FULL")
        )
        if self.rng.random() < 0.5:
            self.client(f"FETCH {written(self.some())} {items}")
        else:
            self.client(f"UID FETCH {written(self.some_uids())} {items}")

    def do_everything(self) -> None:
        self.client("FETCH 1:* (UID FLAGS)")

    def do_store(self) -> None:
        """The own flag, by number or UID, silent or not."""
        uids = self.some_uids()
        is_set = self.rng.random() < 0.6
        item = f"{'+' if is_set else '-'}FLAGS{self.rng.choice(('', '.SILENT'))} ({self.flag})"
        self.is_storing = True
        try:
            if self.rng.random() < 0.5 or uids == [NOBODY]:
                self.client(f"UID STORE {written(uids)} {item}")
            else:
                numbers = [number for number, message in enumerate(self.box.messages, 1) if message.uid in uids]
                self.client(f"STORE {written(numbers)} {item}")
        finally:
            self.is_storing = False
        self.mine.update(dict.fromkeys(uids, is_set))
        for message in self.box.messages:  # a silent change is not told to whoever made it
            if message.uid in uids and message.flags is not None:
                message.flags = (message.flags | {self.flag.lower()}) if is_set else message.flags - {self.flag.lower()}

    def do_mark(self) -> None:
        uids = self.some_uids()
        sign = self.rng.choice("++-")
        if sign == "+":
            self.truth.may_now_go(uids)
        self.client(f"UID STORE {written(uids)} {sign}FLAGS (\\Deleted)")

    def do_expunge(self) -> None:
        if self.rng.random() < 0.7:
            self.client("EXPUNGE")
        else:
            self.client(f"UID EXPUNGE {written(self.some_uids())}")

    def do_search(self) -> None:
        key = f"KEYWORD {self.flag}" if self.flag.startswith("$") else self.flag[1:].upper()
        found = set(self.client(f"UID SEARCH {key}").one("SEARCH"))
        wrong = {uid for uid in found if not self.mine.get(uid, True)}
        missing = {message.uid for message in self.box.messages if self.mine.get(message.uid or 0)} - found
        if wrong or missing:  # UID SEARCH tells of expunged messages first, so nothing can be missing
            raise Violation(f"SEARCH {key} found {wrong} and missed {missing}")

    def do_append(self) -> None:
        is_own = self.rng.random() < 0.3
        mail = encrypted_message(self.person.address, [self.person.address], self.rng.choice((1200, 1500, 20_000)), self.truth.next_seed())
        answer = self.client.append(mail, flags=f"({self.flag})" if is_own else "")
        uid = uid_of(answer)
        self.truth.learn("INBOX", uid, id=id_of(mail), size=len(mail))
        self._hear_own_flag(uid, is_own)

    def do_copy_here(self) -> None:
        self._transfer("COPY", "INBOX")

    def do_copy_there(self) -> None:
        self._transfer("COPY", "there")

    def do_move_here(self) -> None:
        self._transfer("MOVE", "INBOX")

    def do_move_there(self) -> None:
        self._transfer("MOVE", "there")

    def _transfer(self, verb: str, target: str) -> None:
        uids = self.some_uids()
        if verb == "MOVE":
            self.truth.may_now_go(uids)
        answer = self.client(f"UID {verb} {written(uids)} {target}")
        codes = [response.code for response in (*answer.untagged, answer.tagged) if response.code and response.code.name == "COPYUID"]
        for source, uid in codes[0].value[1].items() if codes else ():
            if source not in uids:
                raise Violation(f"COPYUID names UID {source}, which was not asked for")
            self.truth.copied(source, target, uid)
            if target == "INBOX" and source in self.mine:
                self._hear_own_flag(uid, self.mine[source])

    def do_idle(self) -> None:
        tag = self.client.idle()
        until = time.monotonic() + self.rng.choice((0.0, 0.005, 0.05))
        while (left := until - time.monotonic()) > 0 and self.client.has_more(left):
            self.client.next()
        self.client.done(tag)

    def do_status(self) -> None:
        self.client("STATUS INBOX (MESSAGES UNSEEN UIDNEXT)")
        self.client('LIST "" * RETURN (STATUS (MESSAGES))')

    def do_pipeline(self) -> None:
        """Without waiting: numbers are those that were true when the first was sent, and no EXPUNGE may come between."""
        commands = [f"FETCH {written(self.some())} FLAGS", "SEARCH ALL", f"FETCH {written(self.some())} (UID FLAGS)", "NOOP"]
        for tag in [self.client.begin(command) for command in commands]:
            answer = self.client.finish(tag)
            if answer.tagged.kind != "OK":
                raise Violation(f"{tag}: {answer.tagged}")

    def do_reopen(self) -> None:
        self.client(self.rng.choice(("UNSELECT", "CLOSE", "NOOP")))
        if self.rng.random() < 0.3:
            self.client("EXAMINE INBOX")
            self.client("FETCH 1:* FLAGS" if self.box.messages else "NOOP")
        self.client("SELECT INBOX")

    def do_reconnect(self) -> None:
        if self.rng.random() < 0.5:
            self.client("LOGOUT")
        self.client.close()
        self.client = self.connect()

    def do_folders(self) -> None:
        name = wire_name(f"f{self.number}/پوشه {self.rng.randrange(3)}")
        for verb in (b"CREATE ", b"SUBSCRIBE ", b"DELETE "):
            self.client(verb + name, ok=False)


CHANCES = {
    "noop": 8, "fetch": 20, "everything": 4, "store": 20, "mark": 8, "expunge": 5, "search": 8, "append": 12, "copy_here": 4,
    "copy_there": 2, "move_here": 3, "move_there": 2, "idle": 8, "status": 3, "pipeline": 5, "reopen": 2, "reconnect": 1, "folders": 1,
}  # fmt: skip


def written(numbers: Iterable[int]) -> str:
    return ",".join(map(str, numbers))


def id_of(mail: bytes) -> bytes:
    return next(line for line in mail.split(b"\r\n") if line.startswith(b"Message-ID:")) + b"\r\n\r\n"


def uid_of(answer: Answer) -> int:
    if answer.code is None or answer.code.name != "APPENDUID":
        raise Violation("APPEND without APPENDUID")
    [uid] = answer.code.value[1]
    return int(uid)


class Stress:
    """The whole run."""

    def __init__(self, relay: Relay, stack: ExitStack, sessions: int, seed: int) -> None:
        self.truth = Truth()
        self.person = Person(relay, stack)
        self.person.client()("CREATE there")
        self.sessions = [Session(number, self.person, self.truth, seed) for number in range(sessions)]
        self.barrier = threading.Barrier(sessions)
        self.fresh: dict[int, frozenset[str]] = {}
        self.ended, self.pause, self.quiet = threading.Event(), threading.Event(), threading.Event()
        self.is_over = False
        self.failures: list[BaseException] = []
        self.rounds = 0

    def run(self, seconds: float) -> Counter[str]:
        """Raises the first violation."""
        until = time.monotonic() + seconds
        threads = [threading.Thread(target=self._guarded, args=(self._session, session, until)) for session in self.sessions]
        threads.append(threading.Thread(target=self._guarded, args=(self._post,)))
        for thread in threads:
            thread.start()
        for thread in threads[:-1]:
            thread.join()
        self.ended.set()
        threads[-1].join()
        if self.failures:
            raise self.failures[0]
        self._check_sent()
        return sum((session.done for session in self.sessions), Counter())

    def _guarded(self, work: Callable[..., None], *arguments: Any) -> None:
        try:
            work(*arguments)
        except threading.BrokenBarrierError:
            return
        except BaseException as error:
            self.failures.append(error)
            self.barrier.abort()

    # sessions

    def _session(self, session: Session, until: float) -> None:
        while not self._is_over(until):
            for _ in range(STEPS_PER_ROUND):
                session.step()
            self._meet(session)

    def _is_over(self, until: float) -> bool:
        """The same answer for all."""
        if self.barrier.wait(120) == 0:
            self.is_over = time.monotonic() >= until
            self.rounds += not self.is_over
        self.barrier.wait(120)
        return self.is_over

    def _meet(self, session: Session) -> None:
        """All are quiet: what each believes is what a fresh session sees."""
        self.barrier.wait(120)
        if session.number == 0:
            self.pause.set()
            self.quiet.wait(30)
        self.barrier.wait(120)
        session.client("NOOP")
        if session.number == 0:
            self.fresh = self._look()
        self.barrier.wait(120)
        self._compare(session)
        self.barrier.wait(120)
        if session.number == 0:
            self.quiet.clear()
            self.pause.clear()

    def _look(self) -> dict[int, frozenset[str]]:
        with contextlib.closing(self.person.client("INBOX")) as client:
            seen = client.learn()
        with self.truth.lock:
            gone = {uid for mailbox, uid in self.truth.facts if mailbox == "INBOX"} - seen.keys() - self.truth.may_go
        if gone:
            raise Violation(f"UIDs {gone} went and nobody asked for it")
        return seen

    def _compare(self, session: Session) -> None:
        messages = session.box.messages
        if len(messages) != len(self.fresh):
            raise Violation(f"session {session.number} counts {len(messages)} messages and there are {len(self.fresh)}")
        for message, (uid, flags) in zip(messages, self.fresh.items(), strict=True):
            if message.uid not in (None, uid):
                raise Violation(f"session {session.number} has UID {message.uid} where {uid} is")
            if message.flags not in (None, flags):
                raise Violation(f"session {session.number} was not told the flags of UID {uid}: {message.flags} are {flags}")
        if session.client.learn() != self.fresh:
            raise Violation(f"session {session.number} sees another mailbox")

    # mail

    def _post(self) -> None:
        """Delivers until the end, with pauses when the others meet."""
        context = ssl._create_unverified_context()
        relay = self.person.relay
        with smtplib.SMTP_SSL(relay.bind, relay.port("submissions"), context=context) as submission:
            submission.login(self.person.address, self.person.password)
            while not self.ended.is_set():
                mail = encrypted_message(self.person.address, [self.person.address], 1500, self.truth.next_seed())
                if len(self.sessions[0].client.box.messages if self.sessions[0].client.box else ()) < MESSAGES_MAX:
                    submission.sendmail(self.person.address, [self.person.address], mail)
                    self.truth.sent.add(id_of(mail))
                if self.pause.is_set():
                    self.quiet.set()
                    while self.pause.is_set() and not self.ended.is_set():
                        self.ended.wait(0.01)
                self.ended.wait(0.02)

    def _check_sent(self) -> None:
        """Each message that was acknowledged came, once, under some UID: nobody could delete one that no session had seen."""
        client = self.person.client("INBOX")
        if client.selected.messages:
            for values in client(f"FETCH 1:* (UID {ID_FIELD.replace('BODY', 'BODY.PEEK')})").fetched().values():
                self.truth.learn("INBOX", values["UID"], id=values[ID_FIELD])
        ids = {facts["id"] for facts in self.truth.facts.values() if "id" in facts}
        seen = sum(1 for message_id in self.truth.sent if message_id in ids)
        unknown = sum("id" not in facts for facts in self.truth.facts.values())
        if seen + unknown < len(self.truth.sent):
            raise Violation(f"{len(self.truth.sent) - seen - unknown} acknowledged messages were never seen")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--sessions", type=int, default=4)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    with tempfile.TemporaryDirectory() as folder, Relay(Path(folder), settings=SETTINGS) as relay, ExitStack() as stack:
        stress = Stress(relay, stack, arguments.sessions, arguments.seed)
        done = stress.run(arguments.seconds)
        print(f"{stress.rounds} rounds, {done.total()} steps, {len(stress.truth.sent)} deliveries: {dict(done)}")


if __name__ == "__main__":
    main()
