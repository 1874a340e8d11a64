# SPDX-License-Identifier: AGPL-3.0-or-later
"""Any sequence of keys before encrypted data is one message; any other order, and any byte too many or too few, is not."""

import random

from hypothesis import given
from hypothesis import strategies as st
from tests.mail import make

from razdar.wire.openpgp import dearmor, is_encrypted

BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\r\n"
SEEDS = st.integers(0, 2**32).map(random.Random)


def key(rng: random.Random) -> bytes:
    """A key packet in one of the encodings that are tolerated."""
    choices = [
        make.pkesk(rng),
        make.skesk(rng),
        make.packet(make.PKESK, b"\x03" + rng.randbytes(rng.choice([10, 190, 191, 192, 500, 8000]))),
        make.old_packet(make.PKESK, b"\x03" + rng.randbytes(200), length_octets=rng.choice([1, 2, 4])),
        make.old_packet(make.SKESK, b"\x04" + rng.randbytes(12), length_octets=rng.choice([1, 2, 4])),
    ]
    return rng.choice(choices)


def data(rng: random.Random) -> bytes:
    partial_bytes = rng.choice([0, 512, 1024, 8192])
    body = rng.choice([b"\x01", b"\x02"]) + rng.randbytes(rng.choice([60, 191, 192, 8383, 8384, 20_000]))
    return make.packet(make.SEIPD, body, partial_bytes=partial_bytes)


def packets(rng: random.Random) -> list[bytes]:
    return [key(rng) for _ in range(rng.randrange(1, 6))] + [data(rng)]


@given(SEEDS)
def test_valid_messages_pass(rng: random.Random) -> None:
    assert is_encrypted(b"".join(packets(rng)))


@given(SEEDS)
def test_a_cut_anywhere_is_noticed(rng: random.Random) -> None:
    whole = b"".join(packets(rng))
    assert not is_encrypted(whole[: rng.randrange(len(whole))])


@given(SEEDS, st.binary(min_size=1, max_size=100))
def test_a_trailer_is_noticed(rng: random.Random, trailer: bytes) -> None:
    assert not is_encrypted(b"".join(packets(rng)) + trailer)


@given(SEEDS, st.integers(0, 63).filter(lambda tag: tag not in (make.PKESK, make.SKESK, make.SEIPD)), st.binary(max_size=300))
def test_a_packet_of_another_type_is_noticed_anywhere(rng: random.Random, tag: int, body: bytes) -> None:
    pieces = packets(rng)
    pieces.insert(rng.randrange(len(pieces) + 1), make.packet(tag, body))
    assert not is_encrypted(b"".join(pieces))


@given(SEEDS)
def test_the_data_comes_last_and_once(rng: random.Random) -> None:
    pieces = packets(rng)
    assert not is_encrypted(b"".join([*pieces, data(rng)]))
    assert not is_encrypted(b"".join([pieces[-1], *pieces[:-1]]))


@given(st.binary(max_size=400))
def test_arbitrary_bytes_raise_nothing(whole: bytes) -> None:
    assert is_encrypted(whole) in (True, False)
    assert dearmor(whole, 0, len(whole)) is None


@given(st.binary(max_size=2000), st.booleans())
def test_armor_gives_back_what_went_in(content: bytes, has_checksum: bool) -> None:
    armored = make.armor(content, checksum=b"=AAAA\r\n" if has_checksum else b"").rstrip()
    assert dearmor(armored, 0, len(armored)) == (content or None)


@given(SEEDS, st.binary(min_size=1, max_size=60), st.data())
def test_what_is_put_into_the_armor_is_noticed(rng: random.Random, junk: bytes, where: st.DataObject) -> None:
    """Whatever is no base64 is noticed by the armor, and what is, by the packets, which do not account for it."""
    armored = make.armor(b"".join(packets(rng))).rstrip()
    first, last = len(make.ARMOR_BEGIN) + 4, len(armored) - len(make.ARMOR_END) - len(b"=YKqo\r\n")
    at = where.draw(st.integers(first + 1, last - 3))
    bent = armored[:at] + junk + armored[at:]
    opened = dearmor(bent, 0, len(bent))
    assert opened is None or set(junk) <= set(BASE64)
