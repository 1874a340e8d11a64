# SPDX-License-Identifier: AGPL-3.0-or-later
"""One-time links, short sessions, form tokens, and the log of what was done."""

import random

import pytest
from tests.service_world import FakeClock

from razdar.services.action_log import KEPT, ActionLog, Entry
from razdar.web.console.sessions import IDLE_S, LIFE_S, LINK_S, LINKS_MAX, SESSIONS_MAX, TRIES_PER_MINUTE, Sessions


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def sessions(clock: FakeClock) -> Sessions:
    return Sessions(random.Random(1).randbytes, clock.monotonic)


def test_a_link_lets_in_once(sessions: Sessions) -> None:
    token = sessions.make_link()
    assert sessions.is_link(token)
    cookie = sessions.enter(token)
    assert cookie is not None
    assert sessions.find(cookie) is not None
    assert not sessions.is_link(token)
    assert sessions.enter(token) is None


def test_a_link_lives_ten_minutes(sessions: Sessions, clock: FakeClock) -> None:
    token, late = sessions.make_link(), sessions.make_link()
    clock.monotonic_s += LINK_S - 1
    assert sessions.enter(token) is not None
    clock.monotonic_s += 2
    assert not sessions.is_link(late)
    assert sessions.enter(late) is None


def test_of_many_links_the_oldest_is_worth_nothing(sessions: Sessions) -> None:
    tokens = [sessions.make_link() for _ in range(LINKS_MAX + 1)]
    assert [sessions.is_link(token) for token in tokens] == [False, *([True] * LINKS_MAX)]


def test_a_session_ends_when_nobody_uses_it(sessions: Sessions, clock: FakeClock) -> None:
    cookie = sessions.open()
    clock.monotonic_s += IDLE_S - 1
    assert sessions.find(cookie) is not None
    clock.monotonic_s += IDLE_S - 1
    assert sessions.find(cookie) is not None
    clock.monotonic_s += IDLE_S + 1
    assert sessions.find(cookie) is None


def test_a_session_ends_even_if_it_is_used(sessions: Sessions, clock: FakeClock) -> None:
    cookie = sessions.open()
    for _ in range(int(LIFE_S // 600)):
        clock.monotonic_s += 600
        assert sessions.find(cookie) is not None
    clock.monotonic_s += 600
    assert sessions.find(cookie) is None


def test_leaving_ends_it_and_leaves_the_others(sessions: Sessions) -> None:
    here, there = sessions.open(), sessions.open()
    sessions.close(here)
    assert sessions.find(here) is None
    assert sessions.find(there) is not None


def test_sessions_are_bounded(sessions: Sessions) -> None:
    cookies = [sessions.open() for _ in range(SESSIONS_MAX + 3)]
    assert sum(sessions.find(cookie) is not None for cookie in cookies) == SESSIONS_MAX


@pytest.mark.parametrize("cookie", ["", "x", "\udcff", "0" * 48])
def test_no_session_no_entry(sessions: Sessions, cookie: str) -> None:
    sessions.open()
    assert sessions.find(cookie) is None
    assert sessions.enter(cookie) is None


def test_a_form_fits_its_own_session_only(sessions: Sessions) -> None:
    first, second = sessions.find(sessions.open()), sessions.find(sessions.open())
    assert first is not None
    assert second is not None
    assert first.fits(first.form_token)
    assert not first.fits(second.form_token)
    assert not first.fits("")
    assert not first.fits("گذر")


def test_wrong_tries_are_limited_and_the_right_link_is_not(sessions: Sessions, clock: FakeClock) -> None:
    token = sessions.make_link()
    for _ in range(TRIES_PER_MINUTE):
        assert sessions.may_try()
        sessions.note_failure()
    assert not sessions.may_try()
    assert sessions.enter(token) is not None
    clock.monotonic_s += 60
    assert sessions.may_try()


def test_memory_holds_digests_only(sessions: Sessions) -> None:
    token, cookie = sessions.make_link(), sessions.open()
    held = repr((sessions._links, sessions._sessions))
    assert token not in held
    assert cookie not in held


# the log


class Disk:
    def __init__(self) -> None:
        self.content = b""

    async def save(self, content: bytes) -> None:
        self.content = content


@pytest.mark.anyio
async def test_what_was_done_is_kept_by_the_hour(clock: FakeClock) -> None:
    disk = Disk()
    log = ActionLog(clock, b"", disk.save)
    await log.add("setting", "keep_days", "20", "30")
    clock.now_s += 3600
    await log.add("block")
    again = ActionLog(clock, disk.content, disk.save)
    hour = clock.now_s // 3600
    assert again.latest() == [Entry(hour, "block"), Entry(hour - 1, "setting", "keep_days", "20", "30")]


@pytest.mark.anyio
async def test_the_log_is_bounded(clock: FakeClock) -> None:
    disk = Disk()
    log = ActionLog(clock, b"", disk.save)
    for number in range(KEPT + 5):
        await log.add("setting", "keep_days", str(number), str(number + 1))
    assert len(log.latest()) == KEPT
    assert log.latest(1)[0].before == str(KEPT + 4)


@pytest.mark.parametrize("kept", [b"\xff", b"{}\n", b"[]\n", b"x", b'["a","b"]\n', b'[1,"a","b","c","d","e"]\n'])
def test_a_log_that_cannot_be_read_is_empty(clock: FakeClock, kept: bytes) -> None:
    assert ActionLog(clock, kept, Disk().save).latest() == []
