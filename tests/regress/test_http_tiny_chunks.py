# SPDX-License-Identifier: AGPL-3.0-or-later
"""Chunks cost a server far more than the bytes in them: 600 kB of them stood before everybody else's requests for a second."""

import h11
import pytest

from razdar.servers.http_head import CHUNK_BYTES_MIN, CHUNKS_FREE, HeadLimits, StrictConnection

HEAD = b"POST /mxdeliv HTTP/1.1\r\nHost: relay.example\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def pieces_of(connection: StrictConnection, data: bytes) -> int:
    """How many are given out until the request ends."""
    connection.receive_data(data)
    count = 0
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        assert event is not h11.NEED_DATA
        count += isinstance(event, h11.Data)
    return count


def test_a_body_of_tiny_chunks_is_refused() -> None:
    connection = StrictConnection(HeadLimits())
    with pytest.raises(h11.RemoteProtocolError):
        pieces_of(connection, HEAD + chunked(*[b"x"] * 100_000))
    assert (connection.refused.status, connection._chunks) == (400, CHUNKS_FREE + 1)


@pytest.mark.parametrize("size_bytes", [CHUNK_BYTES_MIN, 78, 4096])
def test_chunks_as_programs_write_them_pass(size_bytes: int) -> None:
    assert pieces_of(StrictConnection(HeadLimits()), HEAD + chunked(*[b"x" * size_bytes] * 5_000)) == 5_000


def test_a_body_that_comes_byte_by_byte_is_no_body_of_tiny_chunks() -> None:
    """Lines are cut into packets anywhere; that is for the deadlines."""
    connection = StrictConnection(HeadLimits())
    data = HEAD + chunked(b"x" * 5_000)
    events = 0
    for at in range(len(data)):
        connection.receive_data(data[at : at + 1])
        while connection.next_event() is not h11.NEED_DATA and connection.their_state is not h11.DONE:
            events += 1
    assert events > 5_000


def test_each_request_on_a_line_counts_anew() -> None:
    connection = StrictConnection(HeadLimits())
    for _ in range(3):
        assert pieces_of(connection, HEAD + chunked(*[b"x"] * (CHUNKS_FREE - 50))) == CHUNKS_FREE - 50
        connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
        connection.send(h11.EndOfMessage())
        connection.start_next_cycle()
