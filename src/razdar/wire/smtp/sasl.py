# SPDX-License-Identifier: AGPL-3.0-or-later
"""SASL mechanisms PLAIN (RFC 4616) and LOGIN (never standardised; the Delta Chat core falls back to it), server side.

A mechanism turns the client's decoded responses into one `LoginOffered`. It knows no base64 lines and no states, and checks no
password. What it hands on is never empty and holds no NUL, CR or LF, so nothing behind it can be made to see two names or two
lines.
"""

import binascii
from typing import Protocol

from razdar.model.verdict import Refusal
from razdar.wire.smtp.events import LoginOffered
from razdar.wire.smtp.replies import ASK_NOTHING, ASK_PASSWORD, ASK_USER, AUTH_FAILED, AUTH_MALFORMED, Reply


class Mechanism(Protocol):
    """One authentication in progress."""

    @property
    def challenge(self) -> Reply:
        """What to ask before the first response, if the client sent none with AUTH."""

    def respond(self, response: bytes) -> Reply | LoginOffered | Refusal:
        """The next question, or the credentials, or why they are none."""


class Plain:
    """`authzid NUL authcid NUL passwd` in one response."""

    __slots__ = ()
    challenge = ASK_NOTHING

    def respond(self, response: bytes) -> Reply | LoginOffered | Refusal:
        """An authzid other than the login's own name is refused: nobody acts for anybody else here."""
        fields = response.split(b"\0")
        if len(fields) != 3:
            return AUTH_MALFORMED
        offered = credentials(fields[1], fields[2])
        if isinstance(offered, LoginOffered) and fields[0].lower() not in (b"", fields[1].lower()):
            return AUTH_FAILED
        return offered


class Login:
    """The user name in one response, the password in the next."""

    __slots__ = ("_user",)
    challenge = ASK_USER

    def __init__(self) -> None:
        self._user: bytes | None = None

    def respond(self, response: bytes) -> Reply | LoginOffered | Refusal:
        """Asks for the password once it has the name."""
        if self._user is None:
            self._user = response
            return ASK_PASSWORD
        return credentials(self._user, response)


def start(name: str) -> Mechanism | None:
    """The mechanism of that name (any case), or None."""
    mechanisms: dict[str, type[Plain] | type[Login]] = {"PLAIN": Plain, "LOGIN": Login}
    mechanism = mechanisms.get(name.upper())
    return mechanism() if mechanism else None


def credentials(user: bytes, password: bytes) -> LoginOffered | Refusal:
    """Both as text, if they can be what a person has."""
    if not user or not password or any(control in part for part in (user, password) for control in (b"\0", b"\r", b"\n")):
        return AUTH_MALFORMED
    try:
        return LoginOffered(user.decode(), password.decode())
    except UnicodeDecodeError:
        return AUTH_MALFORMED


def decode(text: str) -> bytes | None:
    """Strict base64 (RFC 4648 section 4), or None."""
    try:
        return binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
