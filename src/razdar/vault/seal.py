# SPDX-License-Identifier: AGPL-3.0-or-later
"""The seal of one mailbox entry: which body it is, how to open it, its flags, readable by the account's key alone.

A seal is HPKE (RFC 9180, base mode, DHKEM X25519 with HKDF-SHA256, AES-256-GCM) over a record of fixed length, so that every seal has
the same length and two seals of the same message have nothing in common. Whoever seals cannot open. The library draws the ephemeral key
itself; there is no way to pass randomness in, and so none to get it wrong.

Measured on a small machine: seal 85 µs, unseal 50 µs. X25519, BLAKE2b and AES-GCM put together by hand would take 75 and 37; a standard
that others have reviewed is worth the difference.
"""

import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from razdar.model.ids import BodyId
from razdar.model.message import EntrySecret, Flag

from .account_key import PrivateKey

HPKE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
HPKE_BYTES = 32 + 16
"""What HPKE adds: the encapsulated key and the tag."""

_CONTEXT = b"razdar entry 1"
# body, content key, size, internal date, share, flags, keywords, charge; room for what comes later.
_RECORD = struct.Struct(">Q32sIqQHII2x")
SEAL_BYTES = _RECORD.size + HPKE_BYTES


class SealBroken(Exception):  # noqa: N818 - a state of the seal, named like one
    """Not sealed for this key, or changed since. Says no more than that."""


def seal(public_key: bytes, secret: EntrySecret) -> bytes:
    """`SEAL_BYTES` bytes that only the owner of `public_key` can open. A field out of its range raises struct.error: our bug."""
    record = _RECORD.pack(
        secret.body,
        secret.content_key,
        secret.size_bytes,
        secret.internal_date,
        secret.share,
        secret.flags,
        secret.keywords,
        secret.charge,
    )
    return HPKE.encrypt(record, X25519PublicKey.from_public_bytes(public_key), info=_CONTEXT)


def unseal(private_key: PrivateKey, sealed: bytes) -> EntrySecret:
    """What was sealed; raises SealBroken."""
    try:
        record = HPKE.decrypt(sealed, private_key.key, info=_CONTEXT)
        body, content_key, size_bytes, internal_date, share, flags, keywords, charge = _RECORD.unpack(record)
    except (InvalidTag, ValueError, struct.error):
        raise SealBroken from None
    return EntrySecret(BodyId(body), content_key, size_bytes, internal_date, Flag(flags), keywords, charge, share)
