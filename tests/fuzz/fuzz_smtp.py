# SPDX-License-Identifier: AGPL-3.0-or-later
"""Fuzz target for the SMTP session: any bytes, cut anywhere, answered at random.

Invariant: no exception; everything said is well-formed replies; no password is looked at without TLS and no sender without login; memory
stays within the limits. Works with atheris (`atheris.Setup(sys.argv, smtp); atheris.Fuzz()`); test_fuzz_smtp.py runs it with fixed seeds.
"""

import re
from collections import Counter

from razdar.model.verdict import ACCEPT, Verdict
from razdar.wire.smtp import replies
from razdar.wire.smtp.events import Closed, LoginOffered, MessageReceived, SenderOffered, TlsRequested
from razdar.wire.smtp.session import Role, SmtpLimits, SmtpSession

LIMITS = SmtpLimits(line_bytes=256, message_bytes=300, recipients=3, login_failures=3, errors=8)
VERDICTS: list[Verdict] = [ACCEPT, ACCEPT, ACCEPT, ACCEPT, ACCEPT, replies.NO_SUCH_USER, replies.RATE_EXCEEDED, replies.SHUTTING_DOWN]
_REPLIES = re.compile(rb"(?:(?:\d{3}-[ -~]*\r\n)*\d{3} [ -~]*\r\n)*")


def smtp(data: bytes, seen: Counter[str] | None = None) -> None:
    """The first byte chooses the door and the packets, the second the answers, the rest is what the client sends. `seen` counts events."""
    if len(data) < 2:
        return
    door, seed, sent = data[0], data[1], data[2:]
    role, is_tls, size = (Role.RELAY, Role.SUBMISSION)[door & 1], bool(door & 2), (door >> 2) or len(sent) + 1
    session = SmtpSession(role=role, hostname="relay.example", limits=LIMITS, is_tls=is_tls)
    output = b""
    for start in range(0, len(sent), size):
        session.receive(sent[start : start + size])
        seed = _answer(session, role, seed, Counter() if seen is None else seen)
        output += session.take_output()
        kept = session._dialogue.content
        assert session.buffered_bytes < LIMITS.line_bytes
        assert kept is None or len(kept._buffer) <= LIMITS.message_bytes * 4 // 3 + 5
    assert _REPLIES.fullmatch(output)


def _answer(session: SmtpSession, role: Role, seed: int, seen: Counter[str]) -> int:
    """Every event is answered; a linear congruence is chance enough."""
    is_tls = session._dialogue.is_tls
    while (event := session.next_event()) is not None:
        seed = (seed * 109 + 89) % 256
        seen[type(event).__name__] += 1
        if isinstance(event, TlsRequested):
            session.tls_started()
            is_tls = True
        elif isinstance(event, LoginOffered):
            assert is_tls
            assert role is Role.SUBMISSION
        elif isinstance(event, SenderOffered):
            assert is_tls, "no envelope in clear, at either door"
            assert role is Role.RELAY or session.login is not None
        elif isinstance(event, MessageReceived):
            assert len(event.content) <= LIMITS.message_bytes
            assert event.envelope.recipients
        if seed % 16 == 7 and not isinstance(event, (TlsRequested, Closed)):
            session.fail()
        elif not isinstance(event, TlsRequested):
            session.answer(VERDICTS[seed % len(VERDICTS)])
    return seed
