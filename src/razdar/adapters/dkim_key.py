# SPDX-License-Identifier: AGPL-3.0-or-later
"""The key that signs what leaves for other relays, and the record that publishes it (RFC 6376).

RSA with 2048 bits: the verifiers that most relays run know nothing newer, and a record of a longer key does not fit into one answer over
UDP (RFC 8301 section 3.2).
"""

import base64
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

RSA_BITS = 2048
_PEM = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
_SHA256 = Prehashed(hashes.SHA256())


@dataclass(frozen=True, slots=True)
class DkimKey:
    """The relay's private key. Implements `wire.dkim.sign.Signer`."""

    private: rsa.RSAPrivateKey = field(repr=False)

    @property
    def algorithm(self) -> str:
        return "rsa-sha256"

    @classmethod
    def generate(cls) -> "DkimKey":
        return cls(rsa.generate_private_key(65_537, RSA_BITS))

    @classmethod
    def load(cls, pem: bytes) -> "DkimKey":
        """The key that `pem` made. ValueError if these bytes are no RSA key of at least 2048 bits."""
        try:
            private = serialization.load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=True)  # ours
        except (TypeError, UnsupportedAlgorithm) as error:
            raise ValueError("not a key") from error
        if not isinstance(private, rsa.RSAPrivateKey) or private.key_size < RSA_BITS:
            raise ValueError("not an RSA key that is long enough")
        return cls(private)

    def pem(self) -> bytes:
        """For the key file."""
        return self.private.private_bytes(*_PEM)

    def sign(self, digest: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 over a SHA-256 digest (RFC 6376 section 3.3.2); about a millisecond."""
        return self.private.sign(digest, padding.PKCS1v15(), _SHA256)

    def record(self) -> bytes:
        """The TXT record that publishes the public key. `t=s`: nobody signs for subdomains."""
        formats = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        public = self.private.public_key().public_bytes(*formats)
        return b"v=DKIM1; k=rsa; s=email; t=s; p=" + base64.b64encode(public)
