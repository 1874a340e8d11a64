# SPDX-License-Identifier: AGPL-3.0-or-later
"""Three relays with real clients: one with a domain, one with only an address, and Postfix with Dovecot as a chatmail relay.

The Postfix relay verifies certificates, asks DNS for keys, and takes nothing unsigned but from the bare address, as chatmail relays do.
What it makes of our refusals, and we of its bounces, is read from its log and from mailboxes.
"""

import imaplib
import random
import re
import smtplib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import permutations
from pathlib import Path

import pytest
from tests.interop.test_federation import file_in, talk
from tests.lab.chatmail_peer import PORTS, ChatmailPeer, Unavailable, require
from tests.lab.client import Core, Person, meet
from tests.lab.federation import World, world
from tests.lab.hosted import HostedRelay
from tests.lab.peer import PASSWORD, context
from tests.lab.relay import random_text
from tests.mail.make import encrypted_message

from razdar.servers.control import ask

pytestmark = [pytest.mark.slow, pytest.mark.client, pytest.mark.namespace]
PATIENCE_S = 60.0
OTHER_PEER = [{"signs_bounces": False}]
"""A world of its own, in which nobody has looked up anything; the tests that have it come last, so that it is made once."""
NAMES = ("of the domain", "of the address", "of Postfix")


@dataclass
class Three:
    """The relays. `peer` is that of Postfix and Dovecot."""

    planet: World
    alpha: HostedRelay
    bare: HostedRelay
    peer: ChatmailPeer
    log_start: int = 0

    def people(self, core: Core) -> list[Person]:
        """One on each."""
        made = [core.person(name) for name in NAMES]
        codes = (self.alpha.link(), self.bare.link(), self.peer.link(random_text(9), random_text(22)))
        for wait in [person.set_up_later(code) for person, code in zip(made, codes, strict=True)]:
            wait()
        return made

    def log(self) -> str:
        """What Postfix wrote down since the test began."""
        return (self.peer.folder / "log" / "postfix.log").read_text()[self.log_start :]

    def logged(self, words: str) -> bool:
        return re.search(words, self.log()) is not None


@pytest.fixture(scope="module")
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    """With the peer's wishes that a test is parametrized with."""
    try:
        require()
    except Unavailable as reason:
        pytest.skip(str(reason))
    with world(tmp_path_factory.mktemp("three") / "world", hosts=3) as planet:
        alpha, bare = planet.relay(2, "alpha.test"), planet.relay(3, f"[{planet.net.hosts[2].address}]")
        wishes = {"resolver": planet.net.here.address, "unsigned_ok": (bare.name,), "retry_s": 3, **getattr(request, "param", {})}
        yield Three(planet, alpha, bare, planet.chatmail_peer(4, servers=[("alpha.test", alpha.host.address)], **wishes))


@pytest.fixture
def three(running: Three) -> Three:
    running.log_start += len(running.log())
    return running


def test_everybody_meets_everybody(three: Three, core: Core) -> None:
    for inviter, guest in permutations(three.people(core), 2):
        talk(inviter, guest, f"{inviter.name} invited {guest.name}")


def test_a_group_and_files_over_all_three(three: Three, core: Core, tmp_path: Path) -> None:
    people = three.people(core)
    for guest in people[1:]:
        meet(people[0], guest)
    group = people[0].account.create_group("three cities")
    group.add_contact(people[1].account, people[2].account)
    group.send_text("to all")
    for person in people[1:]:
        person.reads("to all").get_snapshot().chat.accept()
    for number, writer in enumerate(people):
        file = tmp_path / f"file{number}.bin"
        file.write_bytes(bytes([number]) + bytes(range(256)) * 8_000)
        chat = writer.chat_named("three cities")
        assert chat is not None
        chat.send_file(str(file))  # type: ignore[no-untyped-call]
        for other in people:
            if other is not writer:
                arrived = other.until(partial(file_in, other, "three cities", file.name), 2 * PATIENCE_S)
                assert Path(arrived).read_bytes() == file.read_bytes()


def test_calls_are_signalled_in_all_directions(three: Three, core: Core) -> None:
    """Who rings, that the other takes it, and who ends it. The voices themselves go another way."""
    people = three.people(core)
    for guest, inviter in ((0, 1), (1, 2), (2, 0)):
        meet(people[inviter], people[guest])
    for caller, called in permutations(people, 2):
        chat = caller.account.create_chat(called.account)
        for person in people:
            person.forget_events()
        call = chat.place_outgoing_call("an offer", False)
        rings = called.event("IncomingCall", PATIENCE_S)
        assert rings["place_call_info"] == "an offer"
        incoming = called.account.get_message_by_id(rings["msg_id"])
        incoming.accept_incoming_call("an answer")  # type: ignore[no-untyped-call]
        assert caller.event("OutgoingCallAccepted", PATIENCE_S)["accept_call_info"] == "an answer"
        call.end_call()  # type: ignore[no-untyped-call]
        called.event("CallEnded", PATIENCE_S)


# mail by hand: what the two makes of servers say to each other


def post(server: HostedRelay | ChatmailPeer, sender: str, recipient: str) -> str:
    """Acknowledged; its Message-ID."""
    message = encrypted_message(sender, [recipient], 1500, seed=random.getrandbits(60))
    with smtplib.SMTP_SSL(server.bind, PORTS["submissions"], context=context(), timeout=20) as link:
        link.login(sender, PASSWORD)
        assert link.sendmail(sender, [recipient], message) == {}
    found = re.search(rb"^Message-ID: (<.*>)\r$", message, re.M)
    assert found
    return found[1].decode()


