# SPDX-License-Identifier: AGPL-3.0-or-later
"""Fields in, bytes out: the header parser neither loses nor invents anything, and raises nothing but MimeError."""

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from razdar.wire.hygiene import for_mailbox, for_submission
from razdar.wire.mime import MimeError, header_values, parse_content_type, split_message

NAMES = st.text(alphabet=[chr(code) for code in range(33, 127) if chr(code) != ":"], min_size=1, max_size=12)
PIECES = st.binary(max_size=20).map(lambda piece: piece.translate(None, b"\r\n\0"))
VALUES = st.lists(PIECES, min_size=1, max_size=3).map(b"\r\n ".join)
FIELDS = st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=8)


def written(fields: list[tuple[str, bytes]], body: bytes) -> bytes:
    return b"".join(name.encode() + b":" + value + b"\r\n" for name, value in fields) + b"\r\n" + body


@given(FIELDS, st.binary(max_size=200))
def test_what_is_written_is_read(fields: list[tuple[str, bytes]], body: bytes) -> None:
    message = written(fields, body)
    parsed, rest = split_message(message)
    assert [field.name for field in parsed] == [name.lower() for name, _ in fields]
    assert b"".join(field.raw for field in parsed) + b"\r\n" == message[: len(message) - len(body)]
    assert rest == body


@given(FIELDS, st.binary(max_size=200))
def test_hygiene_takes_out_fields_and_changes_nothing_else(fields: list[tuple[str, bytes]], body: bytes) -> None:
    message = written([*fields, ("Received", b" x"), ("X-Mailer", b" y")], body)
    cleaned = for_submission(message)
    before, _ = split_message(message)
    after, rest = split_message(cleaned)
    removed = {"received", "x-originating-ip", "x-mailer", "user-agent", "bcc", "return-path", "subject"}
    assert [field.raw for field in after if field.name != "subject"] == [field.raw for field in before if field.name not in removed]
    assert header_values(after, "subject") == ["[...]"]
    assert rest == body
    assert for_submission(cleaned) == cleaned
    assert for_mailbox(cleaned) == cleaned or any(name.lower() in {"dkim-signature", "authentication-results"} for name, _ in fields)


def is_readable(message: bytes) -> bool:
    """Whether the parser takes it; anything it raises besides MimeError fails the test."""
    try:
        split_message(message)
    except MimeError:
        return False
    return True


@given(st.one_of(st.binary(max_size=300), FIELDS.map(lambda fields: written(fields, b""))))
def test_arbitrary_bytes_raise_nothing_else(data: bytes) -> None:
    if is_readable(data):
        assert is_readable(for_submission(data))
    for change in (for_submission, for_mailbox):
        with suppress(MimeError):
            change(data)
            assert is_readable(data)


@given(NAMES.filter(str.isalnum), st.dictionaries(NAMES.filter(str.isalnum).map(str.lower), st.text(max_size=20), max_size=4))
def test_content_types_survive_quoting(subtype: str, parameters: dict[str, str]) -> None:
    parameters = {name: value for name, value in parameters.items() if not set(value) & set("\r\n")}
    quoted = [name + '="' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for name, value in parameters.items()]
    kind = parse_content_type("; ".join([f"text/{subtype}", *quoted]))
    assert kind is not None
    assert (kind.media_type, kind.parameters) == (f"text/{subtype.lower()}", parameters)


@given(st.text(max_size=200))
def test_arbitrary_content_types_raise_nothing(value: str) -> None:
    kind = parse_content_type(value)
    assert kind is None or "/" in kind.media_type
