# SPDX-License-Identifier: AGPL-3.0-or-later
"""The session's promises to the server: events, answers, backpressure, limits, ends."""

import base64
import tracemalloc

import pytest

from razdar.model.address import Address
from razdar.model.message import Envelope
from razdar.model.verdict import ACCEPT, Refusal
from razdar.wire.smtp import replies
from razdar.wire.smtp.events import Closed, ContentOffered, LoginOffered, MessageReceived, RecipientOffered, SenderOffered, TlsRequested
from razdar.wire.smtp.session import Role, SmtpLimits, SmtpSession

BOB = Address("bob", "relay.example")
TRANSACTION = b"MAIL FROM:<x@peer.example> SIZE=9\r\nRCPT TO:<bob@relay.example>\r\nDATA\r\n"


def session(*, role: Role = Role.RELAY, is_tls: bool = True, greet: bool = True, **limits: int) -> SmtpSession:
    made = SmtpSession(role=role, hostname="relay.example", limits=SmtpLimits(**limits), is_tls=is_tls)
    if greet:
        made.receive(b"EHLO c.example\r\n")
        made.take_output()
    return made


def accept_all(made: SmtpSession) -> None:
    while made.next_event() is not None:
        made.answer(ACCEPT)


def test_the_greeting_is_there_at_once() -> None:
    made = session(greet=False)
    assert made.take_output() == b"220 relay.example ESMTP ready\r\n"
    assert made.take_output() == b""
    assert made.next_event() is None


def test_events_carry_what_the_client_said() -> None:
    made = session()
    made.receive(TRANSACTION + b"hi\r\n.\r\n")
    envelope = Envelope(Address("x", "peer.example"), (BOB,))
    for expected in (SenderOffered(Address("x", "peer.example"), 9), RecipientOffered(BOB), ContentOffered(envelope)):
        assert made.next_event() == expected
        made.answer(ACCEPT)
    assert made.next_event() == MessageReceived(envelope, b"hi\r\n")


def test_one_event_at_a_time_and_each_once() -> None:
    made = session()
    made.receive(TRANSACTION)
    assert isinstance(made.next_event(), SenderOffered)
    assert made.next_event() is None
    assert made.take_output() == b""
    waiting = made.buffered_bytes
    assert waiting == len(b"RCPT TO:<bob@relay.example>\r\nDATA\r\n")
    made.receive(b"NOOP\r\n")
    assert made.buffered_bytes == waiting + 6
    made.answer(ACCEPT)
    assert isinstance(made.next_event(), RecipientOffered)


def test_an_answer_needs_an_event() -> None:
    made = session()
    with pytest.raises(RuntimeError):
        made.answer(ACCEPT)
    made.receive(b"MAIL FROM:<>\r\n")
    with pytest.raises(RuntimeError):
        made.answer(ACCEPT)  # nobody has looked at it yet


def test_content_does_not_count_as_buffered() -> None:
    made = session()
    made.receive(TRANSACTION)
    accept_all(made)
    made.receive(b"x" * 100_000)
    assert made.buffered_bytes == 0


@pytest.mark.parametrize("stop", [0, 1, 2, 3])
def test_our_own_failure_is_temporary_at_every_event(stop: int) -> None:
    made = session()
    made.receive(TRANSACTION)
    for _ in range(stop):
        if made.next_event() is None:
            break
        made.answer(ACCEPT)
    if stop == 3:
        made.receive(b"hi\r\n.\r\n")
    made.take_output()
    assert made.next_event() is not None
    made.fail()
    assert made.take_output().startswith(b"451 4.3.0 ")
    assert not made.is_closing


def test_a_refused_message_ends_the_transaction() -> None:
    made = session()
    made.receive(TRANSACTION)
    accept_all(made)
    made.receive(b"hi\r\n.\r\nDATA\r\n")
    assert isinstance(made.next_event(), MessageReceived)
    made.take_output()
    made.answer(replies.UNENCRYPTED)
    assert made.take_output() == replies.render(replies.UNENCRYPTED) + replies.render(replies.MAIL_FIRST)


def test_a_refusal_with_421_closes() -> None:
    made = session()
    made.receive(b"MAIL FROM:<>\r\nNOOP\r\n")
    made.next_event()
    made.answer(Refusal(421, "4.3.2", "Not now"))
    assert made.take_output() == b"421 4.3.2 Not now\r\n"
    assert made.is_closing


def test_login_is_kept_as_written_and_forgotten_by_nobody() -> None:
    made = session(role=Role.SUBMISSION)
    made.receive(b"AUTH PLAIN " + base64.b64encode(b"\0Alice@relay.example\0secret") + b"\r\n")
    assert made.next_event() == LoginOffered("Alice@relay.example", "secret")
    assert made.login is None
    made.answer(ACCEPT)
    made.receive(b"RSET\r\nEHLO c.example\r\n")
    assert made.login == "Alice@relay.example"


