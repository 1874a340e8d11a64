# SPDX-License-Identifier: AGPL-3.0-or-later
"""Fuzz target for the client of SMTP: any bytes for replies, cut anywhere, while messages wait to be sent.

Invariant: no exception; without TLS nothing is said but EHLO and STARTTLS; what is said is whole lines; nobody is told to have been served
without a 2yz behind a whole message; after the end there is silence.
"""

from collections import Counter

from razdar.model.address import Address
from razdar.wire.smtp.client import SmtpClient
from razdar.wire.smtp.client_events import ClientEvent, Ended, Ready, Sent, TlsAgreed

PEOPLE = tuple(Address(name, "peer.example") for name in "abc")
MESSAGE = b".x\r\n\r\nna\xc3\xafve\r\n"
STUFFED = b".." + MESSAGE[1:] + b".\r\n"


def smtp_client(data: bytes, seen: Counter[str] | None = None) -> None:
    """The first byte chooses the beginning and the packets, the rest is what the server sends. `seen` counts events."""
    if not data:
        return
    is_tls, size, sent = bool(data[0] & 1), (data[0] >> 1) or len(data), data[1:]
    client = SmtpClient("relay.example", is_tls=is_tls)
    said = b""
    for start in range(0, len(sent), size):
        client.receive(sent[start : start + size])
        for _ in range(3):  # a message that cannot be sent at all is dealt with at once, and so would be the next
            if (event := client.next_event()) is not None:
                is_tls |= isinstance(event, TlsAgreed)
                _look(event, said, seen)
                _go_on(client, event)
        output = client.take_output()
        assert not output or output.endswith(b"\r\n")
        assert is_tls or output in (b"", b"EHLO relay.example\r\n", b"STARTTLS\r\n")
        assert not (client.is_over and output)
        said += output
    client.lost()
    assert client.is_over


def _look(event: ClientEvent, said: bytes, seen: Counter[str] | None) -> None:
    if seen is not None:
        seen[type(event).__name__] += 1
    if isinstance(event, Sent) and len(event.refused) < len(PEOPLE):
        assert STUFFED in said


def _go_on(client: SmtpClient, event: ClientEvent) -> None:
    """TLS is started when asked for, and one message follows the other."""
    if isinstance(event, TlsAgreed):
        client.tls_started()
    elif isinstance(event, Ready | Sent) and not client.is_over:
        client.send(None, PEOPLE, MESSAGE)
    elif isinstance(event, Ended):
        assert client.next_event() is None
