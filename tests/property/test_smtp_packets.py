# SPDX-License-Identifier: AGPL-3.0-or-later
"""How the network cuts the bytes must not change what an SMTP session sees or says, and no bytes may make it raise."""

import base64
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.transcripts.smtp_driver import PASSWORD, SmtpDriver

from razdar.wire.smtp.content import ContentReader
from razdar.wire.smtp.session import Role, SmtpLimits

LIMITS = SmtpLimits(line_bytes=120, message_bytes=60, recipients=2, login_failures=2, errors=6)
LOGIN = base64.b64encode(b"\0alice@relay.example\0" + PASSWORD.encode())
PIECES = [
    b"EHLO c.example\r\n",
    b"AUTH PLAIN " + LOGIN + b"\r\n",
    b"AUTH PLAIN\r\n",
    b"AUTH LOGIN\r\n",
    LOGIN + b"\r\n",
    b"*\r\n",
    b"MAIL FROM:<alice@relay.example>\r\n",
    b"MAIL FROM:<> SIZE=61\r\n",
    b"RCPT TO:<bob@relay.example>\r\n",
    b"RCPT TO:<@a:b@c>\r\n",
    b"DATA\r\n",
    b"STARTTLS\r\n",
    b"RSET\r\n",
    b"QUIT\r\n",
    b"XYZZY\r\n",
    b"\r\n",
    b".\r\n",
    b"\r\n.\r\n",
    b"..\r\n",
    b".",
    b"\r",
    b"\n",
    b"\0",
    b"hello\r\n",
    b"x" * 50,
    "é".encode(),
]
HELLO = [b"EHLO c.example\r\n", b"AUTH PLAIN " + LOGIN + b"\r\n", b"MAIL FROM:<>\r\n", b"RCPT TO:<bob@relay.example>\r\n", b"DATA\r\n"]
dialogues = st.builds(
    lambda prefix, pieces: b"".join(HELLO[:prefix] + pieces),
    st.sampled_from([0, 1, 2, 5, 5]),
    st.lists(st.sampled_from(PIECES) | st.binary(max_size=6), max_size=25),
)
doors = st.tuples(st.sampled_from(Role), st.booleans())


def cut(data: bytes, places: list[int]) -> list[bytes]:
    borders = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(borders)]


def run(door: tuple[Role, bool], packets: list[bytes], *, is_lazy: bool = False) -> tuple[bytes, list[object], bool]:
    """What was said, the events and whether it is over. A lazy server answers nothing before the last packet is there."""
    driver = SmtpDriver(role=door[0], is_tls=door[1], limits=LIMITS)
    for packet in packets:
        if is_lazy:
            driver.session.receive(packet)
        else:
            driver.receive(packet)
    driver.serve()
    return driver.take_output(), list(driver.seen), driver.session.is_closing


@given(doors, dialogues, st.lists(st.integers(0, 10_000), max_size=12))
@settings(max_examples=300, deadline=None)
@example((Role.SUBMISSION, False), b"EHLO c\r\nSTARTTLS\r\nNOOP\r\n", [18])
@example((Role.RELAY, True), b"".join([HELLO[0], *HELLO[2:]]) + b"a\r\n.\r\nQUIT\r\n", [len(b"".join(HELLO)) - 60])
def test_packets_do_not_matter(door: tuple[Role, bool], data: bytes, places: list[int]) -> None:
    whole = run(door, [data])
    assert run(door, cut(data, places)) == whole
    assert run(door, [bytes([byte]) for byte in data]) == whole


@given(doors, dialogues, st.lists(st.integers(0, 10_000), max_size=6))
@settings(max_examples=100, deadline=None)
def test_the_server_may_take_its_time(door: tuple[Role, bool], data: bytes, places: list[int]) -> None:
    assert run(door, cut(data, places), is_lazy=True) == run(door, [data])


def stuffed(content: bytes) -> bytes:
    """As a client sends it (RFC 5321 section 4.5.2)."""
    lines = content.split(b"\r\n")[:-1]
    return b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines) + b".\r\n"


contents = st.lists(st.text(alphabet=".aé", max_size=5), max_size=8).map(lambda lines: "".join(f"{line}\r\n" for line in lines).encode())


@given(contents, st.lists(st.integers(0, 1000), max_size=6), st.sampled_from([b"", b"QUIT\r\n", b".\r\n", b"\n"]))
@settings(max_examples=300, deadline=None)
def test_a_message_arrives_as_it_was_sent(content: bytes, places: list[int], behind: bytes) -> None:
    reader, rest = ContentReader(200), b""
    found = False
    for packet in cut(stuffed(content) + behind, places):
        if found:
            rest += packet
        elif (after := reader.feed(packet)) is not None:
            found, rest = True, after
    assert (found, rest, reader.take()) == (True, behind, content)
