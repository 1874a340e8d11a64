# SPDX-License-Identifier: AGPL-3.0-or-later
"""Splitting a message into fields and body (RFC 5322 section 2), and reading Content-Type (RFC 2045 section 5.1)."""

import pytest

from razdar.wire.mime import FIELDS_MAX, HEADER_BYTES_MAX, MimeError, content_type, header_values, parse_content_type, split_message


def test_fields_keep_their_order_and_bytes() -> None:
    message = b"From: <a@b.test>\r\nX-Long: one\r\n two\r\nFROM: again\r\n\r\nbody\r\n\r\nmore"
    fields, body = split_message(message)
    assert [field.name for field in fields] == ["from", "x-long", "from"]
    assert b"".join(field.raw for field in fields) + b"\r\n" + body == message
    assert header_values(fields, "from") == ["<a@b.test>", "again"]
    assert header_values(fields, "x-long") == ["one two"]


def test_the_body_is_not_copied() -> None:
    message = b"A: b\r\n\r\n" + bytes(1000)
    assert split_message(message)[1].obj is message


def test_an_empty_body_and_an_empty_value_are_fine() -> None:
    fields, body = split_message(b"A:\r\nB: \t \r\n\r\n")
    assert [field.value for field in fields] == ["", ""]
    assert len(body) == 0


def test_a_value_that_is_no_utf8_is_still_a_value() -> None:
    fields, _ = split_message(b"A: \xff\xfe\r\nB: \xd8\xb1\r\n\r\n")
    assert [field.value for field in fields] == ["��", "ر"]


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\r\n",
        b"\r\nFrom: a\r\n",
        b"no colon\r\n",
        b": no name\r\n",
        b" folded: first\r\n",
        b"From : space before the colon\r\n",
        b"Fr\0om: NUL in the name\r\n",
        b"From: NUL in \0 the value\r\n",
        b"Fr om: space in the name\r\n",
        b"From: bare \n LF\r\n",
        b"From: bare \r CR\r\n",
        b"Fr\xc3\xb6m: letter beyond ASCII in the name\r\n",
        b"A: b\nC: d\r\n",
    ],
)
def test_what_two_parsers_could_read_differently_is_an_error(header: bytes) -> None:
    with pytest.raises(MimeError):
        split_message(header + b"\r\nbody")


def test_without_an_empty_line_there_is_no_header() -> None:
    with pytest.raises(MimeError):
        split_message(b"From: a\r\nTo: b\r\n")


def test_a_header_has_to_end_within_the_limit() -> None:
    filler = b"X: " + b"y" * (HEADER_BYTES_MAX - 7)
    assert len(split_message(filler + b"\r\n\r\n")[0]) == 1
    with pytest.raises(MimeError):
        split_message(filler + b"y\r\n\r\n")
    with pytest.raises(MimeError):
        split_message(b"A: b\r\n\r\n", limit_bytes=7)


def test_too_many_fields_are_an_error() -> None:
    assert len(split_message(b"A:\r\n" * FIELDS_MAX + b"\r\n")[0]) == FIELDS_MAX
    with pytest.raises(MimeError):
        split_message(b"A:\r\n" * (FIELDS_MAX + 1) + b"\r\n")


@pytest.mark.parametrize(
    ("value", "media_type", "parameters"),
    [
        ("text/plain", "text/plain", {}),
        ("TEXT/Plain; Charset=utf-8", "text/plain", {"charset": "utf-8"}),
        ('multipart/mixed;boundary="a b;c\\"d"', "multipart/mixed", {"boundary": 'a b;c"d'}),
        ('multipart/encrypted; \tprotocol="x/y" ;  boundary=b;', "multipart/encrypted", {"protocol": "x/y", "boundary": "b"}),
        ('text/plain; name=""', "text/plain", {"name": ""}),
    ],
)
def test_content_types_that_are_plain(value: str, media_type: str, parameters: dict[str, str]) -> None:
    kind = parse_content_type(value)
    assert kind is not None
    assert (kind.media_type, kind.parameters) == (media_type, parameters)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "text",
        "text/",
        "/plain",
        "text/plain text/html",
        "text/plain, text/html",
        "text/plain; =x",
        "text/plain; charset",
        "text (comment)/plain",
        "multipart/mixed (a comment); boundary=x",
        "multipart/mixed; boundary=x (a comment)",
        "multipart/mixed; boundary=x; boundary=y",
        "multipart/mixed; boundary=x; BOUNDARY=x",
        "multipart/mixed; boundary*0=x; boundary*1=y",  # RFC 2231 section 3
        "multipart/mixed; boundary*=utf-8''x",  # RFC 2231 section 4
        'multipart/mixed; boundary="never closed',
        "multipart/mixed; boundary=a b",
        "text/plain;; charset=utf-8",
    ],
)
def test_content_types_that_parsers_differ_on_are_none(value: str) -> None:
    assert parse_content_type(value) is None


def test_two_content_type_fields_are_none() -> None:
    fields, _ = split_message(b"Content-Type: text/plain\r\ncontent-type: text/plain\r\n\r\n")
    assert content_type(fields) is None
