# SPDX-License-Identifier: AGPL-3.0-or-later
"""services/receive.py: mail from other relays (VECTORS "sender", "relay"), without sockets."""

from email import message_from_bytes
from typing import cast

import pytest
from tests.mail.make import encrypted_message, plain_message
from tests.peer_world import AUTHOR, HERE, PEER, SELECTOR, SOURCE, PeerWorld, dkim_key, entry, letter, signed
from tests.service_world import FakeClock, address
from tests.unit.test_policy_incoming import REPORT

from razdar.adapters.memory.names import MemoryPeers
from razdar.model.address import Address
from razdar.model.arrival import Arrival
from razdar.model.ids import AccountId
from razdar.model.verdict import ACCEPT, Refusal
from razdar.ports.store import StoreUnavailable
from razdar.services.arrived import KEPT_S, Arrived
from razdar.services.confirmations import PER_PLACE_AND_NETWORK_PER_MINUTE, PER_PLACE_PER_MINUTE, digest_of
from razdar.settings import Settings
from razdar.wire.smtp import replies

pytestmark = pytest.mark.anyio
NOBODY = address("nobody123")
FOREIGN = address("boris1234", "elsewhere.example")
LITERAL = Address("parisa123", "[198.51.100.9]")
PUBLIC = Address("parisa123", "[9.9.9.9]")


@pytest.fixture
def world() -> PeerWorld:
    return PeerWorld()


# the way in


async def test_a_signed_message_arrives(world: PeerWorld) -> None:
    anna = await world.member("anna")
    assert await world.bring(signed(letter()), anna) == ACCEPT
    assert await world.read(anna) == [letter()], "the signature was for us, not for the reader"
    assert world.heard == [PEER]
    assert world.woken == [anna.account]


async def test_hygiene_takes_out_what_servers_wrote_for_each_other(world: PeerWorld) -> None:
    anna = await world.member("anna")
    trail = b"Received: from [192.0.2.1] by x\r\nAuthentication-Results: x; dkim=pass\r\n"
    assert await world.bring(trail + signed(letter()), anna) == ACCEPT
    assert await world.read(anna) == [letter()]


@pytest.mark.parametrize("tight", [Settings(header_bytes=4_096), Settings(header_fields=20)], ids=["bytes", "fields"])
async def test_no_more_of_a_header_is_read_than_the_settings_say(world: PeerWorld, tight: Settings) -> None:
    anna = await world.member("anna")
    message = signed(b"".join(b"X-%d: %s\r\n" % (number, b"x" * 200) for number in range(20)) + letter())
    world.settings = tight
    assert await world.bring(message, anna) == replies.MALFORMED_MESSAGE
    world.settings = Settings()
    assert await world.bring(message, anna) == ACCEPT


async def test_everybody_who_can_receive_does_and_the_sender_hears_of_the_others(world: PeerWorld) -> None:
    anna, boris = await world.members("anna", "boris")
    world.fill(boris)
    assert await world.bring(signed(letter()), anna, boris, NOBODY, FOREIGN) == ACCEPT
    assert len(await world.read(anna)) == 1
    ((to, report),) = world.reports
    assert to == AUTHOR
    named = message_from_bytes(report).as_string()
    assert all(str(missed) in named for missed in (boris.address, NOBODY, FOREIGN))
    assert str(anna.address) not in named


async def test_one_report_for_one_message(world: PeerWorld) -> None:
    anna = await world.member("anna")
    await world.bring(signed(letter()), anna, *(address(f"nobody{number}12") for number in range(50)))
    assert len(world.reports) == 1


@pytest.mark.parametrize("registration", ["open", "closed"])
async def test_nobody_who_can_receive(world: PeerWorld, registration: str) -> None:
    world.change(registration=registration)
    assert await world.bring(signed(letter()), NOBODY) == replies.NO_SUCH_USER
    assert await world.bring(signed(letter()), FOREIGN) == replies.NOT_LOCAL
    assert await world.bring(signed(letter()), NOBODY, FOREIGN) == replies.NO_RECIPIENT
    assert world.reports == [], "whoever brings it hears it at once and tells the sender"


