# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether a key that DNS shows has signed (RFC 6376, RFC 8301, RFC 8463).

Such keys are from anybody: small ones prove nothing, and huge ones or huge exponents would cost us time.
"""

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

RSA_BITS_MIN, RSA_BITS_MAX = 1024, 4096
"""RFC 8301 section 3.2: signers at least 1024, verifiers up to 4096."""
_EXPONENT_BITS_MAX = 64
_SHA256 = Prehashed(hashes.SHA256())


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
