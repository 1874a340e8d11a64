# SPDX-License-Identifier: AGPL-3.0-or-later
"""servers/http_head.py: which heads are refused before h11 reads them (RFC 9112 sections 2.2, 5.2, 6.3 and 11.2)."""

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from razdar.servers.http_head import HeadLimits, StrictConnection, fault

LIMITS = HeadLimits()
GOOD = b"POST /welcome HTTP/1.1\r\nHost: r.example\r\nContent-Length: 3\r\n\r\n"


def head(*fields: bytes, request: bytes = b"POST / HTTP/1.1") -> bytes:
    return b"\r\n".join((request, b"Host: r.example", *fields)) + b"\r\n\r\n"


@pytest.mark.parametrize("good", [GOOD, head(), head(b"Transfer-Encoding: chunked"), head(b"X: a\tb"), head(b"TE: trailers")])
def test_honest_heads_pass(good: bytes) -> None:
    assert fault(good, LIMITS) is None


@pytest.mark.parametrize(
    ("bad", "status"),
    [
        (head(b"Content-Length: 3", b"Transfer-Encoding: chunked"), 400),  # CL.TE
        (head(b"Transfer-Encoding: chunked", b"content-length:3"), 400),  # TE.CL
        (head(b"Content-Length: 3", b"Content-Length: 4"), 400),
        (head(b"Content-Length: 3", b"Content-Length: 3"), 400),  # h11 alone would merge these
        (head(b"Content-Length: 3, 3"), 400),
        (head(b"Content-Length: +3"), 400),
        (head(b"Content-Length: 0x3"), 400),
        (head(b"Content-Length: -3"), 400),
        (head(b"Content-Length: "), 400),
        (head("Content-Length: ٣".encode()), 400),
        (head(b"Content-Length: 9999999999999999999999"), 400),
        (head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), 400),
        (head(b"Transfer-Encoding: gzip, chunked"), 400),
        (head(b"Transfer-Encoding: xchunked"), 400),
        (head(b"Transfer-Encoding:\x0bchunked"), 400),
        (head(b"Transfer-Encoding : chunked", b"Content-Length: 3"), 400),
        (head(b"Transfer-Encoding: chunked", request=b"POST / HTTP/1.0"), 400),
        (head(b"X: a", b" Transfer-Encoding: chunked"), 400),  # folded
        (head(b"X: a", b"\tb"), 400),
        (head(b"X: a\nContent-Length: 3"), 400),  # bare LF
        (head(b"X: a\rContent-Length: 3"), 400),  # bare CR
        (head(b"X: a\0b"), 400),
        (b"GET / HTTP/1.1\nHost: r.example\n\n", 400),
        (head(*[b"X: a"] * 101), 431),
        (head(b"X: " + b"a" * 17_000), 431),
        (head(request=b"GET /" + b"a" * 3_000 + b" HTTP/1.1"), 414),
    ],
)
def test_heads_that_two_readers_could_read_differently_are_refused(bad: bytes, status: int) -> None:
    found = fault(bad, LIMITS)
    assert found is not None
    assert found.status == status


def events(data: bytes) -> list[object]:
    connection = StrictConnection(LIMITS)
    if data:  # nothing would mean the end of the stream
        connection.receive_data(data)
    seen: list[object] = []
    while True:
        event = connection.next_event()
        if event in (h11.NEED_DATA, h11.PAUSED):
            return seen
        seen.append(event)


@pytest.mark.parametrize("split", range(1, len(GOOD)))
def test_a_head_may_arrive_in_any_two_pieces(split: int) -> None:
    connection = StrictConnection(LIMITS)
    connection.receive_data(GOOD[:split])
    assert connection.next_event() is h11.NEED_DATA
    connection.receive_data(GOOD[split:])
    assert isinstance(connection.next_event(), h11.Request)


def test_a_second_head_in_the_same_packet_is_looked_at_too() -> None:
    connection = StrictConnection(LIMITS)
    connection.receive_data(head(request=b"GET / HTTP/1.1") + head(b"Content-Length: 1", b"Content-Length: 1"))
    assert [type(connection.next_event()) for _ in range(2)] == [h11.Request, h11.EndOfMessage]
    connection.send(h11.Response(status_code=204, headers=[]))
    connection.send(h11.EndOfMessage())
    connection.start_next_cycle()
    with pytest.raises(h11.RemoteProtocolError):
        connection.next_event()
    assert connection.refused.status == 400


def test_a_body_that_looks_like_a_head_stays_a_body() -> None:
    inner = head(b"Content-Length: 1", b"Transfer-Encoding: chunked")
    seen = events(head(b"Content-Length: %d" % len(inner)) + inner)
    assert [event.data for event in seen if isinstance(event, h11.Data)] == [inner]


def test_an_endless_head_is_refused_as_too_large() -> None:
    connection = StrictConnection(LIMITS)
    connection.receive_data(b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000)
    with pytest.raises(h11.RemoteProtocolError):
        connection.next_event()
    assert connection.refused.status == 431


FRAMING = st.sampled_from(
    [
        b"Content-Length: 3",
        b"Content-Length: 4",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: identity",
        b"X: y",
        b" folded",
        b"X: \n",
    ]
)


@settings(max_examples=200)
@given(fields=st.lists(FRAMING, max_size=5))
def test_at_most_one_statement_about_the_end_of_the_body_passes(fields: list[bytes]) -> None:
    made = head(*fields)
    if fault(made, LIMITS) is None:
        assert sum(field[:1] in b"CT" for field in fields) <= 1
        assert any(isinstance(event, h11.Request) for event in events(made))


@settings(max_examples=200)
@given(data=st.binary(max_size=200) | st.binary(max_size=100).map(lambda tail: GOOD[:40] + tail))
def test_any_bytes_are_accepted_or_refused_and_nothing_else(data: bytes) -> None:
    try:
        seen = events(data)
    except h11.RemoteProtocolError:
        return
    assert all(isinstance(event, (h11.Request, h11.Data, h11.EndOfMessage)) for event in seen)
