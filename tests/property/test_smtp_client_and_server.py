# SPDX-License-Identifier: AGPL-3.0-or-later
"""Our client of SMTP against our server of SMTP, cut into packets at random: what the client says was delivered, the server has, exactly.

The two engines share no code but the grammar of addresses, so each is the other's check: pipelining, dot-stuffing (RFC 5321 section
4.5.2), recipients per transaction (RFC 9422), verdicts for each recipient.
"""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from razdar.model.address import Address
from razdar.model.verdict import ACCEPT, Refusal
from razdar.wire.smtp import events, replies
from razdar.wire.smtp.client import SmtpClient
from razdar.wire.smtp.client_events import Ready, Sent, TlsAgreed
from razdar.wire.smtp.session import Role, SmtpLimits, SmtpSession

LIMITS = SmtpLimits(recipients=3, errors=10_000, idle_commands=10_000)
SENDER = Address("alice", "relay.example")
PEOPLE = [Address(f"p{number}", "peer.example") for number in range(8)]
NO = {"later": replies.RATE_EXCEEDED, "never": replies.NO_SUCH_USER}
Received = list[tuple[frozenset[Address], bytes]]

lines = st.sampled_from([b"", b".", b"..", b".x", b"text", b"x" * 90, b"\xc3\xa4", b"MAIL FROM:<evil@x.example>", b"QUIT"])
messages = st.lists(lines, max_size=6).map(lambda each: b"".join(line + b"\r\n" for line in each))
consignments = st.lists(st.tuples(st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=8), messages), min_size=1, max_size=4)


class Peer:
    """A server without sockets that refuses some people, some senders and some messages."""

    def __init__(self, unwanted: dict[Address, Refusal], is_grumpy: Sequence[bool]) -> None:
        self.session = SmtpSession(role=Role.RELAY, hostname="peer.example", limits=LIMITS, is_tls=False)
        self.unwanted, self.grumpy = unwanted, list(is_grumpy)
        self.received: Received = []

    def serve(self) -> None:
        while (event := self.session.next_event()) is not None:
            if isinstance(event, events.TlsRequested):
                self.session.tls_started()
            elif isinstance(event, events.RecipientOffered):
                self.session.answer(self.unwanted.get(event.address, ACCEPT))
            elif isinstance(event, events.MessageReceived):
                is_refused = bool(self.grumpy) and self.grumpy.pop()
                if not is_refused:
                    self.received.append((frozenset(event.envelope.recipients), event.content))
                self.session.answer(replies.NO_DKIM if is_refused else ACCEPT)
            else:
                self.session.answer(ACCEPT)


def talk(client: SmtpClient, peer: Peer, sizes: st.DataObject) -> Sent | None:
    """Until the client has something to tell."""
    for _ in range(200):
        peer.session.receive(client.take_output())
        peer.serve()
        said = peer.session.take_output()
        cut = sizes.draw(st.integers(1, len(said) or 1))
        for part in (said[:cut], said[cut:]):
            client.receive(part)
        event = client.next_event()
        if isinstance(event, TlsAgreed):
            client.tls_started()
        elif isinstance(event, Ready):
            return None
        elif event is not None:
            assert isinstance(event, Sent), event
            return event
    raise AssertionError("they talk for ever")


@settings(max_examples=150, deadline=None)
@given(st.data(), consignments, st.dictionaries(st.sampled_from(PEOPLE), st.sampled_from(sorted(NO))), st.lists(st.booleans(), max_size=5))
def test_what_is_told_is_true(
    data: st.DataObject, mail: list[tuple[list[Address], bytes]], unwanted: dict[Address, str], grumpy: list[bool]
) -> None:
    peer, client = Peer({who: NO[why] for who, why in unwanted.items()}, grumpy), SmtpClient("relay.example")
    assert talk(client, peer, data) is None
    for people, message in mail:
        peer.received = []
        client.send(SENDER, people, message)
        sent = talk(client, peer, data)
        assert sent is not None
        served = [who for recipients, _ in peer.received for who in recipients]
        assert sorted(map(str, served)) == sorted({str(who) for who in people if who not in sent.refused})
        assert {content for _, content in peer.received} <= {message}
        for who, why in unwanted.items():
            assert who not in people or sent.refused[who].code == NO[why].code