async def test_a_full_mailbox_is_a_matter_of_time(world: PeerWorld) -> None:
    anna = await world.member("anna")
    world.fill(anna)
    assert await world.bring(signed(letter()), anna, NOBODY) == replies.MAILBOX_FULL_NOW


async def test_a_message_to_the_same_person_twice_arrives_once(world: PeerWorld) -> None:
    anna = await world.member("anna")
    assert await world.bring(signed(letter()), anna, anna) == ACCEPT
    assert len(await world.read(anna)) == 1


async def test_nothing_is_accepted_that_is_not_stored(world: PeerWorld) -> None:
    anna = await world.member("anna")
    world.staged.broken["deliver"] = StoreUnavailable()
    with pytest.raises(StoreUnavailable):
        await world.bring(signed(letter()), anna)
    assert await world.read(anna) == []
    assert world.gatherer.held(anna.account) == 0


async def test_an_account_that_goes_while_the_message_is_on_its_way(world: PeerWorld) -> None:
    anna, boris = await world.members("anna", "boris")

    async def delete() -> None:
        await world.staged.inner.delete_account(boris.account)

    world.staged.before["deliver"] = delete
    assert await world.bring(signed(letter()), anna, boris) == ACCEPT
    assert [to for to, _ in world.reports] == [AUTHOR]


async def test_large_messages_are_looked_at_off_the_event_loop(world: PeerWorld) -> None:
    anna = await world.member("anna")
    await world.bring(signed(letter(seed=1)), anna)
    before = world.crew.done
    assert await world.bring(signed(letter(size_bytes=2_000_000)), anna) == ACCEPT
    assert world.crew.done >= before + 4


async def test_a_message_that_is_brought_again_arrives_once(world: PeerWorld) -> None:
    """RFC 5321 section 4.5.5: who did not hear the answer brings it again."""
    anna, boris = await world.members("anna", "boris")
    assert await world.bring(signed(letter()), anna) == ACCEPT
    assert await world.bring(b"Received: from x by y\r\n" + signed(letter()), anna) == ACCEPT
    assert await world.bring(signed(letter()), anna, boris) == ACCEPT
    assert [len(await world.read(each)) for each in (anna, boris)] == [1, 1]
    assert await world.bring(signed(letter(seed=2)), anna) == ACCEPT
    assert len(await world.read(anna)) == 2
    world.clock.monotonic_s += KEPT_S + 1
    assert await world.bring(signed(letter()), anna) == ACCEPT
    assert len(await world.read(anna)) == 3


async def test_what_was_not_stored_is_not_taken_for_arrived(world: PeerWorld) -> None:
    anna = await world.member("anna")
    world.staged.broken["deliver"] = StoreUnavailable()
    with pytest.raises(StoreUnavailable):
        await world.bring(signed(letter()), anna)
    del world.staged.broken["deliver"]
    assert await world.bring(signed(letter()), anna) == ACCEPT
    assert len(await world.read(anna)) == 1


def test_what_arrived_is_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("razdar.services.arrived.KEPT_MAX", 3)
    book = Arrived(FakeClock(), bytes(32))
    people = [AccountId(bytes([number]) * 16) for number in range(5)]
    for each in people:
        book.note(book.digest(b"message"), each)
    assert [book.has(book.digest(b"message"), each) for each in people] == [False, False, True, True, True]
    assert not book.has(book.digest(b"another"), people[4])


# sender: proof by signature


async def test_sender_not_signed(world: PeerWorld) -> None:
    anna = await world.member("anna")
    assert await world.bring(letter(), anna) == replies.NO_DKIM
    assert world.heard == []
    assert world.reports == []


@pytest.mark.parametrize("domain", ["sub.peer.example", "example", "other.example"])
async def test_sender_signed_by_another_domain(world: PeerWorld, domain: str) -> None:
    """Strict: neither above nor below, as on other chatmail relays."""
    world.resolver.texts = {f"{SELECTOR}._domainkey.{name}": (dkim_key().record(),) for name in (domain, PEER)}
    assert await world.bring(signed(letter(), domain), await world.member("anna")) == replies.NO_DKIM


