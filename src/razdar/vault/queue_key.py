# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who owns what waits for other relays: an account of the relay itself, whose private key lies in DIR/keys and not under a password.

Whoever has the server's keys can therefore read the envelopes of that mail; the messages in it are encrypted end to end like all others.
"""

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from razdar.model.ids import AccountId

from .account_key import ACCOUNT_ID_BYTES, PrivateKey

_CONTEXT = b"razdar queue 1"


def queue_owner(id_key: bytes, queue_key: bytes) -> PrivateKey:
    """The key pair, with an account id that no address leads to. `queue_key`: 32 bytes."""
    account = AccountId(HKDF(SHA256(), ACCOUNT_ID_BYTES, None, _CONTEXT).derive(id_key))
    return PrivateKey(account, X25519PrivateKey.from_private_bytes(queue_key))
