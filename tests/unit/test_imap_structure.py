# SPDX-License-Identifier: AGPL-3.0-or-later
"""MIME parts, ENVELOPE and BODYSTRUCTURE (RFC 3501 sections 6.4.5 and 7.4.2) against examples and against hostile input."""

import time
from email import message_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.mail.make import encrypted_message

from razdar.wire.imap.body_structure import body_structure
from razdar.wire.imap.envelope import ADDRESSES_MAX, address_list, envelope
from razdar.wire.imap.structure import DEPTH_MAX, PARTS_MAX, Part, locate, parameters_of, structure

MIXED = (
    b"Content-Type: multipart/mixed; boundary=outer\r\n\r\npreamble\r\n"
    b"--outer\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>\r\n"
    b"--outerX is no delimiter\r\n"
    b'--outer \t\r\nContent-Type: multipart/alternative; boundary="in ner"\r\n\r\n'
    b"--in ner\r\n\r\none\r\n--in ner\r\n\r\ntwo\r\n--in ner--\r\nepilogue\r\n"
    b"--outer\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ninside\r\n"
    b"--outer--\r\nepilogue\r\n"
)


def text_of(message: bytes, *path: int) -> bytes | None:
    part = locate(structure(message), path)
    return None if part is None else message[part.body : part.end]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((1,), b"<p>\r\n--outerX is no delimiter"),
        ((2, 1), b"one"),
        ((2, 2), b"two"),
        ((2, 3), None),
        ((3,), b"Subject: x\r\n\r\ninside"),
        ((3, 1), b"inside"),
        ((3, 1, 1), None),
        ((1, 1), None),
        ((4,), None),
    ],
)
def test_parts_by_number(path: tuple[int, ...], text: bytes | None) -> None:
    assert text_of(MIXED, *path) == text


def test_the_body_of_a_plain_message_is_its_part_one() -> None:
    assert text_of(b"Subject: x\r\n\r\nhello", 1) == b"hello"
    assert text_of(b"Subject: x\r\n\r\nhello", 2) is None
    assert text_of(b"Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\ninside", 1, 1) == b"inside"


def test_as_the_standard_library_sees_it() -> None:
    message = encrypted_message("a@chat.example", ["b@chat.example"])
    theirs = [part.get_payload() for part in message_from_bytes(message).walk() if not part.is_multipart()]
    ours = [text_of(message, number) for number in (1, 2)]
    assert [str(payload).replace("\r\n", "\n") for payload in theirs] == [(text or b"").decode().replace("\r\n", "\n") for text in ours]


def test_body_structure_of_the_standard_example() -> None:
    """RFC 3501 section 7.4.2, the multipart example."""
    message = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n"
        + b"x\r\n" * 23
        + b'--b\r\nContent-Type: text/plain; charset=us-ascii; name="cc.diff"\r\nContent-ID: <960723163407@cac>\r\n'
        b"Content-Description: Compiler diff\r\nContent-Transfer-Encoding: BASE64\r\n"
        b'Content-Disposition: attachment; filename="cc.diff"\r\nContent-Language: en\r\nContent-Location: here\r\n\r\nabc\r\n--b--\r\n'
    )
    root = structure(message)
    assert body_structure(message, root, is_extended=False) == (
        b'(("text" "plain" ("charset" "US-ASCII") NIL NIL "7bit" 67 23)'
        b'("text" "plain" ("charset" "us-ascii" "name" "cc.diff") "<960723163407@cac>" "Compiler diff" "BASE64" 3 1) "mixed")'
    )
    assert body_structure(message, root, is_extended=True) == (
        b'(("text" "plain" ("charset" "US-ASCII") NIL NIL "7bit" 67 23 NIL NIL NIL NIL)'
        b'("text" "plain" ("charset" "us-ascii" "name" "cc.diff") "<960723163407@cac>" "Compiler diff" "BASE64" 3 1'
        b' NIL ("attachment" ("filename" "cc.diff")) "en" "here") "mixed" ("boundary" "b") NIL NIL NIL)'
    )


def test_digest_parts_are_messages_by_default() -> None:
    message = b"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: x\r\n\r\ny\r\n--b--\r\n"
    part = locate(structure(message), (1,))
    assert part is not None
    assert part.kind == (b"message", b"rfc822")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (b"a@b", b'((NIL NIL "a" "b"))'),
        (b"Ann Bee <a@b>, <c@d>", b'(("Ann Bee" NIL "a" "b")(NIL NIL "c" "d"))'),
        (b'"A, \\"B\\"" <a@b>', b'(("A, \\"B\\"" NIL "a" "b"))'),
        (b"a@b (Old (style) name)", b'(("Old (style) name" NIL "a" "b"))'),
        (b"<@x,@y:a@b>", b'((NIL NIL "a" "b"))'),
        (b"u@[IPv6:::1]", b'((NIL NIL "u" "[IPv6:::1]"))'),
        (b"Us: a@b, c@d;", b'((NIL NIL "Us" NIL)(NIL NIL "a" "b")(NIL NIL "c" "d")(NIL NIL NIL NIL))'),
        (b"hidden-recipients: ;", b'((NIL NIL "hidden-recipients" NIL)(NIL NIL NIL NIL))'),
        (b"nobody", b'((NIL NIL "nobody" ""))'),
        (b"", b"NIL"),
        (b", ,", b"NIL"),
        (b"\xd8\xb9 <a@b>", b'(({2}\r\n\xd8\xb9 NIL "a" "b"))'),
    ],
)
def test_addresses(value: bytes, written: bytes) -> None:
    assert address_list(value) == written


