# SPDX-License-Identifier: AGPL-3.0-or-later
"""The gate as a whole: every made message passes, every single change that puts text beside the ciphertext is refused."""

import random
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.mail import make

from razdar.model.address import Address
from razdar.model.verdict import ACCEPT, Accept, Refusal
from razdar.policy.encryption import require_encryption
from razdar.policy.sender import check_from

SENDER = "alialiali@relay.test"
WORDS = st.text(alphabet="abcdefghijklmnopqrstuvwxyz ابپ", min_size=1, max_size=40).map(lambda text: b"Text: " + text.encode())
SEEDS = st.integers(0, 2**32)


@given(SEEDS, st.integers(1, 30), st.integers(1000, 40_000))
def test_every_made_message_passes(seed: int, readers: int, size_bytes: int) -> None:
    message = make.encrypted_message(SENDER, ["b@relay.test"] * readers, size_bytes, seed)
    assert require_encryption(message) == ACCEPT
    assert require_encryption(message, is_incoming=True) == ACCEPT
    assert check_from(message, Address("alialiali", "relay.test")) == ACCEPT


def positions(message: bytes) -> dict[str, int]:
    """Places in the body where a sender could try to put words."""
    head = message.index(b"\r\n\r\n") + 4
    first, second = message.index(b"--", head), message.rindex(b"Content-Type: application/octet-stream")
    begin, end = message.index(make.ARMOR_BEGIN), message.index(make.ARMOR_END)
    return {
        "preamble": head,
        "before the first delimiter": first,
        "header of the first part": message.index(b"Content-Type: application/pgp", head),
        "body of the first part": message.index(b"\r\nVersion: 1\r\n", head) + 2,
        "after the first part": message.index(b"\r\nVersion: 1\r\n", head) + 14,
        "header of the second part": second,
        "before the armor": begin,
        "armor header": begin + len(make.ARMOR_BEGIN) + 2,
        "inside the armor": begin + len(make.ARMOR_BEGIN) + 4 + 66,
        "before the end": end,
        "after the armor": end + len(make.ARMOR_END) + 2,
        "epilogue": len(message),
    }


PLACES = sorted(positions(make.encrypted_message(SENDER, ["b@relay.test"])))


@given(SEEDS, WORDS, st.sampled_from(PLACES))
@settings(max_examples=300)
def test_words_in_any_place_are_refused(seed: int, words: bytes, place: str) -> None:
    message = make.encrypted_message(SENDER, ["b@relay.test"], seed=seed)
    at = positions(message)[place]
    assert isinstance(require_encryption(message[:at] + words + b"\r\n" + message[at:]), Refusal)


@given(SEEDS, WORDS, st.integers(0, 2))
def test_another_part_in_any_place_is_refused(seed: int, words: bytes, place: int) -> None:
    message = make.encrypted_message(SENDER, ["b@relay.test"], seed=seed)
    delimiter = b"--" + message.split(b'boundary="')[1].split(b'"')[0]
    pieces = message.split(delimiter)
    pieces.insert(place + 1, b"\r\nContent-Type: text/plain\r\n\r\n" + words + b"\r\n")
    assert isinstance(require_encryption(delimiter.join(pieces)), Refusal)


def swapped(message: bytes, rng: random.Random) -> bytes:
    """Two lines of the body have changed places."""
    lines = message.split(b"\r\n")
    one, two = sorted(rng.sample(range(8, len(lines)), 2))
    lines[one], lines[two] = lines[two], lines[one]
    return b"\r\n".join(lines)


def without_a_line(message: bytes, rng: random.Random) -> bytes:
    lines = message.split(b"\r\n")
    del lines[rng.randrange(len(lines))]
    return b"\r\n".join(lines)


def with_a_byte_changed(message: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(message))
    return message[:at] + rng.randbytes(1) + message[at + 1 :]


def cut(message: bytes, rng: random.Random) -> bytes:
    return message[: rng.randrange(len(message))]


@given(SEEDS, st.sampled_from([swapped, without_a_line, with_a_byte_changed, cut]))
@settings(max_examples=300)
def test_damage_never_raises(seed: int, damage: Callable[[bytes, random.Random], bytes]) -> None:
    message = damage(make.encrypted_message(SENDER, ["b@relay.test"], seed=seed), random.Random(seed))
    for is_incoming in (False, True):
        assert isinstance(require_encryption(message, is_incoming=is_incoming), Accept | Refusal)
    assert isinstance(check_from(message, Address("alialiali", "relay.test")), Accept | Refusal)


@given(st.binary(max_size=400), st.binary(max_size=400))
def test_arbitrary_bytes_never_raise_and_never_pass(header: bytes, body: bytes) -> None:
    for whole in (header + body, header + b"\r\n\r\n" + body, b"Content-Type: multipart/encrypted; boundary=b\r\n\r\n" + body):
        assert isinstance(require_encryption(whole), Refusal)
