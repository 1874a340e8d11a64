"""One bad recipient must not silence a group: twenty people, one removed, one full, one on a relay that we cannot reach."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from deltachat_rpc_client import Chat
from deltachat_rpc_client.const import MessageState
from tests.lab.client import Core, Person, state_of
from tests.lab.relay import Relay

pytestmark = [pytest.mark.client, pytest.mark.slow]
QUOTA = 1_000_000


def group_of(owner: Person, members: Sequence[Person]) -> Chat:
    """A group, made with contact cards; the first message to it tells everybody."""
    group = owner.account.create_group("بیست نفر")
    group.add_contact(*[member.account for member in members])
    return group


def fill(mailbox: Person, writer: Person, folder: Path) -> None:
    """`mailbox` is away and full: the relay has said so to `writer`, who can reach nobody else with that message."""
    mailbox.account.stop_io()
    (folder / "heavy.bin").write_bytes(bytes(range(251)) * 400)
    chat = writer.chat_with(mailbox)
    for number in range(20):
        message = chat.send_message(text=f"heavy {number}", file=str(folder / "heavy.bin"))
        state = writer.until(lambda message=message: s if (s := state_of(message)) >= MessageState.OUT_FAILED else None)  # type: ignore[misc]
        if state == MessageState.OUT_FAILED:
            return
    raise AssertionError("twenty messages of 135 kB fit into a mailbox of 1 MB")


def test_one_removed_one_full_one_foreign(core: Core, relay_factory: Callable[..., Relay], tmp_path: Path) -> None:
    here = relay_factory(domain="city.test", settings={"quota_bytes": QUOTA, "sender_share": 1.0})
    same_name, other_name = relay_factory(domain="city.test"), relay_factory(domain="village.test")
    owner, *members = core.people([f"Person {number}" for number in range(17)], here.link)
    full, writer = core.people(["Full", "Writer"], here.link)
    removed = core.person("Removed").set_up(same_name.link())  # has a key and an address here, and no account
    foreign = core.person("Foreign").set_up(other_name.link())
    fill(full, writer, tmp_path)

    group = group_of(owner, [*members, full, removed, foreign])
    assert group.num_contacts() == 20
    message = owner.writes("سلام به همه", group)
    for member in members:
        member.reads("سلام به همه")
    owner.delivered(message)
    members[0].writes("and back", members[0].chat_named("بیست نفر") or group)
    owner.reads("and back")


def test_who_reads_reports_is_told_who_did_not_get_it(core: Core, relay_factory: Callable[..., Relay]) -> None:
    """By default the client throws reports away; whoever turns force_encryption off sees one, naming all who were missed, once."""
    here, same_name, other_name = (relay_factory(domain=name) for name in ("city.test", "city.test", "village.test"))
    owner, member = core.people(["Owner", "Member"], here.link)
    removed, foreign = core.person("Removed").set_up(same_name.link()), core.person("Foreign").set_up(other_name.link())
    owner.account.set_config("force_encryption", "0")
    message = owner.writes("hello all", group_of(owner, [member, removed, foreign]))
    member.reads("hello all")
    told = owner.failed(message)
    assert removed.address in told
    assert foreign.address in told
    assert member.address not in told