async def test_sender_a_changed_body_or_subject(world: PeerWorld) -> None:
    anna, whole = await world.member("anna"), signed(letter())
    for changed in (
        whole.replace(b"Subject: [...]", b"Subject: [..!]"),
        whole.replace(b"\r\n--", b"\r\n\r\n--", 1),
        b"Subject: another\r\n" + whole,  # RFC 6376 section 8.15: duplicated signed headers
    ):
        assert changed != whole
        assert await world.bring(changed, anna) == replies.NO_DKIM


async def test_sender_the_length_tag(world: PeerWorld) -> None:
    """RFC 6376 section 8.2: with `l=` anybody could add text behind what was signed."""
    whole = signed(letter()).replace(b"; bh=", b"; l=10; bh=", 1)
    whole = whole.replace(b"\tbh=", b"\tl=10; bh=", 1)
    assert b"l=10" in whole
    assert await world.bring(whole, await world.member("anna")) == replies.NO_DKIM


async def test_dns_that_is_dead_for_the_moment_refuses_nobody_for_good(world: PeerWorld) -> None:
    anna = await world.member("anna")
    world.resolver.is_silent = True
    assert await world.bring(signed(letter()), anna) == replies.DKIM_LATER
    world.resolver.is_silent = False
    assert await world.bring(signed(letter()), anna) == ACCEPT
    world.resolver.is_silent = True
    assert await world.bring(signed(letter(seed=2)), anna) == ACCEPT, "a key that is remembered is used"


async def test_a_proof_comes_before_anything_is_said_of_people(world: PeerWorld) -> None:
    """A liar learns no name (VECTORS "accounts": no existence oracle)."""
    anna = await world.member("anna")
    assert {await world.bring(letter(), each) for each in (anna, NOBODY)} == {replies.NO_DKIM}
    assert world.staged.calls["recipients"] == 0


# sender: proof by source, by call-back, by what the operator entered


async def test_sender_a_literal_from_its_own_address(world: PeerWorld) -> None:
    """So mail of unmodified relays with only an address is taken."""
    anna = await world.member("anna")
    assert await world.bring(letter(LITERAL), anna, sender=LITERAL) == ACCEPT
    assert world.confirmer.asked == []


@pytest.mark.parametrize("source", ["198.51.100.10", "", "::1"])
async def test_sender_a_literal_from_elsewhere(world: PeerWorld, source: str) -> None:
    anna = await world.member("anna")
    arrival = Arrival(HERE.network, source)
    assert await world.bring(letter(PUBLIC), anna, sender=PUBLIC, arrival=arrival) == replies.NOT_CONFIRMED
    assert [place.address for place in world.confirmer.asked] == ["9.9.9.9"]


async def test_sender_a_literal_that_confirms(world: PeerWorld) -> None:
    anna = await world.member("anna")
    cast("set[bytes]", world.confirmer.known).add(digest_of(letter(PUBLIC), world.settings))
    assert await world.bring(b"Received: from x by y\r\n" + letter(PUBLIC), anna, sender=PUBLIC) == ACCEPT
    assert await world.bring(letter(PUBLIC, seed=2), anna, sender=PUBLIC) == replies.NOT_CONFIRMED, "one word for one message"
    assert {(place.https_port, place.pin) for place in world.confirmer.asked} == {(443, "")}


async def test_sender_a_literal_that_does_not_answer_now(world: PeerWorld) -> None:
    world.confirmer.known = None
    assert await world.bring(letter(PUBLIC), await world.member("anna"), sender=PUBLIC) == replies.CONFIRM_LATER


@pytest.mark.parametrize("target", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "198.51.100.77"])
async def test_sender_nobody_makes_us_connect_to_what_he_cannot_reach(world: PeerWorld, target: str) -> None:
    author = Address("parisa123", f"[{target}]")
    arrival = Arrival(HERE.network, "8.8.8.8")
    assert await world.bring(letter(author), await world.member("anna"), sender=author, arrival=arrival) == replies.NOT_CONFIRMED
    assert world.confirmer.asked == []


