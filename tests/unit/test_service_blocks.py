# SPDX-License-Identifier: AGPL-3.0-or-later
"""Blocking: who is blocked cannot log in, receive or send, live sessions end, and no address is kept."""

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.service_world import DOMAIN, World, address

from razdar.model.address import Address
from razdar.model.ids import AccountId
from razdar.services.accounts import Login
from razdar.services.blocks import Blocks, pack_blocks, read_blocks
from razdar.services.leaving import Leaving
from razdar.wire.smtp import replies
from razdar.wire.statement import Statement, parse_statement

pytestmark = pytest.mark.anyio


@dataclass
class Desk:
    """An operator's desk over a small relay."""

    world: World = field(default_factory=World)
    kept: list[bytes] = field(default_factory=list)
    error: OSError | None = None

    def __post_init__(self) -> None:
        self.blocks = Blocks(self.world.directory, self.world.bus, DOMAIN, frozenset(), self.save)
        self.world.gatherer.is_blocked = self.blocks.is_blocked

    async def save(self, content: bytes) -> None:
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        self.kept.append(content)


async def test_who_is_blocked_gets_nothing_and_the_others_do() -> None:
    desk = Desk()
    world = desk.world
    anna, babak, cyrus = await world.members("anna", "babak", "cyrus")
    assert await desk.blocks.block(babak.address)
    assert await world.send(anna, babak, cyrus) is not None
    assert len(await world.uids(cyrus)) == 1
    assert await world.uids(babak) == []
    report = (await world.read(anna))[0]
    assert b"5.2.1" in report
    assert await world.send(anna, babak) == replies.MAILBOX_BLOCKED


async def test_who_is_blocked_cannot_send() -> None:
    desk = Desk()
    anna, babak = await desk.world.members("anna", "babak")
    await desk.blocks.block(anna.address)
    assert await desk.world.send(anna, babak) == replies.BLOCKED
    assert await desk.world.uids(babak) == []


async def test_unblocking_restores_everything() -> None:
    desk = Desk()
    anna, babak = await desk.world.members("anna", "babak")
    await desk.blocks.block(anna.address)
    assert await desk.blocks.unblock(anna.address)
    await desk.world.send(anna, babak)
    await desk.world.send(babak, anna)
    assert len(await desk.world.uids(babak)) == len(await desk.world.uids(anna)) == 1
    assert len(desk.blocks) == 0
    assert desk.kept[-1] == pack_blocks(frozenset())


async def test_live_sessions_end_at_once_before_the_disk_is_waited_for() -> None:
    desk = Desk()
    anna, babak = await desk.world.members("anna", "babak")
    ended: list[str] = []
    desk.world.accounts.when_closed(anna, lambda: ended.append("anna"))
    desk.world.accounts.when_closed(anna, lambda: ended.append("anna's other device"))
    desk.world.accounts.when_closed(babak, lambda: ended.append("babak"))
    seen_by_disk: list[list[str]] = []

    async def save(_: bytes) -> None:
        seen_by_disk.append(list(ended))

    blocks = Blocks(desk.world.directory, desk.world.bus, DOMAIN, frozenset(), save)
    await blocks.block(anna.address)
    assert seen_by_disk == [["anna", "anna's other device"]]
    await blocks.unblock(anna.address)
    assert ended == ["anna", "anna's other device"]


async def test_twice_is_once() -> None:
    desk = Desk()
    assert await desk.blocks.block(address("anna"))
    assert not await desk.blocks.block(address("anna"))
    assert not await desk.blocks.unblock(address("babak"))
    assert len(desk.blocks) == len(desk.kept) == 1


async def test_a_block_that_cannot_be_kept_is_none() -> None:
    desk = Desk()
    desk.error = OSError(28, "No space left on device")
    with pytest.raises(OSError, match="No space"):
        await desk.blocks.block(address("anna"))
    assert len(desk.blocks) == 0
    desk.error = None
    await desk.blocks.block(address("anna"))
    desk.error = OSError(28, "No space left on device")
    with pytest.raises(OSError, match="No space"):
        await desk.blocks.unblock(address("anna"))
    assert len(desk.blocks) == 1


async def test_two_blocks_at_the_same_moment_are_both_kept() -> None:
    desk = Desk()
    await asyncio.gather(desk.blocks.block(address("anna")), desk.blocks.block(address("babak")))
    assert len(desk.blocks) == 2
    assert len(read_blocks(desk.kept[-1])) == 2


