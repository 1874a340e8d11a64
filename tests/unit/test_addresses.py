"""Which addresses links carry."""

import ipaddress
import socket

import pytest

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


@pytest.mark.namespace
def test_a_machine_that_has_only_itself_gets_its_loopback_address() -> None:
    assert own_addresses(["0.0.0.0"]) == ("127.0.0.1",)
    assert own_addresses(["::"]) == ("::1",)
