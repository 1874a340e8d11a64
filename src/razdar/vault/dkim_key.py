# SPDX-License-Identifier: AGPL-3.0-or-later
"""The keys behind DKIM: ours, which signs, and everybody's, which prove (RFC 6376, RFC 8301, RFC 8463).

Ours is RSA with 2048 bits, because the verifiers that most relays run know nothing newer. Keys of others come from DNS, so from anybody:
small ones prove nothing, and huge ones or huge exponents would cost us time.
"""

import base64

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

RSA_BITS = 2048
RSA_BITS_MIN, RSA_BITS_MAX = 1024, 4096
"""RFC 8301 section 3.2: signers at least 1024, verifiers up to 4096."""
_EXPONENT_BITS_MAX = 64
_SHA256 = Prehashed(hashes.SHA256())


class DkimKey:
    """The relay's private key. Implements `wire.dkim.sign.Signer`."""

    algorithm = "rsa-sha256"

    def __init__(self, private: rsa.RSAPrivateKey) -> None:
        self._private = private

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
        formats = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return self._private.private_bytes(*formats)

    def sign(self, digest: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 over a SHA-256 digest (RFC 6376 section 3.3.2); about a millisecond."""
        return self._private.sign(digest, padding.PKCS1v15(), _SHA256)

    def record(self) -> bytes:
        """The TXT record that publishes the public key. `t=s`: nobody signs for subdomains."""
        formats = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        public = self._private.public_key().public_bytes(*formats)
        return b"v=DKIM1; k=rsa; s=email; t=s; p=" + base64.b64encode(public)


def verify(kind: str, public: bytes, digest: bytes, signature: bytes) -> bool:
    """Whether `signature` is good for this SHA-256 digest. Implements `wire.dkim.message.Verify`."""
    try:
        if kind == "ed25519":
            Ed25519PublicKey.from_public_bytes(public).verify(signature, digest)  # RFC 8463 section 3: PureEdDSA over the digest
            return True
        key = _rsa_key(public)
        if key is not None:
            key.verify(signature, digest, padding.PKCS1v15(), _SHA256)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return key is not None


def _rsa_key(public: bytes) -> rsa.RSAPublicKey | None:
    """The key, or None if it is of another kind or of a size that is not for us."""
    key = serialization.load_der_public_key(public)
    if not isinstance(key, rsa.RSAPublicKey) or not RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX:
        return None
    return key if key.public_numbers().e.bit_length() <= _EXPONENT_BITS_MAX else None