def test_envelope_of_the_standard_example() -> None:
    """RFC 3501 section 8."""
    header = (
        b"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\n"
        b"Subject: IMAP4rev1 WG mtg summary and minutes\r\nTo: imap@cac.washington.edu\r\n"
        b"cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\nMessage-Id: <B27397-0100000@cac.washington.edu>\r\n\r\n"
    )
    assert envelope(header) == (
        b'("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev1 WG mtg summary and minutes"'
        b' (("Terry Gray" NIL "gray" "cac.washington.edu")) (("Terry Gray" NIL "gray" "cac.washington.edu"))'
        b' (("Terry Gray" NIL "gray" "cac.washington.edu")) ((NIL NIL "imap" "cac.washington.edu"))'
        b' ((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU")) NIL NIL'
        b' "<B27397-0100000@cac.washington.edu>")'
    )


def test_parameters() -> None:
    assert parameters_of(b'text/plain; A="x;\\"y"; (comment) b=c;; d') == (b"text/plain", ((b"a", b'x;"y'), (b"b", b"c")))


def deep(levels: int) -> bytes:
    return b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n) for n in range(levels))


def depth(part: Part) -> int:
    inner = [*part.children, *([part.embedded] if part.embedded else [])]
    return 1 + max(map(depth, inner), default=0)


def count(part: Part) -> int:
    return 1 + sum(map(count, part.children)) + (count(part.embedded) if part.embedded else 0)


@pytest.mark.parametrize(
    "message",
    [
        deep(10_000),
        b"Content-Type: message/rfc822\r\n\r\n" * 10_000,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 10_000,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\nContent-Type: message/rfc822\r\n\r\n" * 10_000,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--bX\r\n" * 500_000,
        b"Content-Type: multipart/mixed; boundary=" + b"b" * 100_000 + b"\r\n\r\n",
        b"Content-Type: a/b" + b"; x=y" * 1_000_000 + b"\r\n\r\n",
        b"Content-Type: " + b"(" * 1_000_000 + b"\r\n\r\n",
        b'Content-Type: a/b; x="' + b"\\" * 1_000_000 + b"\r\n\r\n",
        b"To: " + b"a@b, " * 100_000 + b"\r\n\r\n",
        b"To: " + b":;" * 100_000 + b"\r\n\r\n",
        b"X: y\r\n" * 1_000_000 + b"\r\n",
    ],
    ids=range(12),
)
def test_hostile_messages_cost_little(message: bytes) -> None:
    """VECTORS "MIME": 10^5 addresses, 10 MB header, 10^4 parts, 10^4 nested levels."""
    began = time.perf_counter()
    root = structure(message)
    written = body_structure(message, root, is_extended=True) + envelope(message[: root.body])
    assert time.perf_counter() - began < 1.0
    assert len(written) < 300_000
    assert depth(root) <= DEPTH_MAX + 1
    assert count(root) <= PARTS_MAX + DEPTH_MAX


def test_addresses_are_bounded() -> None:
    assert address_list(b"a@b, " * 5000).count(b"(NIL") == ADDRESSES_MAX


PIECES = st.sampled_from(
    [
        b"Content-Type: ",
        b"multipart/mixed; boundary=b",
        b"message/rfc822",
        b"\r\n",
        b"\r\n\r\n",
        b"--b",
        b"--b--",
        b"\n",
        b"\r",
        b"x",
        b';="(',
    ]
)


@given(st.lists(PIECES | st.binary(max_size=5), max_size=40).map(b"".join))
def test_any_bytes_have_a_structure(message: bytes) -> None:
    """Parts lie within their parent, in order, without overlap; what is written has balanced parentheses outside of strings."""
    root = structure(message)

    def check(part: Part) -> None:
        assert part.start <= part.body <= part.end <= len(message)
        position = part.body
        for child in [*part.children, *([part.embedded] if part.embedded else [])]:
            assert position <= child.start
            assert child.end <= part.end
            position = child.end
            check(child)

    check(root)
    assert body_structure(message, root, is_extended=True).startswith(b"(")
    assert b"\0" not in envelope(message)
