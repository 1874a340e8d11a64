# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which hosts and addresses a domain's mail may go to, and what is asked of their certificates; as tables."""

import hashlib
import random

import pytest

from razdar.policy.route import NoRoute, Standing, is_host, mx_hosts, standing
from razdar.policy.trust import Check, Trust, trust_in

OURS = frozenset({"relay.example"})


def in_order(_: list[str]) -> None:
    """No chance."""


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([(20, "b.example"), (10, "a.example")], ["a.example", "b.example"]),
        ([(10, "a.example"), (10, "a.example"), (20, "a.example")], ["a.example"]),
        ([(0, "")], NoRoute.NO_MAIL_HERE),  # RFC 7505
        ([(0, ""), (10, "a.example")], ["a.example"]),  # a null MX beside another is none
        ([(10, "relay.example")], NoRoute.OURSELVES),
        ([(10, "relay.example"), (20, "b.example")], NoRoute.OURSELVES),  # RFC 5321 section 5.1: nobody behind us
        ([(10, "relay.example"), (10, "b.example")], NoRoute.OURSELVES),  # nor beside us
        ([(10, "a.example"), (20, "relay.example"), (30, "c.example")], ["a.example"]),
        ([(10, "192.0.2.7"), (20, "b.example")], ["b.example"]),  # RFC 1035: an MX names a host
        ([(10, "192.0.2.7")], NoRoute.NO_USABLE_HOST),
        ([(10, "a..example"), (10, "x" * 64 + ".example"), (10, "a\r\nb.example")], NoRoute.NO_USABLE_HOST),
    ],
)
def test_mx_hosts(records: list[tuple[int, str]], expected: list[str] | NoRoute) -> None:
    assert mx_hosts(records, OURS, in_order) == expected


def test_equal_preferences_are_shuffled_and_others_are_not() -> None:
    records = [(10, f"a{n}.example") for n in range(5)] + [(20, f"b{n}.example") for n in range(5)]
    found = {tuple(order) for seed in range(20) if isinstance(order := mx_hosts(records, OURS, random.Random(seed).shuffle), list)}
    assert len(found) > 15
    assert all({host[0] for host in order[:5]} == {"a"} and len(set(order)) == 10 for order in found)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("198.51.100.7", Standing.USABLE),
        ("10.1.2.3", Standing.USABLE),  # a town without the Internet
        ("192.168.1.1", Standing.USABLE),
        ("100.64.0.1", Standing.USABLE),
        ("fd00::1", Standing.USABLE),
        ("2001:db8::7", Standing.USABLE),
        ("127.0.0.1", Standing.OURSELVES),
        ("127.9.9.9", Standing.OURSELVES),
        ("::1", Standing.OURSELVES),
        ("0.0.0.0", Standing.OURSELVES),
        ("::", Standing.OURSELVES),
        ("192.0.2.1", Standing.OURSELVES),
        ("2001:db8:0:0::1", Standing.OURSELVES),
        ("::ffff:127.0.0.1", Standing.OURSELVES),
        ("::ffff:192.0.2.1", Standing.OURSELVES),
        ("64:ff9b::7f00:1", Standing.OURSELVES),
        ("2002:7f00:1::", Standing.OURSELVES),
        ("169.254.169.254", Standing.FORBIDDEN),
        ("::ffff:169.254.169.254", Standing.FORBIDDEN),
        ("fe80::1", Standing.FORBIDDEN),
        ("fe80::1%eth0", Standing.FORBIDDEN),
        ("224.0.0.1", Standing.FORBIDDEN),
        ("ff02::1", Standing.FORBIDDEN),
        ("255.255.255.255", Standing.FORBIDDEN),
        ("240.0.0.1", Standing.FORBIDDEN),
        ("0.1.2.3", Standing.FORBIDDEN),
        ("peer.example", Standing.FORBIDDEN),
    ],
)
def test_what_may_be_called_on_a_strangers_word(address: str, expected: Standing) -> None:
    assert standing(address, ["192.0.2.1", "2001:db8::1"]) is expected


@pytest.mark.parametrize("name", ["peer.example", "_peer.example", "a_b.example", "x" * 63 + ".example", "localhost"])
def test_hosts(name: str) -> None:
    assert is_host(name)


@pytest.mark.parametrize(
    "name", ["", ".", "a.", "-a.example", "a-.example", "192.0.2.7", "x" * 64, "ä.example", "a b", "a.example\n", "a." * 127 + "b"]
)
def test_what_is_no_host(name: str) -> None:
    assert not is_host(name)


@pytest.mark.parametrize(
    ("domain", "pin", "expected"),
    [
        ("peer.example", "", Trust(Check.AUTHORITY)),
        ("_peer.example", "", Trust(Check.NOTHING)),
        ("[192.0.2.7]", "", Trust(Check.NOTHING)),
        ("a._peer.example", "", Trust(Check.AUTHORITY)),
        ("_peer.example", "ab", Trust(Check.PIN, "ab")),
        ("peer.example", "ab", Trust(Check.PIN, "ab")),
    ],
)
def test_what_is_asked_of_a_certificate(domain: str, pin: str, expected: Trust) -> None:
    assert trust_in(domain, pin) == expected


def test_a_pin_is_this_certificate_and_no_other() -> None:
    trust = Trust(Check.PIN, hashlib.sha256(b"certificate").hexdigest())
    assert trust.accepts(b"certificate")
    assert not trust.accepts(b"another")
    assert not trust.accepts(None)
    assert Trust(Check.AUTHORITY).accepts(None)
