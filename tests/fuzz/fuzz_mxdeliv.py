# SPDX-License-Identifier: AGPL-3.0-or-later
"""Fuzz target for what other relays send by HTTPS: any bytes, cut anywhere, through the strict reader of heads to envelope and letter.

Invariant: no exception; an envelope has one sender or none and no more recipients than allowed, each of which is an address or can at
least be printed; a wide head is taken at its own path only; what is strict has no look-alike of an end mark; a digest has one spelling.
"""

import h11

from razdar.model.address import parse_address, undeliverable
from razdar.model.message import Envelope
from razdar.model.verdict import Refusal
from razdar.policy.incoming import Letter, is_own, read_letter
from razdar.policy.ip import literal_of
from razdar.policy.proof import Way, ways_to_prove
from razdar.servers.http_head import HeadLimits, StrictConnection
from razdar.wire import confirm, mxdeliv

NARROW, WIDE = HeadLimits(head_bytes=300, target_bytes=150, fields=6), HeadLimits(head_bytes=900, target_bytes=150, fields=20)
RECIPIENTS = 4
OWN = "relay.example"


def relays(data: bytes) -> None:
    """The first byte says how the rest is cut into packets."""
    size, body = (data[0] or len(data)) if data else 1, b""
    connection = StrictConnection(NARROW, {mxdeliv.PATH: WIDE})
    for start in range(1, len(data), size):
        try:
            connection.receive_data(data[start : start + size])
            while isinstance(event := connection.next_event(), h11.Event):
                if isinstance(event, h11.Request):
                    _head(event)
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
        except h11.RemoteProtocolError:
            assert 400 <= connection.refused.status < 500
            break
        if event is h11.PAUSED:
            break
    _body(body)
    _body(data)


def _head(request: h11.Request) -> None:
    _, _, query = bytes(request.target).partition(b"?")
    assert len(request.headers) <= (WIDE if request.target == mxdeliv.PATH.encode() else NARROW).fields
    digest = confirm.asked(query)
    assert digest is None or confirm.question(digest).encode().endswith(b"?" + query)
    envelope = mxdeliv.read_envelope([(name.lower(), value) for name, value in request.headers], RECIPIENTS)
    assert isinstance(envelope, Envelope | Refusal)
    if isinstance(envelope, Envelope):
        assert 1 <= len(envelope.recipients) <= RECIPIENTS
        for address in envelope.recipients:
            text = str(address)
            assert parse_address(text) == address or undeliverable(text) or undeliverable(text.removesuffix("@"))


def _body(body: bytes) -> None:
    if mxdeliv.is_strict(body):
        assert not body.replace(b"\r\n", b"").translate(None, delete=bytes(set(range(256)) - set(b"\r\n\0")))
    letter = read_letter(body, OWN, header_bytes=2_000, header_fields=30)
    if isinstance(letter, Letter):
        assert not is_own(letter.author.domain, OWN)
        ways = ways_to_prove(letter.author.domain, "192.0.2.7")
        assert (Way.SOURCE in ways) == (literal_of(letter.author.domain) in ("192.0.2.7", "::ffff:192.0.2.7", "::ffff:c000:207"))
