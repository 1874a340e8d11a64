# SPDX-License-Identifier: AGPL-3.0-or-later
"""Small services: invites, tokens, appending, the book of deletions, submission's patience."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest
from tests.mail.make import encrypted_message, plain_message
from tests.service_world import World, address

from razdar.model.ids import MailboxId, Uid
from razdar.model.message import Flag
from razdar.model.verdict import ACCEPT, Refusal
from razdar.ports.bus import Added, Change
from razdar.ports.crew import CrewBusy
from razdar.ports.store import StoreFull
from razdar.services.accounts import Login
from razdar.services.deleted_book import DeletedBook
from razdar.services.folders import Folder, FolderRefused
from razdar.services.invites import INVITE_USED_UP, INVITED_ONLY
from razdar.services.tokens import TOKEN_BYTES_MAX
from razdar.services.transfer import OverQuota
from razdar.settings import Settings
from razdar.vault.seal import unseal
from razdar.wire.smtp import replies

pytestmark = pytest.mark.anyio


@pytest.fixture
def world() -> World:
    return World()


# invites


async def claimed(world: World, token: str) -> Login:
    answer = await world.invites.claim(token)
    assert not isinstance(answer, Refusal)
    login = await world.accounts.log_in(*answer)
    assert isinstance(login, Login)
    return login


async def test_an_invite_makes_one_account_for_each_use(world: World) -> None:
    world.change(registration="invite")
    token = await world.invites.make(uses=2, days=7)
    assert (await claimed(world, token)).address != (await claimed(world, token)).address
    assert await world.invites.claim(token) == INVITE_USED_UP
    assert (await world.store.totals()).accounts == 2


@pytest.mark.parametrize("seed", range(5))
async def test_the_last_use_is_claimed_once(seed: int) -> None:
    world = World(seed=seed)
    token = await world.invites.make(uses=2, days=7)
    answers = await asyncio.gather(*(world.invites.claim(token) for _ in range(5)))
    assert answers.count(INVITE_USED_UP) == 3
    assert (await world.store.totals()).accounts == 2


async def test_an_invite_lasts_its_full_days(world: World) -> None:
    """The day that is running may be over in a minute and does not count."""
    token = await world.invites.make(uses=1, days=7)
    for expected in [1] * 7 + [0]:
        await world.store.next_day()
        await world.store.expire()
        assert await world.invites.uses(token) == expected
    assert await world.invites.claim(token) == INVITE_USED_UP


@pytest.mark.parametrize("token", ["", "x", "A" * 22, "../../etc", "\0"])
async def test_what_is_no_invite(world: World, token: str) -> None:
    assert await world.invites.claim(token) == INVITE_USED_UP
    assert world.doorkeeper.done == 0  # guessing costs the guesser, not us


async def test_the_store_never_sees_a_token(world: World) -> None:
    token = await world.invites.make(uses=1, days=7)
    assert token.encode() not in repr(world.staged.inner._state).encode()


async def test_closed_is_stronger_than_any_invite(world: World) -> None:
    token = await world.invites.make(uses=1, days=7)
    world.change(registration="closed")
    assert await world.invites.uses(token) == 0
    assert await world.invites.claim(token) == INVITE_USED_UP
    world.change(registration="invite")
    assert await world.invites.uses(token) == 1


async def test_the_operators_own_code_works_in_any_case(world: World) -> None:
    world.change(registration="closed")
    made_address, password = await world.invites.direct()
    assert isinstance(await world.accounts.log_in(made_address, password), Login)


async def test_an_offer_only_where_registration_is_open(world: World) -> None:
    assert not isinstance(await world.invites.offer(), Refusal)
    world.change(registration="invite")
    assert await world.invites.offer() == INVITED_ONLY


async def test_a_claim_that_meets_a_busy_crew_or_a_full_disk_costs_no_use(world: World) -> None:
    token = await world.invites.make(uses=1, days=7)
    world.doorkeeper.busy_for = 1
    with pytest.raises(CrewBusy):
        await world.invites.claim(token)
    world.staged.broken["claim_invite"] = StoreFull("full")
    with pytest.raises(StoreFull):
        await world.invites.claim(token)
    world.staged.broken.clear()
    assert await world.invites.uses(token) == 1
    await claimed(world, token)


# tokens


async def test_tokens_of_several_devices_add_up(world: World) -> None:
    anna = await world.member("anna")
    assert [await world.tokens.put(anna, token) for token in (b"openpgp:one", b"openpgp:two", b"openpgp:one")] == [True] * 3
    assert sorted(await world.store.tokens(anna.account)) == [b"openpgp:one", b"openpgp:two"]
    assert world.token_news == [anna.account] * 3


@pytest.mark.parametrize("token", [b"", b"\xff", b"a\r\nb", b"tab\t", "\u06f1".encode(), b"x" * (TOKEN_BYTES_MAX + 1)])
async def test_what_is_no_token(world: World, token: bytes) -> None:
    anna = await world.member("anna")
    assert not await world.tokens.put(anna, token)
    assert await world.store.tokens(anna.account) == []


async def test_nobody_makes_the_relay_send_thousands_of_wake_ups(world: World) -> None:
    anna = await world.member("anna")
    for number in range(3 * world.settings.devices):
        assert await world.tokens.put(anna, b"token %03d" % number)
    kept = await world.store.tokens(anna.account)
    assert len(kept) == world.settings.devices
    assert b"token %03d" % (3 * world.settings.devices - 1) in kept
    await world.tokens.put(anna, kept[0])
    assert await world.store.tokens(anna.account) == kept


async def test_a_token_lasts_ninety_days_from_the_last_time(world: World) -> None:
    anna = await world.member("anna")
    await world.tokens.put(anna, b"token")
    for _ in range(90):
        await world.store.next_day()
    await world.store.expire()
    assert await world.store.tokens(anna.account) == [b"token"]
    await world.store.next_day()
    await world.store.expire()
    assert await world.store.tokens(anna.account) == []


# append


async def inbox(world: World, login: Login) -> Folder:
    folder = await world.folders.find(login, "INBOX")
    assert folder is not None
    return folder


def own(login: Login, size_bytes: int = 1500, seed: int = 0) -> bytes:
    return encrypted_message(str(login.address), [str(login.address)], size_bytes, seed)


async def test_what_is_appended_is_told_and_read(world: World) -> None:
    anna = await world.member("anna")
    heard: list[Change] = []
    await world.open(anna, listener=heard.append)
    assert await world.appender(anna, await inbox(world, anna), own(anna), ["\\Seen", "$Mine"], 1_000_000_000) == 1
    (change,) = heard
    assert isinstance(change, Added)
    assert await world.read(anna) == [own(anna)]
    mailbox = await world.open(anna)
    opened = (await mailbox.opened([Uid(1)]))[Uid(1)].secret
    assert (mailbox.flag_names(opened), opened.internal_date) == (["\\Seen", "$Mine"], 1_000_000_000)


async def test_only_what_could_have_been_sent_is_appended(world: World) -> None:
    anna, boris = await world.members("anna", "boris")
    folder = await inbox(world, anna)
    refused = [plain_message(str(anna.address), str(anna.address)), own(boris), b"", b"\0", own(anna)[:-200]]
    answers = [await world.appender(anna, folder, message, (), None) for message in refused]
    assert [isinstance(answer, Refusal) for answer in answers] == [True] * len(refused)
    assert await world.uids(anna) == []


async def test_appending_counts_towards_the_quota(world: World) -> None:
    world.change(quota_bytes=64_000)
    anna = await world.member("anna")
    folder = await inbox(world, anna)
    with suppress(OverQuota):
        for seed in range(100):
            await world.appender(anna, folder, own(anna, 8_000, seed), (), None)
    assert 5 <= len(await world.uids(anna)) <= 9


async def test_flags_that_are_none_are_left_out(world: World) -> None:
    anna = await world.member("anna")
    await world.appender(anna, await inbox(world, anna), own(anna), ["\\Bogus", "\\flagged"], None)
    (entry,) = await world.store.entries(anna.inbox)
    secret = unseal(anna.private_key, entry.seal)
    assert (secret.flags, secret.keywords) == (Flag.FLAGGED, 0)


async def test_appending_what_is_deleted_is_found_by_the_next_expunge(world: World) -> None:
    anna = await world.member("anna")
    mailbox = await world.open(anna)
    assert list(await mailbox.expunge([])) == []
    await world.appender(anna, await inbox(world, anna), own(anna), ["\\Deleted"], None)
    assert list(await mailbox.expunge([Uid(1)])) == [1]


async def test_appending_into_a_folder_that_has_gone(world: World) -> None:
    anna = await world.member("anna")
    gone = replace((await inbox(world, anna)).record, id=MailboxId(anna.account, 7))
    with pytest.raises(FolderRefused) as refused:
        await world.appender(anna, replace(await inbox(world, anna), record=gone), own(anna), (), None)
    assert refused.value.code == "TRYCREATE"
    assert (await world.store.totals()).bodies == 0


# the book of deletions


def test_what_was_marked_since_the_start_is_known_and_is_not_all() -> None:
    book, mailbox = DeletedBook(), MailboxId(b"a")  # type: ignore[arg-type]
    book.mark(mailbox, Uid(2), is_deleted=False)
    book.mark(mailbox, Uid(1), is_deleted=True)
    assert (book.noted(mailbox), book.marked(mailbox)) == (frozenset({1}), None)
    book.complete(mailbox, [Uid(7)])
    assert book.marked(mailbox) == frozenset({1, 7})


def test_what_is_gone_from_an_incomplete_book_leaves_nothing_known() -> None:
    book, mailbox = DeletedBook(), MailboxId(b"a")  # type: ignore[arg-type]
    book.forget(mailbox, [Uid(1)])
    book.mark(mailbox, Uid(1), is_deleted=True)
    book.forget(mailbox, [Uid(1)])
    assert (book.noted(mailbox), book.marked(mailbox)) == (frozenset(), None)


def test_the_book_follows_every_change() -> None:
    book, mailbox = DeletedBook(), MailboxId(b"a")  # type: ignore[arg-type]
    book.complete(mailbox, [Uid(1), Uid(2), Uid(3)])
    book.mark(mailbox, Uid(4), is_deleted=True)
    book.mark(mailbox, Uid(1), is_deleted=False)
    book.forget(mailbox, [Uid(2)])
    assert book.marked(mailbox) == frozenset({Uid(3), Uid(4)})
    book.forget(mailbox, [Uid(3), Uid(4)])
    assert book.marked(mailbox) == frozenset()
    book.unlearn(mailbox)
    assert book.marked(mailbox) is None


def test_the_book_is_bounded() -> None:
    book = DeletedBook(mailboxes_max=2)
    mailboxes = [MailboxId(bytes([number])) for number in range(4)]  # type: ignore[arg-type]
    for mailbox in mailboxes[:3]:
        book.complete(mailbox)
    book.mark(mailboxes[3], Uid(1), is_deleted=True)
    assert [book.marked(mailbox) for mailbox in mailboxes] == [None, None, frozenset(), None]
    assert book.noted(mailboxes[3]) == frozenset({1})


# submission


async def test_who_sends_too_fast_is_slowed_down_and_then_refused(world: World) -> None:
    """docs/interop.md, fact 6: a refusal costs one of six tries, waiting costs nothing."""
    anna = await world.member("anna")
    assert [await world.submit.wait_for_rate(anna) for _ in range(world.settings.send_burst)] == [ACCEPT] * world.settings.send_burst
    assert world.paused_s == []
    assert await world.submit.wait_for_rate(anna) == ACCEPT
    assert world.paused_s == [1.0]
    world.is_frozen = True
    assert await world.submit.wait_for_rate(anna) == replies.RATE_EXCEEDED
    assert sum(world.paused_s) == world.settings.rate_wait_seconds + 1


async def test_one_persons_haste_slows_nobody_else_down(world: World) -> None:
    anna, boris = await world.members("anna", "boris")
    for _ in range(world.settings.send_burst):
        await world.submit.wait_for_rate(anna)
    assert await world.submit.wait_for_rate(boris) == ACCEPT


@pytest.mark.parametrize("claimed_address", ["boris@relay.example", "anna@other.example", "ANNA@sub.relay.example"])
async def test_nobody_sends_under_another_name(world: World, claimed_address: str) -> None:
    anna = await world.member("anna")
    assert world.submit.check_sender(anna, address(*claimed_address.lower().split("@"))) == replies.NOT_YOUR_ADDRESS
    assert world.submit.check_sender(anna, None) == replies.NOT_YOUR_ADDRESS
    assert isinstance(await world.submit.check_content(anna, encrypted_message(claimed_address, ["x@relay.example"])), Refusal)


@pytest.mark.parametrize("tight", [Settings(header_bytes=4_096), Settings(header_fields=20)], ids=["bytes", "fields"])
async def test_no_more_of_a_header_is_read_than_the_settings_say(world: World, tight: Settings) -> None:
    anna = await world.member("anna")
    added = b"".join(b"X-%d: %s\r\n" % (number, b"x" * 200) for number in range(20))
    message = added + encrypted_message(str(anna.address), ["x@relay.example"])
    assert await world.submit.check_content(anna, message) == ACCEPT
    world.settings = tight
    assert await world.submit.check_content(anna, message) == replies.MALFORMED_MESSAGE
