# SPDX-License-Identifier: AGPL-3.0-or-later
"""Certificates made on the spot: for names and addresses, or of an authority; self-signed, or signed by that authority."""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = datetime.timedelta(days=1)


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def certificate_for(subject: x509.Name, key: ec.EllipticCurvePublicKey, issuer: x509.Name) -> x509.CertificateBuilder:
    """Valid from yesterday for a month."""
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    return builder.serial_number(x509.random_serial_number()).not_valid_before(now - _DAY).not_valid_after(now + 30 * _DAY)


def for_names(builder: x509.CertificateBuilder, *names: str) -> x509.CertificateBuilder:
    return builder.add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)


def write_pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, paths: tuple[Path, Path]) -> tuple[Path, Path]:
    """Both as PEM, the key in clear. Returns `paths`."""
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    unencrypted = serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, unencrypted))
    return paths


def self_signed(folder: Path, *names: str) -> tuple[Path, Path]:
    """Certificate and key as PEM files in `folder`, valid from yesterday for a month, for these names and addresses."""
    key, name = new_key(), common_name("laboratory")
    certificate = for_names(certificate_for(name, key.public_key(), name), *names).sign(key, hashes.SHA256())
    return write_pair(certificate, key, (folder / "certificate.pem", folder / "key.pem"))
