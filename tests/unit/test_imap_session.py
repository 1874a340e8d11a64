# SPDX-License-Identifier: AGPL-3.0-or-later
"""The session's promises that a dialogue cannot show: order of calls, limits, memory."""

import sys

import pytest

from razdar.wire.imap import commands as c
from razdar.wire.imap.session import Capabilities, ImapLimits, ImapSession, State


def logged_in(**more: object) -> ImapSession:
    session = ImapSession(is_tls=True, **more)  # type: ignore[arg-type]
    session.receive(b"l LOGIN u p\r\n")
    assert session.next_event() == c.Login("l", "u", "p")
    session.ok()
    session.take_output()
    return session


def test_one_command_at_a_time() -> None:
    session = logged_in()
    session.receive(b"a NOOP\r\nb CHECK\r\nc NOOP\r\n")
    assert session.next_event() == c.Noop("a")
    assert session.next_event() is None
    assert session.buffered_bytes == len(b"b CHECK\r\nc NOOP\r\n")
    session.ok()
    assert session.next_event() == c.Noop("c")
    assert session.take_output() == b"a OK NOOP completed\r\nb BAD Not now: the connection is authenticated\r\n"


def test_a_client_that_is_mostly_right_may_stay() -> None:
    """A number that another device made obsolete is an honest mistake; only a row of mistakes ends the connection."""
    session = logged_in()
    for _ in range(100):
        session.receive(b"a FROB\r\nb CAPABILITY\r\n")
        assert session.next_event() is None
    assert not session.is_closing
    session.receive(b"a FROB\r\n" * 20)
    assert session.next_event() is None
    assert session.is_closing


def test_answers_need_a_command() -> None:
    session = logged_in()
    with pytest.raises(RuntimeError):
        session.ok()
    with pytest.raises(RuntimeError):
        session.no("x")
    with pytest.raises(RuntimeError):
        session.bad("x")
    with pytest.raises(RuntimeError):
        session.idle_started()


def test_answers_after_the_end_are_dropped() -> None:
    """The account is closed while a handler works for it."""
    session = logged_in()
    session.receive(b"a IDLE\r\n")
    assert session.next_event() == c.Idle("a")
    session.shut_down("The account is closed")
    session.idle_started()
    session.untagged(b"1 EXISTS")
    session.still_here()
    session.ok()
    session.no("x")
    session.bad("x")
    session.shut_down("again")
    session.receive(b"b NOOP\r\n")
    assert session.next_event() is None
    assert session.take_output() == b"* BYE The account is closed\r\n"
    assert session.is_closing
    assert session.state is State.LOGOUT


def test_no_line_end_gets_into_an_answer() -> None:
    session = logged_in()
    session.receive(b"a NOOP\r\n")
    assert session.next_event() is not None
    session.no("x\r\nb OK fooled", "CODE\n")
    assert session.take_output().count(b"\n") == 1


def test_capabilities_by_situation() -> None:
    capabilities = Capabilities(("A",), ("B",), ("C",))
    session = ImapSession(is_tls=False, capabilities=capabilities)
    assert session.take_output() == b"* OK [CAPABILITY A] Razdar ready\r\n"
    session.receive(b"a STARTTLS\r\n")
    assert session.next_event() == c.StartTls("a")
    assert session.next_event() is None
    session.tls_started()
    session.receive(b"b CAPABILITY\r\nc LOGIN u p\r\n")
    assert isinstance(session.next_event(), c.Login)
    session.ok("Hello")
    session.receive(b"d CAPABILITY\r\n")
    assert session.next_event() is None
    assert session.take_output().splitlines()[1:] == [
        b"* CAPABILITY B",
        b"b OK CAPABILITY completed",
        b"c OK [CAPABILITY C] Hello",
        b"* CAPABILITY C",
        b"d OK CAPABILITY completed",
    ]


def test_compress_only_if_announced() -> None:
    session = logged_in(capabilities=Capabilities(after_login=("COMPRESS=DEFLATE",)))
    session.receive(b"a COMPRESS LZMA\r\nb COMPRESS DEFLATE\r\n")
    assert session.next_event() == c.Compress("b", "DEFLATE")
    assert session.take_output() == b"a BAD Not offered\r\n"


def test_output_in_pieces() -> None:
    """A large message is not joined with anything before it is sent."""
    session = logged_in()
    session.receive(b"a NOOP\r\n")
    assert session.next_event() is not None
    message = bytes(range(256)) * 1000
    session.untagged_parts([b"1 FETCH (BODY[] {256000}\r\n", memoryview(message), b")"])
    session.ok()
    expected = b"* 1 FETCH (BODY[] {256000}\r\n" + message + b")\r\na OK NOOP completed\r\n"
    assert session.output_bytes == len(expected)
    pieces = []
    while piece := session.take_output(60_000):
        assert len(piece) <= 60_000
        pieces.append(piece)
    assert b"".join(pieces) == expected
    assert session.output_bytes == 0


def test_naming_one_body_often_holds_it_once() -> None:
    """VECTORS "FETCH of the same body 10^4 times": the queue is views on one message."""
    session = logged_in()
    message = b"x" * 1_000_000
    for _ in range(100):
        session.untagged_parts([b"1 FETCH (BODY[] {1000000}\r\n", memoryview(message)[:], b")"])
    assert session.output_bytes > 100_000_000
    assert sum(sys.getsizeof(part) for part in session._out._parts or ()) < 100_000


def test_before_login_the_whole_command_is_bounded() -> None:
    """VECTORS "IMAP before login"."""
    for attack in (b"(" * 100_000, b"a " + b"(" * 5000, b"a LOGIN" + b" {1+}\r\nx" * 2000, b"a LOGIN " + b"x" * 90_000):
        session = ImapSession(is_tls=True)
        largest = 0
        for start in range(0, len(attack), 1000):
            session.receive(attack[start : start + 1000])
            assert session.next_event() is None
            largest = max(largest, session.buffered_bytes)
        assert session.is_closing
        assert largest <= 4096 + 1000


def test_many_literals_that_wait_are_bounded_too() -> None:
    session = ImapSession(is_tls=True)
    session.receive(b"a LOGIN")
    for _ in range(1000):
        session.receive(b" {100}\r\n")
        assert session.next_event() is None
        if session.is_closing or b"TOOBIG" in session.take_output():
            break
        session.receive(b"x" * 100)
    else:
        pytest.fail("never refused")
    assert session.buffered_bytes == 0


def test_limits_are_those_after_login() -> None:
    session = logged_in(limits=ImapLimits(line_bytes=5000, message_bytes=10_000))
    session.receive(b"a APPEND x {10000}\r\n" + b"x" * 10_000 + b"\r\n")
    event = session.next_event()
    assert isinstance(event, c.Append)
    assert len(event.message) == 10_000


def test_an_idle_session_is_small() -> None:
    """DESIGN asks for little memory per idle connection; the engine's part is measured here."""
    session = logged_in()
    session.receive(b"a SELECT INBOX\r\n")
    assert session.next_event() is not None
    session.ok()
    session.receive(b"b IDLE\r\n")
    assert session.next_event() is not None
    session.idle_started()
    session.take_output()
    own = [session, vars(session), session._out, session._framer, vars(session._framer), session._framer._buffer, session._current]
    assert sum(map(sys.getsizeof, own)) < 2500
