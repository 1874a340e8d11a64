# SPDX-License-Identifier: AGPL-3.0-or-later
"""Passkeys at the console, with an authenticator in software (WebAuthn level 2): what lets in, and all that does not."""

import asyncio
import base64
import hashlib
import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2 import cbor
from fido2.cose import ES256
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.console_world import Office, Operator
from tests.service_world import DOMAIN

from razdar.web.console.passkeys import WAIT_S, PasskeyRefused, Passkeys, possible_for
from razdar.web.console.sessions import TRIES_PER_MINUTE

ORIGIN = f"https://{DOMAIN}:8443"
PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Phone:
    """A platform authenticator and the browser in front of it."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    id: bytes = b"a passkey of this phone"
    origin: str = ORIGIN
    host: str = DOMAIN
    flags: int = PRESENT | VERIFIED

    def _client_data(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}).encode()

    def _data(self, more: bytes = b"", flags: int = 0) -> bytes:
        return hashlib.sha256(self.host.encode()).digest() + struct.pack(">BI", self.flags | flags, 0) + more

    def make(self, options: dict[str, Any]) -> dict[str, Any]:
        """navigator.credentials.create()"""
        public = ES256.from_cryptography_key(self.key.public_key())  # type: ignore[no-untyped-call]
        credential = bytes(16) + struct.pack(">H", len(self.id)) + self.id + cbor.encode(public)
        attestation = cbor.encode({"fmt": "none", "attStmt": {}, "authData": self._data(credential, ATTESTED)})
        data = self._client_data("webauthn.create", options["challenge"])
        return self._spelled({"clientDataJSON": text(data), "attestationObject": text(attestation)})

    def sign(self, options: dict[str, Any]) -> dict[str, Any]:
        """navigator.credentials.get()"""
        data, authenticator = self._client_data("webauthn.get", options["challenge"]), self._data()
        signature = self.key.sign(authenticator + hashlib.sha256(data).digest(), ec.ECDSA(SHA256()))
        return self._spelled({"clientDataJSON": text(data), "authenticatorData": text(authenticator), "signature": text(signature)})

    def _spelled(self, response: dict[str, str]) -> dict[str, Any]:
        return {"id": text(self.id), "rawId": text(self.id), "type": "public-key", "clientExtensionResults": {}, "response": response}


class Browser(Operator):
    """Says what static/console.js says."""

    def tell(self, step: str, **content: Any) -> httpx.Response:
        return self.ask("POST", f"/console/passkey/{step}", json=content)

    def add(self, phone: Phone) -> httpx.Response:
        options = self.tell("add", form=self.form_token).json()
        return self.tell("added", form=self.form_token, response=phone.make(options))


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    office.look()
    return office


@pytest.fixture
def phone(office: Office) -> Phone:
    """One that is known."""
    phone, browser = Phone(), Browser(office)
    browser.enter()
    assert browser.add(phone).json() == {"ok": True}
    return phone


def try_to_enter(office: Office, phone: Phone) -> httpx.Response:
    visitor = Browser(office)
    return visitor.tell("answer", response=phone.sign(visitor.tell("ask").json()))


def test_a_passkey_lets_in_without_a_link(office: Office, phone: Phone) -> None:
    visitor = Browser(office)
    page = visitor.page("/console")
    assert page.one("button", type="button").attributes["data-passkey"] == "enter"
    answer = try_to_enter(office, phone)
    assert answer.json() == {"ok": True}
    visitor.take_cookie(answer)
    assert visitor.get("/console/people").status_code == 200
    assert [each.kind for each in office.log.latest(3)] == ["enter", "passkey", "enter"]


def test_it_is_asked_to_check_who_holds_it(office: Office, phone: Phone) -> None:
    options = Browser(office).tell("ask").json()
    assert options["userVerification"] == "required"
    assert options["rpId"] == DOMAIN
    assert [each["id"] for each in options["allowCredentials"]] == [text(phone.id)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": ec.generate_private_key(ec.SECP256R1())},
        {"id": b"another passkey"},
        {"origin": "https://evil.example"},
        {"origin": f"http://{DOMAIN}"},
        {"origin": f"https://sub.{DOMAIN}"},
        {"host": "evil.example"},
        {"flags": PRESENT},
        {"flags": VERIFIED},
    ],
)
def test_nothing_else_lets_in(office: Office, phone: Phone, wrong: dict[str, Any]) -> None:
    for name, value in wrong.items():
        setattr(phone, name, value)
    answer = try_to_enter(office, phone)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert office.counted == ["console.refused"]


def test_an_answer_is_good_once_and_not_for_long(office: Office, phone: Phone) -> None:
    visitor = Browser(office)
    answer = phone.sign(visitor.tell("ask").json())
    late = phone.sign(visitor.tell("ask").json())
    assert visitor.tell("answer", response=answer).status_code == 200
    assert visitor.tell("answer", response=answer).status_code == 403
    office.clock.monotonic_s += WAIT_S + 1
    assert visitor.tell("answer", response=late).status_code == 403


def test_a_challenge_that_was_never_given_is_none(office: Office, phone: Phone) -> None:
    assert Browser(office).tell("answer", response=phone.sign({"challenge": text(bytes(32))})).status_code == 403


def test_wrong_answers_are_limited_and_the_link_still_works(office: Office, phone: Phone) -> None:
    stranger = Phone()
    statuses = [try_to_enter(office, stranger).status_code for _ in range(TRIES_PER_MINUTE + 1)]
    assert statuses == [403] * TRIES_PER_MINUTE + [429]
    Browser(office).enter()
    office.clock.monotonic_s += 60
    assert try_to_enter(office, phone).status_code == 200


def test_adding_needs_a_session_and_its_token(office: Office) -> None:
    inside = Browser(office)
    inside.enter()
    options = inside.tell("add", form=inside.form_token).json()
    assert Browser(office).tell("add", form=inside.form_token).status_code == 403
    assert inside.tell("add", form="0" * 48).status_code == 403
    assert Browser(office).tell("added", form=inside.form_token, response=Phone().make(options)).status_code == 403
    assert len(office.passkeys) == 0


def test_what_was_asked_for_one_passkey_adds_no_second(office: Office) -> None:
    browser = Browser(office)
    browser.enter()
    options = browser.tell("add", form=browser.form_token).json()
    assert browser.tell("added", form=browser.form_token, response=Phone().make(options)).status_code == 200
    assert browser.tell("added", form=browser.form_token, response=Phone(id=b"second").make(options)).status_code == 400


def test_a_form_of_a_foreign_page_cannot_speak_for_the_script(office: Office, phone: Phone) -> None:
    """JSON makes a browser ask us first, and nothing here answers that it may (CORS)."""
    visitor = Browser(office)
    assert visitor.ask("POST", "/console/passkey/ask", data={"a": "b"}).status_code == 403
    assert visitor.ask("POST", "/console/passkey/ask", json={}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert visitor.ask("OPTIONS", "/console/passkey/ask").status_code == 405


def test_on_an_address_or_with_an_unknown_certificate_there_are_none(tmp_path: Path) -> None:
    office = Office(tmp_path, is_self_signed=True)
    browser = Browser(office)
    browser.enter()
    assert browser.tell("add", form=browser.form_token).status_code == 403
    assert "make a fresh link each time" in browser.page("/console/passkey").text("main")
    hosts = ["relay.example", "a.b.ir", "192.0.2.7", "2001:db8::7", "k7f3q9d2.razdar.alt", "localhost", ""]
    assert [host for host in hosts if possible_for(host, is_self_signed=False)] == ["relay.example", "a.b.ir"]
    assert not any(possible_for(host, is_self_signed=True) for host in hosts)


def test_thrown_away_they_let_nobody_in(office: Office, phone: Phone) -> None:
    browser = Browser(office)
    browser.enter()
    browser.do("forget")
    assert browser.tell("ask").status_code == 404
    assert b"passkeys" in office.disk["passkeys"]
    assert text(phone.id).encode() not in office.disk["passkeys"]


def test_what_is_kept_is_read_again_and_names_nobody(office: Office, phone: Phone) -> None:
    kept = office.disk["passkeys"]
    again = Passkeys(lambda count: bytes(range(count)), office.clock.monotonic, kept, office.saver("passkeys"))
    again.finish(DOMAIN, phone.sign(dict(again.begin(DOMAIN))))
    assert set(json.loads(kept)) == {"format", "passkeys"}


@pytest.mark.parametrize("kept", [b"", b"{}", b"\xff", b'{"passkeys": ["x"]}', b'{"passkeys": [1]}'])
def test_a_file_that_cannot_be_read_holds_none(office: Office, kept: bytes) -> None:
    assert len(Passkeys(lambda count: bytes(count), office.clock.monotonic, kept, office.saver("passkeys"))) == 0


NAMES = st.sampled_from(["response", "clientDataJSON", "attestationObject", "rawId", "id", "type", "x"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["response", "rawId", "id", "type"]), JSON, max_size=4))
def test_nonsense_is_refused_and_nothing_else(response: dict[str, Any]) -> None:
    async def save(_: bytes) -> None:
        raise AssertionError("nothing is to be kept")

    passkeys = Passkeys(lambda count: bytes(count), lambda: 0.0, b"", save)
    _, state = passkeys.begin_adding(DOMAIN)
    passkeys.begin(DOMAIN)
    with pytest.raises(PasskeyRefused):
        asyncio.run(passkeys.finish_adding(DOMAIN, state, response))
    with pytest.raises(PasskeyRefused):
        passkeys.finish(DOMAIN, response)
