# SPDX-License-Identifier: AGPL-3.0-or-later
"""policy/ip.py: which texts are addresses, and which address is meant by one inside another."""

import pytest

from razdar.policy.ip import literal_of, parse_ip, unwrapped


@pytest.mark.parametrize(
    ("domain", "literal"),
    [
        ("[192.0.2.7]", "192.0.2.7"),
        ("[ipv6:2001:db8::1]", "2001:db8::1"),
        ("[ipv6:2001:DB8:0::7]", "2001:db8::7"),
        ("[ipv6:2001:0db8:0:0::1]", "2001:db8::1"),
        ("[999.0.2.7]", None),
        ("[192.0.2]", None),
        ("[192.0.02.7]", None),  # octal to some readers
        ("[2001:db8::1]", None),  # RFC 5321 section 4.1.3 wants the tag
        ("[ipv6:192.0.2.7]", None),
        ("[ipv6:fe80::1%eth0]", None),
        ("[192.0.2.7", None),
        ("192.0.2.7", None),
        ("peer.example", None),
        ("[", None),
        ("[]", None),
    ],
)
def test_literals(domain: str, literal: str | None) -> None:
    assert literal_of(domain) == literal


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("64:ff9b::7f00:1", "127.0.0.1"),
        ("64:ff9b:1::a00:1", "10.0.0.1"),
        ("2002:7f00:1::", "127.0.0.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::1", "::1"),
    ],
)
def test_an_address_inside_another_is_what_is_meant(text: str, meant: str) -> None:
    assert str(unwrapped(text)) == meant


@pytest.mark.parametrize("text", ["", "localhost", "192.0.2.07", "192.0.2", "2001:db8::1::", "192.0.2.7/24", " 192.0.2.7"])
def test_what_is_no_address(text: str) -> None:
    assert (parse_ip(text), unwrapped(text)) == (None, None)
