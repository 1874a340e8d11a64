# SPDX-License-Identifier: AGPL-3.0-or-later
"""A look at the certificate of another relay, for the operator who enters it by hand. Nothing is sent but the TLS handshake."""

import hashlib
import ipaddress
import socket
import ssl
from dataclasses import dataclass

_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What a peer showed."""

    pin: str
    """SHA-256 of the certificate (DER), lower-case hexadecimal."""
    is_vouched_for: bool
    """An authority that this machine trusts vouches for the name, so no pin is needed, and one would break at the next renewal."""


def look(name: str, addresses: tuple[str, ...], port: int) -> Seen | None:
    """The certificate of the first address where somebody answers; None: nobody did."""
    for address in addresses:
        certificate = _certificate(name, address, port, _trusting())
        if certificate:
            trusted = _certificate(name, address, port, ssl.create_default_context())
            return Seen(hashlib.sha256(certificate).hexdigest(), is_vouched_for=trusted == certificate)
    return None


def _trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _certificate(name: str, address: str, port: int, context: ssl.SSLContext) -> bytes:
    """DER; empty if there is none to be had this way."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        with (
            socket.create_connection((address, port), timeout=_PATIENCE_S) as connection,
            context.wrap_socket(connection, server_hostname=_server_name(name)) as encrypted,
        ):
            return encrypted.getpeercert(binary_form=True) or b""
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        return b""


def _server_name(name: str) -> str:
    """A literal without its brackets; Python checks it as an address and sends no SNI (RFC 6066 section 3)."""
    bare = name.removeprefix("[").removesuffix("]").removeprefix("ipv6:")
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return name