async def test_sender_a_literal_that_is_none(world: PeerWorld) -> None:
    author = Address("parisa123", "[999.1.1.1]")
    assert await world.bring(letter(author), await world.member("anna"), sender=author) == replies.NOT_CONFIRMED


async def test_sender_signed_with_an_entered_key(world: PeerWorld) -> None:
    """Without DNS; and neither DNS nor the address counts any more."""
    world.peers._peers[PEER] = entry(PEER, SOURCE, dkim=[(SELECTOR, dkim_key(1).record())])
    anna = await world.member("anna")
    assert await world.bring(signed(letter(), number=1), anna) == ACCEPT
    assert await world.bring(signed(letter(), number=0), anna) == replies.NO_DKIM
    assert await world.bring(letter(), anna) == replies.NO_DKIM
    assert world.resolver.asked == []


async def test_sender_from_an_entered_address() -> None:
    world = PeerWorld(peers=MemoryPeers(entry("k7f3q9d2.razdar.alt", "192.0.2.1", SOURCE)))
    author = Address("parisa123", "k7f3q9d2.razdar.alt")
    anna = await world.member("anna")
    assert await world.bring(letter(author), anna, sender=author) == ACCEPT
    elsewhere = Arrival(HERE.network, "203.0.113.4")
    assert await world.bring(letter(author), anna, sender=author, arrival=elsewhere) == replies.NO_DKIM


async def test_sender_an_entered_name_is_asked_under_its_pin() -> None:
    """It may be anywhere: the operator wrote it down."""
    world = PeerWorld(peers=MemoryPeers(entry("k7f3q9d2.razdar.alt", "10.9.9.9", pin="ab" * 32, https_port=8443)))
    author = Address("parisa123", "k7f3q9d2.razdar.alt")
    world.confirmer.known = {digest_of(letter(author), world.settings)}
    assert await world.bring(letter(author), await world.member("anna"), sender=author) == ACCEPT
    ((place),) = world.confirmer.asked
    assert (place.address, place.https_port, place.pin) == ("10.9.9.9", 8443, "ab" * 32)


# sender: our own domain, the gate


async def test_sender_our_own_domain_from_outside(world: PeerWorld) -> None:
    anna, boris = await world.members("anna", "boris")
    for message in (letter(anna.address), signed(letter(anna.address), "relay.example")):
        assert await world.bring(message, boris, sender=anna.address) == replies.OWN_DOMAIN


async def test_gate_what_is_not_encrypted_costs_no_look_up(world: PeerWorld) -> None:
    anna = await world.member("anna")
    assert await world.bring(signed(plain_message(str(AUTHOR), str(anna.address))), anna) == replies.UNENCRYPTED
    assert world.resolver.asked == []


# relay: reports and backscatter


async def test_relay_a_report_is_passed_on_if_it_is_signed(world: PeerWorld) -> None:
    anna = await world.member("anna")
    world.resolver.texts = {f"{SELECTOR}._domainkey.elsewhere.test": (dkim_key().record(),)}
    assert await world.bring(REPORT, anna, sender=None) == replies.NO_DKIM
    assert await world.bring(signed(REPORT, "elsewhere.test"), anna, sender=None) == ACCEPT
    assert (await world.read(anna))[0].startswith(b"From: <MAILER-DAEMON@elsewhere.test>")


async def test_relay_nothing_is_said_about_a_report(world: PeerWorld) -> None:
    anna = await world.member("anna")
    world.resolver.texts = {f"{SELECTOR}._domainkey.elsewhere.test": (dkim_key().record(),)}
    daemon = Address("mailer-daemon", "elsewhere.test")
    for sender in (None, daemon):
        assert await world.bring(signed(REPORT, "elsewhere.test"), anna, NOBODY, sender=sender) == ACCEPT
    assert world.reports == []


