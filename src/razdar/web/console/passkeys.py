# SPDX-License-Identifier: AGPL-3.0-or-later
"""Passkeys (WebAuthn level 2): coming back to the console without a link, with the phone's or the key's own check of who holds it.

They are bound to the relay's name, so they need a domain and a certificate that browsers trust; on an address or with a self-signed
certificate the one-time link stays the way in. What is kept of a passkey is its public key: neither a name nor a time.
"""

import base64
import binascii
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from fido2.server import Fido2Server
from fido2.webauthn import (
    AttestedCredentialData,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from razdar.ports.clock import Entropy

KEPT_MAX = 8
WAIT_S = 300.0
CHALLENGES_MAX = 64
ALGORITHMS = (-7, -8, -257)
"""ES256, EdDSA and RS256 (IANA COSE algorithms): what phones, keys and Windows make."""
_USER = b"operator"
logging.getLogger("fido2").setLevel(logging.CRITICAL)  # it writes ids of passkeys into the log


class PasskeyRefused(Exception):  # noqa: N818 - a state of the ceremony, named like one
    """What the browser sent proves nothing. Why is of no interest to whoever sent it."""


def possible_for(host: str, *, is_self_signed: bool) -> bool:
    """Whether browsers make passkeys for a page at this host: a domain with a certificate they trust (WebAuthn section 5.1.2)."""
    return not is_self_signed and "." in host and not host.endswith(".alt") and not host.rpartition(".")[2].isdigit() and ":" not in host


class Passkeys:
    """Those that open this console."""

    def __init__(self, entropy: Entropy, monotonic: Callable[[], float], kept: bytes, save: Callable[[bytes], Awaitable[None]]) -> None:
        """`kept`: what `save` was given last, empty if nothing."""
        self._entropy = entropy
        self._monotonic = monotonic
        self._save = save
        self._known = _read(kept)
        self._asked: dict[bytes, float] = {}

    def __len__(self) -> int:
        return len(self._known)

    def begin_adding(self, host: str) -> tuple[Mapping[str, Any], Any]:
        """What the browser is asked, as JSON, and what `finish_adding` needs to know."""
        user = PublicKeyCredentialUserEntity(id=_USER, name="console", display_name="console")
        options, state = _server(host).register_begin(
            user,
            self._known,
            ResidentKeyRequirement.PREFERRED,
            UserVerificationRequirement.REQUIRED,
            challenge=self._entropy(32),
        )
        return dict(options)["publicKey"], state

    async def finish_adding(self, host: str, state: Any, response: Mapping[str, Any]) -> None:
        """The passkey opens the console from now on. Raises `PasskeyRefused`, and OSError if it could not be kept."""
        try:
            made = _server(host).register_complete(state, response).credential_data
        except Exception as error:  # the library raises what it meets; all of it comes from bytes of the browser
            raise PasskeyRefused from error
        if made is None or len(self._known) >= KEPT_MAX:
            raise PasskeyRefused
        await self._keep([*self._known, made])

    def begin(self, host: str) -> Mapping[str, Any]:
        """What a browser is asked that wants in, as JSON."""
        now_s, challenge = self._monotonic(), self._entropy(32)
        self._asked = {each: until for each, until in self._asked.items() if until > now_s}
        while len(self._asked) >= CHALLENGES_MAX:
            del self._asked[next(iter(self._asked))]
        self._asked[challenge] = now_s + WAIT_S
        options, _ = _server(host).authenticate_begin(self._known, UserVerificationRequirement.REQUIRED, challenge=challenge)
        return dict(options)["publicKey"]  # type: ignore[no-any-return]

    def finish(self, host: str, response: Mapping[str, Any]) -> None:
        """The browser holds one of our passkeys, and its owner was checked just now. Raises `PasskeyRefused`."""
        challenge = _challenge(response)
        if self._asked.pop(challenge, 0.0) <= self._monotonic():  # each is good for one try
            raise PasskeyRefused
        state = {"challenge": _text(challenge), "user_verification": UserVerificationRequirement.REQUIRED}
        try:
            _server(host).authenticate_complete(state, self._known, response)
        except Exception as error:
            raise PasskeyRefused from error

    async def forget_all(self) -> None:
        """Only a link from the relay's own machine lets in now."""
        await self._keep([])

    async def _keep(self, known: Sequence[AttestedCredentialData]) -> None:
        await self._save(json.dumps({"format": 1, "passkeys": [_text(bytes(each)) for each in known]}).encode())
        self._known = list(known)


def _server(host: str) -> Fido2Server:
    def is_ours(origin: str) -> bool:
        parts = urlsplit(origin)
        return parts.scheme == "https" and parts.hostname == host

    server = Fido2Server(PublicKeyCredentialRpEntity(name="Razdar", id=host), verify_origin=is_ours)
    server.allowed_algorithms = [each for each in server.allowed_algorithms if each.alg in ALGORITHMS]
    return server


def _challenge(response: Mapping[str, Any]) -> bytes:
    """What the browser says it signed; only looked up here."""
    try:
        data = json.loads(_bytes(response["response"]["clientDataJSON"]))
        return _bytes(data["challenge"])
    except (KeyError, TypeError, ValueError) as error:
        raise PasskeyRefused from error


def _read(kept: bytes) -> Sequence[AttestedCredentialData]:
    """A file that cannot be read holds no passkeys: the link still lets in."""
    try:
        return [AttestedCredentialData(_bytes(each)) for each in json.loads(kept)["passkeys"]]
    except Exception:
        return []


def _bytes(text: str) -> bytes:
    """Base64 for URLs without padding (WebAuthn section 5.1)."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError from error


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
