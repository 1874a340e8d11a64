# SPDX-License-Identifier: AGPL-3.0-or-later
"""`dclogin:` links (docs: WIRE facts, Accounts). That the real client takes them is shown in tests/interop."""

import pytest
from tests.dclogin import parse_dclogin

from razdar.model.address import Address
from razdar.wire.links import ANY_CERTIFICATE, Server, dclogin

ALI = Address("alialiali", "relay.test")


def test_a_plain_link() -> None:
    assert dclogin(ALI, "secret123") == "dclogin:alialiali@relay.test?p=secret123&v=1"


def test_a_link_with_ports_and_any_certificate() -> None:
    link = dclogin(ALI, "secret123", Server("192.0.2.7", 8993, 8465, certificate_checks=ANY_CERTIFICATE))
    assert link == ("dclogin:alialiali@relay.test?p=secret123&v=1&ih=192.0.2.7&ip=8993&is=ssl&sh=192.0.2.7&sp=8465&ss=ssl&ic=3")


def test_at_sign_and_brackets_stay_and_the_password_is_encoded() -> None:
    link = dclogin(Address("a", "[192.0.2.7]"), '&=?#%+ "/@ر')
    assert link == "dclogin:a@[192.0.2.7]?p=%26%3D%3F%23%25%2B%20%22%2F%40%D8%B1&v=1"


@pytest.mark.parametrize("address", [ALI, Address("a?b/c#d&e+f", "relay.test"), Address("a", "[ipv6:2001:db8::1]")])
@pytest.mark.parametrize("password", ["x", "a&b=c", "50%", "a+b c", "گذرواژه", "#?/"])
@pytest.mark.parametrize("server", [None, Server("2001:db8::1", 1, 65535, "starttls"), Server("mail.relay.test", 993, 465, "ssl", 1)])
def test_what_goes_in_comes_out(address: Address, password: str, server: Server | None) -> None:
    assert parse_dclogin(dclogin(address, password, server)) == (address, password, server)


@pytest.mark.parametrize(
    "link",
    [
        "",
        "https://relay.test/new",
        "dclogin:alialiali@relay.test",
        "dclogin:alialiali@relay.test?v=1",
        "dclogin:alialiali@relay.test?p=x&v=2",
        "dclogin:nobody?p=x&v=1",
        "dclogin:alialiali@relay.test?p=x&v=1&ih=host",
        "dclogin:alialiali@relay.test?p=x&v=1&ih=h&ip=a&sp=1&is=ssl&ic=0",
    ],
)
def test_other_texts_are_no_links_of_ours(link: str) -> None:
    with pytest.raises(ValueError):
        parse_dclogin(link)
