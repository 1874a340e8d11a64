# SPDX-License-Identifier: AGPL-3.0-or-later
"""The table of replies itself: RFC 5321 section 4.2, RFC 2034 section 4, RFC 3463, and what the Delta Chat core makes of it."""

import pytest

from razdar.model.verdict import Refusal
from razdar.wire.smtp import replies
from razdar.wire.smtp.replies import Reply, render, render_lines

TABLE = {name: value for name, value in vars(replies).items() if isinstance(value, Reply | Refusal)}
REFUSALS = {name: value for name, value in TABLE.items() if isinstance(value, Refusal)}
POSITIVE = {name: value for name, value in TABLE.items() if isinstance(value, Reply)}


@pytest.mark.parametrize("name", TABLE)
def test_a_reply_is_one_short_line_of_ascii(name: str) -> None:
    line = render(TABLE[name])
    assert line.endswith(b"\r\n")
    assert line[:-2].decode("ascii").isprintable()
    assert len(line) <= 512  # RFC 5321 section 4.5.3.1.5
    assert line[:3].isdigit()
    assert line[3:4] == b" "


@pytest.mark.parametrize("name", REFUSALS)
def test_code_and_enhanced_code_are_of_one_class(name: str) -> None:
    refusal = REFUSALS[name]
    kind, subject, detail = refusal.enhanced.split(".")
    assert kind == str(refusal.code)[0]
    assert kind in "45"
    assert refusal.is_temporary == (kind == "4")
    assert 0 <= int(subject) <= 7
    assert 0 <= int(detail) <= 999


@pytest.mark.parametrize("name", POSITIVE)
def test_positive_replies_have_enhanced_codes_where_allowed(name: str) -> None:
    reply = POSITIVE[name]
    assert reply.code < 400
    assert reply.enhanced == "" or (reply.code < 300 and reply.enhanced.startswith("2."))


def test_no_two_refusals_look_alike() -> None:
    assert len({refusal.text for refusal in REFUSALS.values()}) == len(REFUSALS)
    assert len(set(REFUSALS.values())) == len(REFUSALS)


def test_the_core_reads_every_code() -> None:
    """Its parser knows categories 0 to 5 only, and it takes 550 5.5.0 for temporary (chatmail core, smtp.rs)."""
    assert all(str(reply.code)[1] in "012345" for reply in TABLE.values())
    assert all((refusal.code, refusal.enhanced) != (550, "5.5.0") for refusal in REFUSALS.values())


def test_words_that_others_rely_on() -> None:
    assert "Invalid Unencrypted Mail" in replies.UNENCRYPTED.text
    assert replies.INVALID_FROM.text.startswith("Invalid FROM")
    assert replies.NO_DKIM.text == "No valid DKIM signature found"


def test_render() -> None:
    assert render(replies.TOO_BIG) == b"552 5.3.4 The message is too big\r\n"
    assert render(replies.ASK_NOTHING) == b"334 \r\n"
    assert render_lines(250, ["a", "b"]) == b"250-a\r\n250 b\r\n"
    assert render_lines(250, ["a"]) == b"250 a\r\n"
