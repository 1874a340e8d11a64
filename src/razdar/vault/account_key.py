# SPDX-License-Identifier: AGPL-3.0-or-later
"""Accounts: the id that hides an address, and the private key that a password unlocks.

An account id is Argon2id of the address under the relay's id key: addresses are short, and whoever holds the disk and all keys still
pays some milliseconds for each one he tries. The private key lies under AES-256-GCM with a key derived from the password; that it opens
is the only proof of the password there is, no hash is kept beside it.

The functions that say *slow* take 4 to 25 ms of processor and 8 to 19 MiB; they release the interpreter's lock, so call them in a
thread, few at a time.
"""

from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from razdar.model.address import Address
from razdar.model.ids import AccountId

ACCOUNT_ID_BYTES = 16
SALT_BYTES = 16
LONG_PASSWORD = 16
"""Characters. From here on a password is one that a client or the relay drew (79 to 131 bits) and the light setting is right for it."""

_ID_SALT = b"razdar account 1"
# A locking key is used once: each change of the password comes with a new salt and so with a new key.
_NONCE = bytes(12)
_CONTEXT = b"razdar private key 1"


@dataclass(frozen=True, slots=True)
class Argon2Cost:
    """Iterations and KiB; one lane, because a thread is what we have."""

    iterations: int
    memory_kib: int


LIGHT = Argon2Cost(iterations=1, memory_kib=8 * 1024)
"""4 ms on a small machine."""
HEAVY = Argon2Cost(iterations=2, memory_kib=19 * 1024)
"""21 ms: the second choice of OWASP's password storage cheat sheet, for passwords that people make up."""


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """Opens every seal of one account. Lives in RAM only, and its representation shows nothing."""

    account: AccountId
    key: X25519PrivateKey

    def public_bytes(self) -> bytes:
        """The public half, 32 bytes: what deliveries are sealed to."""
        return self.key.public_key().public_bytes_raw()

    def __repr__(self) -> str:
        return "PrivateKey(…)"


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What the store keeps of a new account, besides its last day, and the key that its owner has unlocked by making it."""

    id: AccountId
    salt: bytes
    public_key: bytes
    locked_key: bytes
    private_key: PrivateKey


def derive_id(id_key: bytes, address: Address) -> AccountId:
    """The account id of an address on this relay; slow."""
    return AccountId(_argon2id(str(address).encode(), _ID_SALT, LIGHT, ACCOUNT_ID_BYTES, id_key))


def make_account(account: AccountId, password: str, salt: bytes) -> NewAccount:
    """A new key pair, the private half locked; slow. `salt` is `SALT_BYTES` fresh random bytes."""
    private_key = PrivateKey(account, X25519PrivateKey.generate())
    return NewAccount(account, salt, private_key.public_bytes(), relock(private_key, password, salt), private_key)


def unlock(account: AccountId, salt: bytes, locked_key: bytes, password: str) -> PrivateKey | None:
    """The private key, or None if the password is another one; slow either way."""
    try:
        raw = AESGCM(_locking_key(password, salt)).decrypt(_NONCE, locked_key, _CONTEXT + account)
    except InvalidTag:
        return None
    return PrivateKey(account, X25519PrivateKey.from_private_bytes(raw))


def relock(private_key: PrivateKey, password: str, salt: bytes) -> bytes:
    """The `locked_key` for a new password; slow. `salt` must be fresh, never that of an earlier password."""
    return AESGCM(_locking_key(password, salt)).encrypt(_NONCE, private_key.key.private_bytes_raw(), _CONTEXT + private_key.account)


def cost_of(password: str) -> Argon2Cost:
    """Follows from the length alone, so that nothing about the password needs to be stored."""
    return LIGHT if len(password) >= LONG_PASSWORD else HEAVY


def _locking_key(password: str, salt: bytes) -> bytes:
    stretched = _argon2id(password.encode(), salt, cost_of(password), 32, None)
    return HKDF(SHA256(), 32, None, _CONTEXT).derive(stretched)


def _argon2id(text: bytes, salt: bytes, cost: Argon2Cost, length: int, secret: bytes | None) -> bytes:
    argon2 = Argon2id(salt=salt, length=length, iterations=cost.iterations, lanes=1, memory_cost=cost.memory_kib, secret=secret)
    return argon2.derive(text)
