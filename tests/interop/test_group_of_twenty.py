# SPDX-License-Identifier: AGPL-3.0-or-later
"""One bad recipient must not silence a group: twenty people, one removed, one full, one on a relay that we cannot reach."""

import email
import email.policy
import imaplib
import os
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from deltachat_rpc_client import Chat
from deltachat_rpc_client.const import MessageState
from tests.lab.client import Core, Person, state_of
from tests.lab.relay import Relay

pytestmark = [pytest.mark.client, pytest.mark.slow]
SMALL = {"quota_bytes": 1_000_000, "message_bytes": 500_000, "sender_share": 1.0}


def group_of(owner: Person, members: Sequence[Person]) -> Chat:
    """A group, made with contact cards; the first message to it tells everybody."""
    group = owner.account.create_group("بیست نفر")
    group.add_contact(*[member.account for member in members])
    return group


def fill(mailbox: Person, writer: Person, folder: Path) -> None:
    """`mailbox` is away and full: the relay has said so to `writer`, who can reach nobody else with that message."""
    mailbox.account.stop_io()
    (folder / "heavy.bin").write_bytes(os.urandom(100_000))
    chat = writer.chat_with(mailbox)
    for number in range(20):
        message = chat.send_message(text=f"heavy {number}", file=str(folder / "heavy.bin"))
        state = writer.until(lambda message=message: s if (s := state_of(message)) >= MessageState.OUT_FAILED else None)  # type: ignore[misc]
        if state == MessageState.OUT_FAILED:
            return
    raise AssertionError("twenty messages of 135 kB fit into a mailbox of 1 MB")


def test_one_removed_one_full_one_foreign(core: Core, relay_factory: Callable[..., Relay], tmp_path: Path) -> None:
    here = relay_factory(domain="city.test", settings=SMALL)
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
    answering = members[0].message("سلام به همه")
    assert answering is not None
    answering.get_snapshot().chat.accept()
    members[0].writes("and back", answering.get_snapshot().chat)
    owner.reads("and back")


def reports(relay: Relay, local: str, password: str) -> list[str]:
    """Texts of the delivery reports in a mailbox, read as any mail program would."""
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with imaplib.IMAP4_SSL(relay.bind, relay.port("imaps"), ssl_context=trusting, timeout=20) as mailbox:
        mailbox.login(f"{local}@{relay.name}", password)
        mailbox.select("INBOX", readonly=True)
        found = mailbox.uid("search", "ALL")[1][0].split()
        answers = [mailbox.uid("fetch", uid, "(BODY.PEEK[])")[1][0] for uid in found]
    mails = [email.message_from_bytes(answer[1], policy=email.policy.default) for answer in answers]
    texts = [mail.get_body(("plain",)) for mail in mails if mail.get_content_type() == "multipart/report"]
    return [text.get_content() for text in texts if text is not None]


def test_the_sender_finds_one_report_that_names_all_who_were_missed(core: Core, relay_factory: Callable[..., Relay]) -> None:
    """This client shows no reports about groups (docs/interop.md, fact 1); the relay writes one all the same, and others read it."""
    here, same_name, other_name = (relay_factory(domain=name) for name in ("city.test", "city.test", "village.test"))
    owner, member = core.person("Owner").set_up(here.link("owner-123", "a long password")), core.person("Member").set_up(here.link())
    removed, foreign = core.person("Removed").set_up(same_name.link()), core.person("Foreign").set_up(other_name.link())
    owner.account.set_config("bcc_self", "1")  # a profile with several devices leaves its mail on the relay
    message = owner.writes("hello all", group_of(owner, [member, removed, foreign]))
    member.reads("hello all")
    owner.delivered(message)
    (told,) = reports(here, "owner-123", "a long password")
    assert removed.address in told
    assert foreign.address not in told  # waits in the queue: without DNS nobody can tell whether that relay exists
    assert member.address not in told
