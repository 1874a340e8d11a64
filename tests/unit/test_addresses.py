# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which addresses links carry."""

import ipaddress
import socket

import pytest
from tests.lab.namespace import own_address

from razdar.adapters import addresses
from razdar.adapters.addresses import own_addresses


def test_chosen_addresses_are_taken_as_they_are() -> None:
    assert own_addresses(["127.0.0.1", "::1"]) == ("127.0.0.1", "::1")


@pytest.mark.parametrize(("bind", "version"), [(["0.0.0.0"], 4), (["::"], 6)])
def test_every_address_means_those_of_this_machine_that_can_be_bound(bind: list[str], version: int) -> None:
    found = own_addresses(bind)
    assert found
    for each in found:
        assert ipaddress.ip_address(each).version == version
        with socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6) as door:
            door.bind((each, 0))


def test_nothing_is_named_twice() -> None:
    found = own_addresses(["::", "0.0.0.0", "127.0.0.1"])
    assert len(set(found)) == len(found)
    assert found[0] == "127.0.0.1"


def test_every_interface_is_found_without_netlink() -> None:
    """A service under RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX cannot open a netlink socket, which `socket.if_nameindex` does."""
    assert "127.0.0.1" in addresses._interfaces4()
    assert all(ipaddress.IPv4Address(each) for each in addresses._interfaces4())


@pytest.mark.namespace
def test_several_addresses_of_one_interface_are_all_found() -> None:
    with own_address("192.0.2.77"), own_address("192.0.2.78"):
        assert {"192.0.2.77", "192.0.2.78"} <= set(own_addresses(["0.0.0.0"]))


@pytest.mark.namespace
def test_a_machine_that_has_only_itself_gets_its_loopback_address() -> None:
    assert own_addresses(["0.0.0.0"]) == ("127.0.0.1",)
    assert own_addresses(["::"]) == ("::1",)