def mailbox(server: HostedRelay | ChatmailPeer, address: str) -> list[bytes]:
    """All of it. The account is made if there is none."""
    with imaplib.IMAP4_SSL(server.bind, PORTS["imaps"], ssl_context=context(), timeout=20) as link:
        link.login(address, PASSWORD)
        link.select()
        found = link.uid("FETCH", "1:*", "(BODY.PEEK[])")[1]
        return [bytes(each[1]) for each in found if isinstance(each, tuple)]


def until(look: Callable[[], bool], three: Three) -> None:
    end = time.monotonic() + PATIENCE_S
    while not look():
        assert time.monotonic() < end, three.log()[-6000:]
        time.sleep(0.1)  # other processes; nothing announces it


def moved_in(three: Three) -> tuple[str, str]:
    """Somebody at our relay with the domain and somebody at Postfix."""
    ours, theirs = f"{random_text(9)}@alpha.test", three.peer.address(random_text(9))
    assert mailbox(three.alpha, ours) == mailbox(three.peer, theirs) == []
    return ours, theirs


def test_postfix_brings_mail_under_tls_that_it_has_verified(three: Three) -> None:
    ours, theirs = moved_in(three)
    mark = post(three.peer, theirs, ours)
    until(lambda: any(mark.encode() in each for each in mailbox(three.alpha, ours)), three)
    assert three.logged(r"relay=alpha\.test\[\S+:25, .*status=sent")
    assert not three.logged("Untrusted|certificate verification failed|status=(deferred|bounced)")


def test_postfix_takes_what_opendkim_finds_signed_and_nothing_else(three: Three) -> None:
    ours, theirs = moved_in(three)
    mark = post(three.alpha, ours, theirs)
    until(lambda: any(mark.encode() in each for each in mailbox(three.peer, theirs)), three)
    with smtplib.SMTP(three.peer.bind, 25, timeout=20) as link:
        link.starttls(context=context())
        with pytest.raises(smtplib.SMTPDataError) as refused:
            link.sendmail(ours, [theirs], encrypted_message(ours, [theirs]))
    assert refused.value.smtp_code == 550


def test_an_unknown_name_here_is_a_bounce_there(three: Three) -> None:
    """Our 550 ends the message: its sender has Postfix's report at once, with our words in it."""
    _, theirs = moved_in(three)
    mark = post(three.peer, theirs, "nobody.at.all@alpha.test")
    until(lambda: len(mailbox(three.peer, theirs)) == 1, three)
    (report,) = mailbox(three.peer, theirs)
    assert mark.encode() in report
    assert b"5.1.1" in report


def test_an_unknown_name_there_is_a_report_here(three: Three) -> None:
    """Postfix takes mail for any name and bounces it later. Chatmail relays sign bounces since 1.11."""
    ours, mark = bounced(three)
    until(lambda: len(mailbox(three.alpha, ours)) == 1, three)
    (report,) = mailbox(three.alpha, ours)
    assert mark.encode() in report
    assert b"Action: failed" in report


def bounced(three: Three) -> tuple[str, str]:
    """Somebody of ours wrote to a name that Dovecot refuses; the Message-ID."""
    ours, _ = moved_in(three)
    return ours, post(three.alpha, ours, three.peer.address("nobody"))


def test_postfix_waits_for_a_relay_that_is_away(three: Three) -> None:
    ours, theirs = moved_in(three)
    three.alpha.stop()
    mark = post(three.peer, theirs, ours)
    until(lambda: three.logged("status=deferred"), three)
    three.alpha.start()
    until(lambda: any(mark.encode() in each for each in mailbox(three.alpha, ours)), three)


def test_we_wait_for_postfix_when_it_is_away(three: Three) -> None:
    ours, theirs = moved_in(three)
    three.peer.stop()
    mark = post(three.alpha, ours, theirs)
    assert [each["waiting"] for each in ask(three.alpha.data, {"op": "queue"})["relays"]] == [1]
    three.planet.net.hosts[3].do(three.peer.start)
    assert post(three.peer, theirs, ours)  # whoever sends is alive
    until(lambda: any(mark.encode() in each for each in mailbox(three.peer, theirs)), three)


def test_nothing_is_said_in_clear_at_our_door(three: Three) -> None:
    """A Postfix that has no TLS to speak of hears 530; chatmail relays always speak it, so this is seen by others alone."""
    ours, theirs = moved_in(three)
    with smtplib.SMTP(three.alpha.bind, 25, timeout=20) as link, pytest.raises(smtplib.SMTPSenderRefused) as refused:
        link.sendmail(theirs, [ours], encrypted_message(theirs, [ours]))
    assert refused.value.smtp_code == 530


@pytest.mark.parametrize("running", OTHER_PEER, indirect=True)
def test_postfix_keeps_what_we_cannot_judge_now(three: Three) -> None:
    """Our 451, when DNS dies before we have ever seen its key, puts a message off; it comes again and arrives once."""
    ours, theirs = moved_in(three)
    three.planet.dns.die()
    mark = post(three.peer, theirs, ours)
    until(lambda: three.logged(r"status=deferred .*451 4\.7\.5"), three)
    three.planet.dns.__enter__()
    until(lambda: three.logged(r"status=sent \(250"), three)
    assert [mark.encode() in each for each in mailbox(three.alpha, ours)] == [True]


@pytest.mark.parametrize("running", OTHER_PEER, indirect=True)
def test_a_bounce_that_nobody_signed_ends_at_our_door(three: Three) -> None:
    ours, _ = bounced(three)
    until(lambda: three.logged(r"alpha\.test.*554 5\.7\.1"), three)
    assert mailbox(three.alpha, ours) == []
