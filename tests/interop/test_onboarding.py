# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every way into the relay that WIRE.md knows, walked by the real client until two people have written to each other."""

import html
import re
import ssl
import subprocess
import urllib.request
from collections.abc import Callable

import pytest
from deltachat_rpc_client.rpc import JsonRpcError
from tests.lab.client import Core, Person
from tests.lab.namespace import Names, own_address, require_namespace
from tests.lab.relay import Relay, random_text

pytestmark = [pytest.mark.client, pytest.mark.slow]
in_own_network = pytest.mark.namespace


def greet(ali: Person, bahar: Person) -> None:
    """Both ways of the line work."""
    ali.writes("سلام بهار", ali.chat_with(bahar))
    bahar.reads("سلام بهار")
    bahar.writes("Hello Ali", bahar.chat_with(ali))
    ali.reads("Hello Ali")


def settings_in_use(person: Person) -> str:
    return str(person.account.get_info()["used_transport_settings"])


@in_own_network
def test_dcaccount_on_a_name_that_begins_with_an_underscore(core: Core, relay_factory: Callable[..., Relay], names: Names) -> None:
    """The client makes name and password up itself and just logs in, over IMAP and SMTP at the same moment."""
    relay_factory(domain="_chat.test", ports="standard")
    names.add("_chat.test", "127.0.0.1")
    ali, bahar = core.people(["Ali", "Bahar"], lambda: "DCACCOUNT:_chat.test")
    assert ali.address.endswith("@_chat.test")
    greet(ali, bahar)


@in_own_network
def test_autoconfig_is_found_and_offers_443(core: Core, relay_factory: Callable[..., Relay], names: Names) -> None:
    """Without autoconfig the client would guess 993, 143, 465 and 587 only; 443 comes from our XML alone."""
    relay_factory(domain="_chat.test", ports="standard")
    names.add("_chat.test", "127.0.0.1")
    ali = core.person("Ali").set_up("DCACCOUNT:_chat.test")
    assert "_chat.test:443:tls" in settings_in_use(ali)


@in_own_network
def test_dcaccount_by_an_https_address(core: Core, relay_factory: Callable[..., Relay], names: Names) -> None:
    """`POST /new` answers with name and password."""
    relay_factory(domain="_chat.test", ports="standard")
    names.add("_chat.test", "127.0.0.1")
    ali, bahar = core.people(["Ali", "Bahar"], lambda: "DCACCOUNT:https://_chat.test/new")
    greet(ali, bahar)


@in_own_network
def test_a_closed_relay_says_so_in_its_own_words(core: Core, relay_factory: Callable[..., Relay], names: Names) -> None:
    """The `reason` of `POST /new` reaches the person."""
    relay_factory(domain="_chat.test", ports="standard", settings={"registration": "closed"})
    names.add("_chat.test", "127.0.0.1")
    with pytest.raises(JsonRpcError) as told:
        core.person("Ali").set_up("DCACCOUNT:https://_chat.test/new")
    assert "unexpected server response" not in str(told.value)
    assert "malformed" not in str(told.value)


def test_dclogin_with_ports_and_a_self_signed_certificate(core: Core, relay: Relay) -> None:
    assert relay.name.endswith(".razdar.alt")
    ali, bahar = core.people(["Ali", "Bahar"], relay.link)
    assert ali.address.endswith(relay.name)
    greet(ali, bahar)


def test_starttls(core: Core, relay: Relay) -> None:
    """Ports 143 and 587 of the layout; the client sends neither ALPN nor SNI there."""

    def code() -> str:
        imap, smtp = f"ip={relay.port('imaps')}", f"sp={relay.port('submissions')}"
        link = relay.link().replace("=ssl", "=starttls")
        return link.replace(imap, f"ip={relay.port('imap')}").replace(smtp, f"sp={relay.port('submission')}")

    ali, bahar = core.people(["Ali", "Bahar"], code)
    assert f":{relay.port('submission')}:starttls" in settings_in_use(ali)
    greet(ali, bahar)


def test_one_port_for_everything(core: Core, relay: Relay) -> None:
    """IMAP and SMTP on the HTTPS port, told apart by ALPN alone, as where only 443 is let through."""

    def code() -> str:
        link = relay.link().replace(f"ip={relay.port('imaps')}", f"ip={relay.port('https')}")
        return link.replace(f"sp={relay.port('submissions')}", f"sp={relay.port('https')}")

    ali, bahar = core.people(["Ali", "Bahar"], code)
    greet(ali, bahar)


@in_own_network
def test_ip_literal(core: Core, relay_factory: Callable[..., Relay]) -> None:
    require_namespace()
    with own_address("192.0.2.7"):
        relay = relay_factory(domain="[192.0.2.7]", bind="192.0.2.7")
        ali, bahar = core.people(["Ali", "Bahar"], relay.link)
        assert ali.address.endswith("@[192.0.2.7]")
        greet(ali, bahar)


def claim(url: str) -> str:
    """What a person does who opens the invitation: press the button. The `dclogin:` code on the page that comes."""
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with urllib.request.urlopen(urllib.request.Request(url, data=b"", method="POST"), context=trusting, timeout=20) as answer:
        page = html.unescape(answer.read().decode())
    code = re.search(r"dclogin:[^\s\"'<>]+", page)
    assert code is not None, page
    return code[0]


def test_a_claimed_invitation(core: Core, relay_factory: Callable[..., Relay]) -> None:
    """Registration by invitation only: the link makes one account, and the page gives its code to the claimer."""
    relay = relay_factory(settings={"registration": "invite"})
    said = subprocess.run(relay.other_command("invite", "--uses", "2"), env=relay.environment(), capture_output=True, text=True, check=True)
    url = re.search(r"https://\S+", said.stdout)
    assert url is not None, said.stdout
    ali, bahar = core.people(["Ali", "Bahar"], lambda: claim(url[0]))
    greet(ali, bahar)
    with pytest.raises(JsonRpcError):
        core.person("Uninvited").set_up(relay.link())


def test_a_wrong_password_is_told(core: Core, relay: Relay) -> None:
    """The account exists; whoever comes with another password gets neither in nor a second account."""
    local = random_text(9)
    core.person("Ali").set_up(relay.link(local, "the right password"))
    with pytest.raises(JsonRpcError, match=r"(?i)cannot login|authentication"):
        core.person("Mallory").set_up(relay.link(local, "the wrong password"))


def test_two_phones_with_the_same_code_share_one_mailbox(core: Core, relay: Relay) -> None:
    """Both scan it at the same moment: four logins race to make one account, and mail for it rings on both phones."""
    code = relay.link()
    phones = core.people(["Ali", "Ali again"], lambda: code)
    assert phones[0].address == phones[1].address
    bahar = core.person("Bahar").set_up(relay.link())
    for phone in phones:
        phone.forget_events()
    bahar.delivered(bahar.writes("for the first phone", bahar.chat_with(phones[0])))
    for phone in phones:
        phone.event("IncomingMsgBunch")
