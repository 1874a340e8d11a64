# SPDX-License-Identifier: AGPL-3.0-or-later
"""policy/proof.py: who may say for which domain that a message is from there."""

import pytest

from razdar.policy.proof import Way, is_same, may_call_back, ways_to_prove

SIGNATURE, CALL_BACK, SOURCE = (Way.SIGNATURE,), (Way.CALL_BACK,), (Way.SOURCE,)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.7", "192.0.2.7", True),
        ("::ffff:192.0.2.7", "192.0.2.7", True),  # a listener for both families
        ("fe80::1%eth0", "fe80::1", True),
        ("2001:db8::1", "2001:0DB8:0::1", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("", "", False),
        ("", "192.0.2.7", False),
        ("nonsense", "nonsense", False),
    ],
)
def test_the_same_address(one: str, other: str, same: bool) -> None:
    assert is_same(one, other) is same


@pytest.mark.parametrize(
    ("domain", "source", "entered", "has_keys", "ways"),
    [
        ("peer.example", "192.0.2.7", (), False, SIGNATURE),
        ("peer.example", "192.0.2.7", ("192.0.2.7",), False, SOURCE),
        ("peer.example", "192.0.2.9", ("192.0.2.7",), False, SIGNATURE + CALL_BACK),
        ("peer.example", "192.0.2.7", ("192.0.2.7",), True, SIGNATURE),
        ("[192.0.2.7]", "192.0.2.7", (), False, SOURCE),
        ("[192.0.2.7]", "::ffff:192.0.2.7", (), False, SOURCE),
        ("[192.0.2.7]", "192.0.2.8", (), False, CALL_BACK),
        ("[192.0.2.7]", "", (), False, CALL_BACK),
        ("[192.0.2.7]", "192.0.2.8", ("192.0.2.8",), False, SOURCE),
        ("[192.0.2.7]", "192.0.2.7", ("192.0.2.8",), False, CALL_BACK),  # what was entered stands in place of the literal
        ("[192.0.2.7]", "192.0.2.8", ("192.0.2.8",), True, SOURCE),  # no signature can name a literal
        ("[999.1.1.1]", "192.0.2.7", (), False, ()),
    ],
)
def test_ways(domain: str, source: str, entered: tuple[str, ...], has_keys: bool, ways: tuple[Way, ...]) -> None:
    assert ways_to_prove(domain, source, entered=entered, has_keys=has_keys) == ways


@pytest.mark.parametrize(
    ("address", "source", "may"),
    [
        ("9.9.9.9", "8.8.8.8", True),
        ("2620:fe::fe", "8.8.8.8", True),
        ("127.0.0.1", "8.8.8.8", False),  # nobody reaches this machine's own services through us (SSRF)
        ("::1", "2620:fe::fe", False),
        ("::ffff:127.0.0.1", "8.8.8.8", False),
        ("10.1.2.3", "8.8.8.8", False),
        ("169.254.169.254", "8.8.8.8", False),  # where machines in clouds have their secrets
        ("10.1.2.3", "10.1.2.77", True),
        ("10.1.2.3", "10.1.3.77", False),
        ("fd00::1", "fd00::2", True),
        ("fd00::1", "10.1.2.3", False),
        ("127.0.0.2", "127.0.0.1", True),
        ("10.1.2.3", "", False),
        ("0.0.0.0", "0.0.0.1", False),
        ("224.0.0.1", "8.8.8.8", False),
        ("nonsense", "8.8.8.8", False),
    ],
)
def test_whom_a_stranger_may_make_us_ask(address: str, source: str, may: bool) -> None:
    assert may_call_back(address, source) is may