@pytest.mark.parametrize("sender", [None, Address("victim123", "victim.example"), Address("victim123", PEER)])
async def test_relay_no_backscatter_to_an_envelope_sender_who_is_not_the_author(world: PeerWorld, sender: Address | None) -> None:
    """The envelope sender counts as null; the message is not refused for it."""
    anna = await world.member("anna")
    assert await world.bring(signed(letter()), anna, NOBODY, sender=sender) == ACCEPT
    assert world.reports == []


async def test_relay_no_backscatter_before_the_proof(world: PeerWorld) -> None:
    anna = await world.member("anna")
    verdicts = [
        await world.bring(letter(), anna, NOBODY),
        await world.bring(letter(PUBLIC), anna, NOBODY, sender=PUBLIC),
        await world.bring(plain_message(str(AUTHOR), str(anna.address)), anna, NOBODY),
    ]
    assert all(isinstance(verdict, Refusal) for verdict in verdicts)
    assert world.reports == []


# RCPT


async def test_relay_recipients_elsewhere_are_refused_at_once(world: PeerWorld) -> None:
    for foreign in (FOREIGN, Address("a", "relay.example.evil.example"), Address("a", "sub.relay.example"), Address("a", "[192.0.2.7]")):
        assert await world.receive.check_recipient(HERE, foreign) == replies.NOT_LOCAL


async def test_recipients_one_by_one(world: PeerWorld) -> None:
    anna, boris = await world.members("anna", "boris")
    world.fill(boris, 1.1)
    assert await world.receive.check_recipient(HERE, anna.address) == ACCEPT
    assert await world.receive.check_recipient(HERE, NOBODY) == replies.NO_SUCH_USER
    assert await world.receive.check_recipient(HERE, boris.address) == replies.MAILBOX_FULL_NOW
    assert world.gatherer.held(anna.account) == 0


async def test_names_cannot_be_tried_where_registration_is_not_open(world: PeerWorld) -> None:
    anna = await world.member("anna")
    world.change(registration="invite")
    assert {await world.receive.check_recipient(HERE, each) for each in (anna.address, NOBODY)} == {ACCEPT}
    assert world.crew.done == 0


# budgets


def tight(**settings: int) -> PeerWorld:
    world = PeerWorld()
    world.change(**settings)
    return PeerWorld(settings=world.settings)


async def test_unknown_names_of_one_network_have_a_bound() -> None:
    world = tight(peer_unknown_per_minute=2)
    anna = await world.member("anna")
    other = Arrival(b"m" * 16, "203.0.113.4")
    answers = [await world.receive.check_recipient(HERE, address(f"nobody{number}12")) for number in range(3)]
    assert answers == [replies.NO_SUCH_USER, replies.NO_SUCH_USER, replies.TOO_MANY_UNKNOWN]
    assert await world.receive.check_recipient(HERE, anna.address) == ACCEPT, "who is known costs nothing"
    assert await world.receive.check_recipient(other, NOBODY) == replies.NO_SUCH_USER
    world.clock.monotonic_s += 60
    assert await world.receive.check_recipient(HERE, NOBODY) == replies.NO_SUCH_USER


async def test_unknown_names_of_a_proven_domain_have_a_bound_of_their_own() -> None:
    world = tight(peer_unknown_per_minute=2)
    anna = await world.member("anna")
    nobodies = [address(f"nobody{number}12") for number in range(3)]
    assert await world.bring(signed(letter()), anna, *nobodies[:2]) == ACCEPT
    assert await world.bring(signed(letter(seed=2)), anna, nobodies[2]) == replies.TOO_MANY_UNKNOWN
    assert await world.bring(signed(letter(seed=2)), anna) == ACCEPT
    assert len(await world.read(anna)) == 2


async def test_messages_of_one_network_have_a_bound() -> None:
    world = tight(peer_messages_per_minute=2)
    assert [world.receive.may_offer(HERE) for _ in range(3)] == [ACCEPT, ACCEPT, replies.RATE_EXCEEDED]
    assert world.receive.may_offer(Arrival(b"m" * 16, SOURCE)) == ACCEPT
    world.clock.monotonic_s += 30
    assert world.receive.may_offer(HERE) == ACCEPT


