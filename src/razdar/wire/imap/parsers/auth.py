# SPDX-License-Identifier: AGPL-3.0-or-later
"""STARTTLS, LOGIN, AUTHENTICATE (RFC 3501 section 6.2), SASL-IR (RFC 4959), the PLAIN mechanism (RFC 4616)."""

import binascii
import re
from base64 import b64decode

from razdar.wire.errors import PeerError

from .. import commands as c
from ..fault import Declined
from ..grammar import Cursor, as_text
from .parser import Parser
from .sasl_start import SaslStart

_BASE64 = re.compile(rb"[A-Za-z0-9+/]+={0,2}|=")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
PASSWORD_CHARS_MAX = 1024


def parse_sasl_plain(tag: str, answer: bytes) -> c.Login | PeerError:
    """What `base64(authzid NUL user NUL password)` asks for. Acting for somebody else is declined, whoever they are."""
    try:
        decoded = b64decode(b"" if answer == b"=" else answer, validate=True)
        authzid, user, password = (as_text(piece) for piece in decoded.split(b"\0"))
        login = _login(tag, user, password)
    except (binascii.Error, ValueError):
        return PeerError("Not an answer to PLAIN")
    except PeerError as error:
        return error
    if authzid not in ("", user):
        return Declined("Nobody acts for somebody else here", "AUTHORIZATIONFAILED")
    return login


def _login(tag: str, user: str, password: str) -> c.Login:
    if _CONTROL.search(user) or _CONTROL.search(password):  # VECTORS "command injection"
        raise PeerError("Control character in user name or password")
    if len(password) > PASSWORD_CHARS_MAX or len(user) > PASSWORD_CHARS_MAX:
        raise PeerError("User name or password too long")
    return c.Login(tag, user, password)


def _parse_login(tag: str, cursor: Cursor) -> c.Login:
    cursor.space()
    user = cursor.text()
    cursor.space()
    return _login(tag, user, cursor.text())


def _parse_authenticate(tag: str, cursor: Cursor) -> SaslStart:
    cursor.space()
    mechanism = cursor.word()
    if not cursor.skip(b" "):
        return SaslStart(tag, mechanism)
    return SaslStart(tag, mechanism, cursor.want(_BASE64, "base64"))


PARSERS: dict[str, Parser] = {
    "STARTTLS": lambda tag, _: c.StartTls(tag),
    "LOGIN": _parse_login,
    "AUTHENTICATE": _parse_authenticate,
}
