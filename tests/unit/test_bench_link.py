# SPDX-License-Identifier: AGPL-3.0-or-later
"""The benchmark's own clients: an answer is complete where it is, however the bytes were cut; a message is known by its number."""

import pytest
from bench.link import lines, tagged
from bench.messages import Template
from bench.pairs import Post
from bench.spec import Server, Spec

FETCHED = b"* 1 FETCH (UID 7 BODY[] {9}\r\nA1 no OK\r\n)\r\nA12 OK FETCH completed\r\n"


def test_a_tagged_answer_ends_at_its_line_however_it_was_cut() -> None:
    for cut in range(1, len(FETCHED) + 1):
        complete, buffer, ends = tagged(b"A12 "), bytearray(), []
        for start in range(0, len(FETCHED), cut):
            buffer += FETCHED[start : start + cut]
            ends.append(complete(buffer))
        assert ends[-1] == len(FETCHED), cut
        assert not any(ends[:-1]), cut


def test_an_answer_may_begin_with_its_tag_and_more_may_follow() -> None:
    assert tagged(b"A3 ")(bytearray(b"A3 OK\r\n* 1 EXISTS\r\n")) == len(b"A3 OK\r\n")


def test_pipelined_replies_are_counted_by_lines() -> None:
    complete = lines(3)
    assert not complete(bytearray(b"250 OK\r\n250 OK\r\n354"))
    assert complete(bytearray(b"250 OK\r\n250 OK\r\n354 Go\r\n")) == 24


def test_a_message_carries_its_number_and_nothing_else_changes() -> None:
    template = Template("a@example.org", ["b@example.org"])
    first, second = template.numbered(1), template.numbered(12345)
    assert b"Message-ID: <0000000000012345" in second
    assert len(first) == len(second)
    assert sum(a != b for a, b in zip(first, second, strict=True)) == 5


def test_a_message_that_comes_twice_ends_the_run() -> None:
    post = Post(sent_at={1: 0.0}, expected=1)
    post.arrived(1, 0.5)
    assert post.complete.is_set()
    assert post.latencies_ms() == [500.0]
    with pytest.raises(Exception, match="came twice"):
        post.arrived(1, 0.6)


def test_a_load_travels_as_json() -> None:
    spec = Spec("pairs", Server("127.0.0.1", 993, 465, [1]), [("a@example.org", "secret")], {"pairs": 1})
    assert Spec.from_json(spec.to_json()) == spec