async def test_messages_of_one_domain_have_a_bound_wherever_they_come_from() -> None:
    world = tight(peer_messages_per_minute=2)
    anna = await world.member("anna")
    sources = [Arrival(bytes([number]) * 16, f"203.0.113.{number}") for number in range(3)]
    verdicts = [await world.bring(signed(letter(seed=seed)), anna, arrival=each) for seed, each in enumerate(sources)]
    assert verdicts == [ACCEPT, ACCEPT, replies.RATE_EXCEEDED]


async def test_a_liar_uses_up_nobody_elses_part() -> None:
    world = tight(peer_messages_per_minute=2, peer_unproven_per_minute=3)
    anna, liar = await world.member("anna"), Arrival(b"l" * 16, "203.0.113.66")
    assert [await world.bring(letter(), anna, arrival=liar) for _ in range(3)] == [replies.NO_DKIM] * 3
    assert world.receive.may_offer(liar) == replies.TOO_MANY_UNPROVEN
    assert world.receive.may_offer(HERE) == ACCEPT
    assert await world.bring(signed(letter()), anna) == ACCEPT


async def test_bytes_have_a_bound() -> None:
    world = tight(peer_bytes_per_minute=1_048_576)
    anna = await world.member("anna")
    assert await world.bring(signed(letter(size_bytes=1_500_000)), anna) == ACCEPT, "what is only known at its end is taken"
    assert world.receive.may_offer(HERE) == replies.RATE_EXCEEDED
    assert await world.bring(signed(letter()), anna, arrival=Arrival(b"m" * 16, SOURCE)) == replies.RATE_EXCEEDED, "the domain's part"
    world.clock.monotonic_s += 60
    assert world.receive.may_offer(HERE) == ACCEPT


async def test_one_relay_cannot_stuff_a_mailbox_with_senders_made_up() -> None:
    world = tight(quota_bytes=100_000)
    anna = await world.member("anna")
    verdicts = []
    for number in range(12):
        author = Address(f"parisa{number}12", PEER)
        verdicts.append(await world.bring(signed(letter(author, 8_000)), anna, sender=author))
    assert verdicts.count(ACCEPT) == 6, "half of the mailbox, as `peer_share` says"
    assert verdicts[-1] == replies.MAILBOX_FULL_NOW
    boris = await world.member("boris")
    assert await world.send(boris, anna) == ACCEPT


async def test_one_sender_cannot_either() -> None:
    world = tight(quota_bytes=100_000)
    anna = await world.member("anna")
    verdicts = [await world.bring(signed(letter(size_bytes=8_000, seed=number)), anna) for number in range(4)]
    assert verdicts == [ACCEPT, ACCEPT, replies.MAILBOX_FULL_NOW, replies.MAILBOX_FULL_NOW]


async def test_one_place_is_not_asked_often() -> None:
    world = tight(peer_unproven_per_minute=10_000)
    anna = await world.member("anna")
    verdicts = [await world.bring(letter(PUBLIC), anna, sender=PUBLIC) for _ in range(PER_PLACE_AND_NETWORK_PER_MINUTE + 1)]
    assert verdicts[-1] == replies.CONFIRM_LATER
    assert len(world.confirmer.asked) == PER_PLACE_AND_NETWORK_PER_MINUTE
    for number in range(PER_PLACE_PER_MINUTE):
        await world.bring(letter(PUBLIC), anna, sender=PUBLIC, arrival=Arrival(bytes([number % 200]) * 16, "198.51.100.9"))
    assert len(world.confirmer.asked) == PER_PLACE_PER_MINUTE, "nobody is a third party to more than that"


def test_an_arrival_names_nobody_in_what_could_be_logged() -> None:
    assert "198.51.100.9" not in repr(HERE)


async def test_group_of_many(world: PeerWorld) -> None:
    people = await world.members(*(f"person{number}" for number in range(40)))
    message = signed(encrypted_message(str(AUTHOR), ["x"] * 40))
    assert await world.bring(message, *people) == ACCEPT
    assert (await world.store.totals()).bodies == 1
