# SPDX-License-Identifier: AGPL-3.0-or-later
"""servers/peer_slots.py: places for other relays."""

from hypothesis import given
from hypothesis import strategies as st

from razdar.servers.peer_slots import KNOWN_MAX, PeerSlot, PeerSlots


def network(number: int) -> bytes:
    return number.to_bytes(16, "big")


def test_one_network_has_a_few_places() -> None:
    counted: list[str] = []
    slots = PeerSlots(100, 2, counted.append)
    first, second = slots.enter(b"a"), slots.enter(b"a")
    assert first
    assert second
    assert slots.enter(b"a") is None
    assert slots.enter(b"b")
    first.leave()
    first.leave()
    assert slots.enter(b"a")
    assert slots.enter(b"a") is None
    assert counted == ["peer.refused", "peer.refused"]


def test_half_of_the_places_is_kept_for_those_who_brought_something() -> None:
    slots = PeerSlots(10, 5)
    good = slots.enter(b"good")
    assert good
    good.proved()
    good.leave()
    crowd = [slots.enter(network(number)) for number in range(100)]
    assert sum(each is not None for each in crowd) == 5
    assert [slots.enter(b"good") is not None for _ in range(6)] == [True] * 5 + [False]
    assert len(slots) == 10


def test_what_is_known_is_bounded() -> None:
    slots = PeerSlots(2, 1)
    for number in range(KNOWN_MAX + 1):
        slots.proved(network(number))
    held = slots.enter(b"a stranger")
    assert held
    assert slots.enter(network(0)) is None, "forgotten"
    assert slots.enter(network(1))


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["enter", "leave", "prove"])), max_size=60))
def test_no_bound_is_ever_broken(steps: list[tuple[int, str]]) -> None:
    slots, held = PeerSlots(6, 2), list[tuple[int, PeerSlot]]()
    for number, step in steps:
        if step == "enter":
            slot = slots.enter(network(number))
            held += [(number, slot)] if slot else []
        elif held:
            _, slot = held[number % len(held)]
            if step == "prove":
                slot.proved()
            else:
                slot.leave()
                held.pop(number % len(held))
        assert len(slots) == len(held) <= 6
        assert all(sum(each == other for other, _ in held) <= 2 for each, _ in held)
    for _, slot in held:
        slot.leave()
    assert len(slots) == 0
    assert slots._strangers == 0
