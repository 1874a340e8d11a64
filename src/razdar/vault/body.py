# SPDX-License-Identifier: AGPL-3.0-or-later
"""The body of a message at rest: AES-256-GCM under a key of its own, padded to a size class.

The smallest class fills exactly one database page, which a chat message with its signature does too; above it there are four classes to
each doubling, so that padding costs at most a quarter and the size says little. The exact length is inside.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .seal import SealBroken

SMALLEST_BYTES = 4040
"""A 4096-byte page less its header, the row's header and its three numbers (docs/storage.md)."""

_LENGTH_BYTES = 4
_OVERHEAD_BYTES = _LENGTH_BYTES + 16  # the tag
# A content key encrypts one body and never a second one, so the nonce may stand still (NIST SP 800-38D section 8.2 asks for unique pairs).
_NONCE = bytes(12)
_CONTEXT = b"razdar body 1"


def padded_size(size: int) -> int:
    """Bytes on disk of a message of `size` bytes."""
    needed = size + _OVERHEAD_BYTES
    if needed <= SMALLEST_BYTES:
        return SMALLEST_BYTES
    step = 1 << max((needed - 1).bit_length() - 3, 10)
    return -(-needed // step) * step


def encrypt_body(content_key: bytes, message: bytes) -> bytes:
    """`padded_size(len(message))` bytes. The key must be fresh: one key, one body."""
    padding = padded_size(len(message)) - _OVERHEAD_BYTES - len(message)
    padded = b"".join((len(message).to_bytes(_LENGTH_BYTES, "big"), message, bytes(padding)))
    return AESGCM(content_key).encrypt(_NONCE, padded, _CONTEXT)


def decrypt_body(content_key: bytes, blob: bytes) -> bytes:
    """The message; raises SealBroken if the key is another one or a bit has changed."""
    try:
        padded = AESGCM(content_key).decrypt(_NONCE, blob, _CONTEXT)
    except (InvalidTag, ValueError):
        raise SealBroken from None
    length = int.from_bytes(padded[:_LENGTH_BYTES], "big")
    if _LENGTH_BYTES + length > len(padded):
        raise SealBroken
    return padded[_LENGTH_BYTES : _LENGTH_BYTES + length]
