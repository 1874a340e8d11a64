# SPDX-License-Identifier: AGPL-3.0-or-later
"""Holes that others had to close in the parts that our pages stand on; each test does what the advisory describes."""

import asyncio

import h11
import pytest
from tests.web_pages import Browser, Relay

from razdar.servers.http_head import HeadLimits, StrictConnection


@pytest.mark.parametrize("terminator", [b"XX", b"\nX", b"X\n", b"\r\r"])
def test_cve_2025_43859_h11_took_any_two_bytes_for_the_end_of_a_chunk(terminator: bytes) -> None:
    connection = StrictConnection(HeadLimits())
    connection.receive_data(b"POST / HTTP/1.1\r\nHost: r\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc" + terminator + b"0\r\n\r\n")

    def read_all() -> None:
        while connection.next_event() is not h11.NEED_DATA:
            pass

    with pytest.raises(h11.RemoteProtocolError):
        read_all()


def test_cve_2024_24762_a_content_type_that_took_minutes_to_parse() -> None:
    kind = 'application/x-www-form-urlencoded; !="' + "\\" * 8_000
    assert Browser(Relay()).post("/reconnect", content=b"address=1", headers={"Content-Type": kind}).status_code == 422


def test_cve_2024_47874_a_form_field_that_filled_the_memory() -> None:
    """Starlette kept multipart fields without a file name whole; the edge stops a body at 64 KiB before anything is kept."""
    from razdar.servers.http_bounds import BoundedApp
    from razdar.servers.journal import Journal

    browser = Browser(Relay())
    bounded = BoundedApp(browser.app, 65_536, Journal(), {})
    piece = b"x" * 8_192
    read: list[int] = []
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        read.append(len(piece))
        start = b"--b\r\nContent-Disposition: form-data; name=address\r\n\r\n" if len(read) == 1 else b""
        return {"type": "http.request", "body": start + piece, "more_body": True}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    headers = [(b"content-type", b"multipart/form-data; boundary=b"), (b"transfer-encoding", b"chunked")]
    scope = {
        "type": "http", "method": "POST", "path": "/reconnect", "raw_path": b"/reconnect", "query_string": b"", "root_path": "",
        "scheme": "https", "headers": headers, "server": ("192.0.2.7", 8443), "client": None,
    }  # fmt: skip
    asyncio.run(bounded(scope, receive, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 413
    assert sum(read) < 100_000
