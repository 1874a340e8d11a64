# SPDX-License-Identifier: AGPL-3.0-or-later
"""Fuzz target for the IMAP session: any bytes, cut anywhere, in front of a small relay that answers everything.

Invariant: no exception; everything said is lines with whole literals, each untagged, tagged or a continuation; no password is looked at
without TLS; no command that does not belong to the state; memory stays within the limits. Works with atheris
(`atheris.Setup(sys.argv, imap); atheris.Fuzz()`); test_imap_fuzz.py runs it with fixed seeds.
"""

import re

from tests.transcripts.imap_driver import ImapDriver, imap_unit

from razdar.wire.imap import commands as c
from razdar.wire.imap.session import Capabilities, ImapLimits
from razdar.wire.imap.states import TRANSITIONS

LIMITS = ImapLimits(line_bytes=300, literal_bytes=200, message_bytes=400, login_bytes=250, login_failures=3, errors=12)
CAPABILITIES = Capabilities(after_login=("IMAP4rev1", "IDLE", "COMPRESS=DEFLATE"))
_LINE = re.compile(rb"(?:\+ |\* |[!-~]{1,128} (?:OK|NO|BAD) )[^\r\n\0]*(?:\r\n|\{\d+\}\r\n)", re.DOTALL)


class Watched(ImapDriver):
    """Checks each command that comes out of the session."""

    def run(self) -> None:
        before = len(self.handled)
        state = self.session.state
        super().run()
        for event in self.handled[before:]:
            if isinstance(event, c.Login):
                assert self.session.is_tls
            if isinstance(event, c.Command) and len(self.handled) == before + 1:
                assert (state, type(event)) in TRANSITIONS or self.session.state is not state
            if isinstance(event, c.Append):
                assert len(event.message) <= LIMITS.message_bytes
            if isinstance(event, c.StartTls):
                assert self.session.buffered_bytes == 0
                self.session.tls_started()


def imap(data: bytes) -> None:
    """The first byte chooses the door and the packets, the rest is what the client sends."""
    if not data:
        return
    door, sent = data[0], data[1:]
    size = (door >> 1) or len(sent) + 1
    relay = Watched(is_tls=bool(door & 1), limits=LIMITS, capabilities=CAPABILITIES)
    relay.folders["INBOX"].add(b"Subject: one\r\n\r\nbody\r\n", set())
    output = b""
    for start in range(0, len(sent), size):
        relay.receive(sent[start : start + size])
        if start % 3 == 0 and not relay.session.is_closing:
            relay.deliver(b"Subject: two\r\n\r\n")
        output += relay.take_output()
        assert relay.session.buffered_bytes <= LIMITS.line_bytes + LIMITS.literal_bytes + LIMITS.message_bytes + size
    _check(output)


def _check(output: bytes) -> None:
    while output:
        length = imap_unit(output)
        assert length, output
        assert _LINE.match(output[:length]), output[:length]
        output = output[length:]
