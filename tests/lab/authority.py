# SPDX-License-Identifier: AGPL-3.0-or-later
"""A certificate authority of the test's own, as relays with a domain have one: processes trust it through `SSL_CERT_FILE`."""

import datetime
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.lab.tls import subject_name

_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Authority:
    """Signs certificates; `file` is its own, in PEM."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def file(self) -> Path:
        return self.folder / "authority.pem"

    def issue(self, *names: str) -> tuple[Path, Path]:
        """Certificate and key as PEM files for these names and addresses, valid for a month."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(names[0], self.certificate.subject, key.public_key())
        builder = builder.add_extension(x509.SubjectAlternativeName([subject_name(name) for name in names]), critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        stem = names[0].replace(":", "_")
        paths = self.folder / f"{stem}.pem", self.folder / f"{stem}.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        unencrypted = serialization.NoEncryption()
        paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, unencrypted))
        return paths


def make_authority(folder: Path) -> Authority:
    """A fresh one; `folder` is made."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "laboratory authority")])
    builder = _builder("laboratory authority", name, key.public_key())
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    certificate = builder.sign(key, hashes.SHA256())
    authority = Authority(folder, key, certificate)
    authority.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return authority


def _builder(name: str, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])).issuer_name(issuer)
    builder = builder.public_key(public_key).serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - _DAY).not_valid_after(now + 30 * _DAY)
