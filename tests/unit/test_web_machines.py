# SPDX-License-Identifier: AGPL-3.0-or-later
"""What programs ask for: POST /new, autoconfig, security.txt, robots.txt (WIRE.md "Accounts", RFC 9116)."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from tests.dclogin import parse_dclogin
from tests.web_pages import CLOSED, DOMAIN, HERE, LATER, PASSWORD, Browser, Relay

from razdar.settings import Settings, port_layout

PLAIN = f"http://{HERE}:8080"
CONFIGS = ("/.well-known/autoconfig/mail/config-v1.1.xml", "/mail/config-v1.1.xml")


def test_new_gives_name_and_password() -> None:
    answer = Browser(Relay(is_self_signed=False)).post("/new")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {"email": f"name00001@{DOMAIN}", "password": PASSWORD}


def test_new_gives_a_login_link_where_the_certificate_is_self_signed() -> None:
    answer = Browser(Relay()).post("/new?maxage=1").json()
    address, password, server = parse_dclogin(answer["dclogin_url"])
    assert (str(address), password) == (answer["email"], answer["password"])
    assert server == Relay().server_for(HERE)


@pytest.mark.parametrize(
    ("relay", "base_url", "status"),
    [
        (Relay(Settings(registration="closed"), refusal=CLOSED), "https://r.example", 403),
        (Relay(Settings(registration="invite"), refusal=CLOSED), "https://r.example", 403),
        (Relay(refusal=LATER), "https://r.example", 429),
        (Relay(), PLAIN, 403),
    ],
)
def test_new_says_no_with_a_reason_in_both_languages(relay: Relay, base_url: str, status: int) -> None:
    answer = Browser(relay, base_url).post("/new")
    assert answer.status_code == status
    assert answer.json().keys() == {"reason"}
    persian, english = answer.json()["reason"].split(" — ")
    assert english.isascii()
    assert not any(letter.isascii() and letter.isalpha() for letter in persian)


def test_new_is_not_for_browsers() -> None:
    answer = Browser(Relay()).get("/new")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("path", CONFIGS)
@pytest.mark.parametrize("layout", ["high", "standard", "20443"])
def test_autoconfig_names_the_real_ports(path: str, layout: str) -> None:
    ports = port_layout(layout)
    answer = Browser(Relay(ports=ports)).get(f"{path}?emailaddress=abcdefghi@{DOMAIN}")
    assert answer.headers["content-type"] == "application/xml"
    provider = ElementTree.fromstring(answer.text).find("emailProvider")
    assert provider is not None
    assert provider.findtext("domain") == DOMAIN

    def listed(kind: str) -> list[tuple[str | None, str | None]]:
        return [(each.findtext("port"), each.findtext("socketType")) for each in provider.findall(kind)]

    https = (str(ports["https"]), "SSL")
    assert listed("incomingServer") == [(str(ports["imaps"]), "SSL"), (str(ports["imap"]), "STARTTLS"), https]
    assert listed("outgoingServer") == [(str(ports["submissions"]), "SSL"), (str(ports["submission"]), "STARTTLS"), https]
    for server in [*provider.findall("incomingServer"), *provider.findall("outgoingServer")]:
        assert server.findtext("hostname") == DOMAIN
        assert server.findtext("username") == "%EMAILADDRESS%"
        assert server.findtext("authentication") == "password-cleartext"


def test_autoconfig_is_escaped() -> None:
    relay = Relay(Settings(advertise='<&">'))
    root = ElementTree.fromstring(Browser(replace(relay, domain="[192.0.2.7]")).get(CONFIGS[0]).text)
    assert [each.text for each in root.iter("hostname")] == ['<&">'] * 6
    assert root.findtext("emailProvider/domain") == "[192.0.2.7]"


def test_autoconfig_is_the_same_for_everybody() -> None:
    browser = Browser(Relay())
    assert browser.get(f"{CONFIGS[0]}?emailaddress=<x>").text == browser.get(CONFIGS[1]).text


def test_security_txt_exists_only_with_a_contact() -> None:
    assert Browser(Relay()).get("/.well-known/security.txt").status_code == 404
    answer = Browser(Relay(Settings(contact="mailto:op@school.example"))).get("/.well-known/security.txt")
    assert answer.text == "Contact: mailto:op@school.example\nExpires: 2027-05-17T00:00:00Z\nPreferred-Languages: fa, en\n"


def test_search_engines_are_asked_to_stay_away() -> None:
    assert Browser(Relay()).get("/robots.txt").text == "User-agent: *\nDisallow: /\n"


def test_json_is_ascii_safe() -> None:
    """The password of the test relay has a letter outside ASCII; it must survive."""
    assert json.loads(Browser(Relay()).post("/new").content)["password"] == PASSWORD
