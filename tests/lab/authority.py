# SPDX-License-Identifier: AGPL-3.0-or-later
"""A certificate authority of the test's own, as relays with a domain have one: processes trust it through `SSL_CERT_FILE`."""

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.lab.tls import certificate_for, common_name, for_names, new_key, write_pair


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
        key, stem = new_key(), names[0].replace(":", "_")
        builder = certificate_for(common_name(names[0]), key.public_key(), self.certificate.subject)
        certificate = for_names(builder, *names).sign(self.key, hashes.SHA256())
        return write_pair(certificate, key, (self.folder / f"{stem}.pem", self.folder / f"{stem}.key"))


def make_authority(folder: Path) -> Authority:
    """A fresh one; `folder` is made."""
    folder.mkdir(parents=True, exist_ok=True)
    key, name = new_key(), common_name("laboratory authority")
    builder = certificate_for(name, key.public_key(), name)
    certificate = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(key, hashes.SHA256())
    authority = Authority(folder, key, certificate)
    authority.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return authority