def test_quit_is_an_event_without_answer() -> None:
    made = session()
    made.receive(b"QUIT\r\nNOOP\r\n")
    assert made.is_closing
    assert made.next_event() == Closed()
    assert made.next_event() is None
    made.answer(ACCEPT)  # harmless
    assert made.take_output() == replies.render(replies.BYE)
    assert made.buffered_bytes == 0


def test_tls_is_an_event_without_answer() -> None:
    made = session(is_tls=False)
    made.receive(b"STARTTLS\r\n")
    assert made.next_event() == TlsRequested()
    assert made.next_event() is None
    assert made.take_output() == replies.render(replies.GO_AHEAD_TLS)
    made.receive(b"EHLO evil.example\r\n")
    made.tls_started()
    assert (made.take_output(), made.next_event(), made.buffered_bytes) == (b"", None, 0)


def test_tls_cannot_start_unasked() -> None:
    with pytest.raises(RuntimeError):
        session(is_tls=False).tls_started()


def test_the_end_is_said_once() -> None:
    made = session()
    made.time_out()
    made.shut_down()
    assert made.take_output() == replies.render(replies.TIMED_OUT)
    assert made.is_closing


def test_no_text_is_sent_into_a_handshake() -> None:
    made = session(is_tls=False)
    made.receive(b"STARTTLS\r\n")
    made.take_output()
    made.shut_down()
    assert made.take_output() == b""
    assert made.is_closing


def test_the_end_waits_for_the_answer() -> None:
    """Else a message that is being committed would be sent again."""
    made = session()
    made.receive(b"MAIL FROM:<>\r\nRCPT TO:<bob@relay.example>\r\n")
    made.next_event()
    made.shut_down()
    assert not made.is_closing
    made.answer(ACCEPT)
    assert made.is_closing
    assert made.take_output() == replies.render(replies.SENDER_OK) + replies.render(replies.SHUTTING_DOWN)
    assert (made.next_event(), made.buffered_bytes) == (None, 0)


def test_after_the_end_nothing_is_read() -> None:
    made = session(errors=1)
    made.receive(b"XYZZY\r\nNOOP\r\n")
    made.take_output()
    made.receive(TRANSACTION)
    assert (made.take_output(), made.next_event(), made.buffered_bytes) == (b"", None, 0)


def test_ten_thousand_recipients() -> None:
    made = session(recipients=1000)
    made.receive(b"MAIL FROM:<>\r\n" + b"".join(b"RCPT TO:<u%d@relay.example>\r\n" % i for i in range(10_000)) + b"DATA\r\n")
    accept_all(made)
    output = made.take_output()
    assert (output.count(b"250 2.1.5 "), output.count(b"452 4.5.3 ")) == (1000, 9000)
    assert output.splitlines()[-1].startswith(b"354 ")


def test_a_message_of_many_packets() -> None:
    made = session()
    made.receive(TRANSACTION)
    accept_all(made)
    content = (b"a" * 76 + b"\r\n") * 20_000
    for start in range(0, len(content), 1400):
        made.receive(content[start : start + 1400])
    made.receive(b".\r\n")
    event = made.next_event()
    assert isinstance(event, MessageReceived)
    assert event.content == content


def test_an_idle_session_is_small() -> None:
    """20 000 of them are part of the promise; measured 505 bytes on CPython 3.11 besides the shared limits."""
    limits = SmtpLimits()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = []
    for _ in range(200):
        made = SmtpSession(role=Role.SUBMISSION, hostname="relay.example", limits=limits, is_tls=True)
        made.receive(b"EHLO c.example\r\n")
        made.take_output()
        kept.append(made)
    each = (tracemalloc.get_traced_memory()[0] - before) / len(kept)
    tracemalloc.stop()
    assert each < 1024


def test_what_it_refuses_by_itself_can_be_counted() -> None:
    made = session(message_bytes=1000, recipients=1)
    made.receive(b"MAIL FROM:<x@peer.example> SIZE=1001\r\n" * 2)
    made.receive(b"MAIL FROM:<x@peer.example>\r\nRCPT TO:<bob@relay.example>\r\nRCPT TO:<eve@relay.example>\r\n")
    accept_all(made)
    assert dict(made.refused) == {552: 2, 452: 1}
    assert not made.was_abused


@pytest.mark.parametrize("said", [b"WHAT\r\n" * 20, b"GET / HTTP/1.1\r\n", b"x" * 5000, b"NOOP\r\n" * 201])
def test_an_end_that_no_honest_client_meets_is_told_apart(said: bytes) -> None:
    made = session()
    made.receive(said)
    assert made.is_closing
    assert made.was_abused


@pytest.mark.parametrize("end", [b"QUIT\r\n", b"MAIL FROM:<x@peer.example>\r\nRSET\r\nQUIT\r\n"])
def test_an_ordinary_end_is_nobodys_attack(end: bytes) -> None:
    made = session()
    made.receive(end)
    accept_all(made)
    made.time_out()
    assert not made.was_abused
    assert not made.refused