async def test_the_file_holds_ids_and_no_names() -> None:
    desk = Desk()
    await desk.blocks.block(address("anna"))
    assert b"anna" not in desk.kept[-1]
    assert read_blocks(desk.kept[-1]) == {await desk.world.directory.identify(address("anna"))}


async def test_addresses_of_others_are_not_ours_to_block() -> None:
    blocks = Desk().blocks
    assert blocks.is_ours(address("anna"))
    assert not blocks.is_ours(Address("anna", "other.example"))


@given(st.frozensets(st.binary(min_size=16, max_size=16).map(AccountId), max_size=20))
def test_what_is_packed_comes_back_in_an_order_that_tells_nothing(blocked: frozenset[AccountId]) -> None:
    content = pack_blocks(blocked)
    assert read_blocks(content) == blocked
    assert content.splitlines()[1:] == sorted(content.splitlines()[1:])


@pytest.mark.parametrize("content", [b"razdar blocks 2\n", b"x", b"\xff", b"razdar blocks 1\nabcd\n", b"razdar blocks 1\nxx\n"])
def test_a_damaged_file_is_noticed(content: bytes) -> None:
    with pytest.raises(ValueError):
        read_blocks(content)


def test_no_file_is_nobody() -> None:
    assert read_blocks(b"") == frozenset()


# the statement


def test_a_statement_is_four_lines_and_comes_back() -> None:
    statement = Statement("k7f3q9d2.razdar.alt", 3, "2026-11-21")
    assert statement.text() == "razdar statement 1\nrelay k7f3q9d2.razdar.alt\nblocks 3\nday 2026-11-21\n"
    assert parse_statement(statement.text()) == statement


@pytest.mark.parametrize(
    "text",
    ["", "razdar statement 1\nrelay a\nblocks 03\nday 2026-11-21\n", "razdar statement 1\nrelay a\nblocks 3\nday 2026-11-21\nmore 1\n"],
)
def test_nothing_else_is_a_statement(text: str) -> None:
    assert parse_statement(text) is None


# the login


async def test_the_right_password_hears_why_and_any_other_hears_nothing() -> None:
    desk = Desk()
    world = desk.world
    accounts = world.make_accounts(is_blocked=desk.blocks.is_blocked)
    anna = Address("anna12345", DOMAIN)
    assert isinstance(await accounts.log_in(anna, "correct horse battery"), Login)
    await desk.blocks.block(anna)
    assert await accounts.log_in(anna, "correct horse battery") == replies.BLOCKED
    world.logins.forget(await world.directory.identify(anna))
    assert await accounts.log_in(anna, "correct horse battery") == replies.BLOCKED
    assert await accounts.log_in(anna, "something else entirely") == replies.AUTH_FAILED
    await desk.blocks.unblock(anna)
    assert isinstance(await accounts.log_in(anna, "correct horse battery"), Login)


async def test_who_is_blocked_keeps_the_password_but_may_leave() -> None:
    desk = Desk()
    accounts = desk.world.make_accounts(is_blocked=desk.blocks.is_blocked)
    leaving = Leaving(accounts, desk.world.signups, desk.world.entropy)
    anna = Address("anna12345", DOMAIN)
    await accounts.log_in(anna, "correct horse battery")
    await desk.blocks.block(anna)
    assert await leaving.take_new_password(anna, "something else", b"") == replies.AUTH_FAILED
    assert await leaving.take_new_password(anna, "correct horse battery", b"") == replies.BLOCKED
    assert await leaving.leave(anna, "correct horse battery", b"")
    assert (await desk.world.store.totals()).accounts == 0


async def test_a_blocked_name_cannot_be_made_anew() -> None:
    desk = Desk()
    accounts = desk.world.make_accounts(is_blocked=desk.blocks.is_blocked)
    await desk.blocks.block(Address("anna12345", DOMAIN))
    assert await accounts.log_in(Address("anna12345", DOMAIN), "correct horse battery") == replies.AUTH_FAILED
    assert (await desk.world.store.totals()).accounts == 0


async def test_whoever_is_blocked_while_the_login_waits_does_not_get_in() -> None:
    desk = Desk()
    accounts = desk.world.make_accounts(is_blocked=desk.blocks.is_blocked)
    anna = Address("anna12345", DOMAIN)
    await accounts.log_in(anna, "correct horse battery")
    answer, _ = await asyncio.gather(accounts.log_in(anna, "correct horse battery"), desk.blocks.block(anna))
    assert answer == replies.BLOCKED
