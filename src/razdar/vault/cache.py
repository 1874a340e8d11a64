# SPDX-License-Identifier: AGPL-3.0-or-later
"""RAM-only short cuts, so that a returning device and a known recipient cost microseconds instead of an Argon2id.

Keys of the tables are BLAKE2b under the boot key, which is drawn at each start and never written: a copy of the tables without it names
nobody, and after a restart there is nothing. Both caches are bounded; the entry that was not used for longest goes first.
"""

from collections import OrderedDict
from hashlib import blake2b

from razdar.model.address import Address
from razdar.model.ids import AccountId

from .account_key import PrivateKey

BOOT_KEY_BYTES = 32


class AddressCache:
    """Address to account id, whether the account exists or not."""

    def __init__(self, boot_key: bytes, limit: int = 100_000) -> None:
        self._boot_key = boot_key
        self._limit = limit
        self._ids: OrderedDict[bytes, AccountId] = OrderedDict()

    def find(self, address: Address) -> AccountId | None:
        """The id if it was remembered and has not been pushed out."""
        digest = self._digest(address)
        found = self._ids.get(digest)
        if found is not None:
            self._ids.move_to_end(digest)
        return found

    def remember(self, address: Address, account: AccountId) -> None:
        """`find` answers `account` until `limit` other addresses have come by."""
        self._ids[self._digest(address)] = account
        if len(self._ids) > self._limit:
            self._ids.popitem(last=False)

    def _digest(self, address: Address) -> bytes:
        return blake2b(str(address).encode(), key=self._boot_key, person=b"razdar address", digest_size=16).digest()


class LoginCache:
    """Address and password to the unlocked key. A wrong password is never in it."""

    def __init__(self, boot_key: bytes, limit: int = 20_000) -> None:
        self._boot_key = boot_key
        self._limit = limit
        self._logins: OrderedDict[bytes, PrivateKey] = OrderedDict()
        self._by_account: dict[AccountId, set[bytes]] = {}
        self.epoch = 0
        """Grows whenever an account is forgotten: what was looked up before may be over since (services/accounts.py)."""

    def find(self, address: Address, password: str) -> tuple[AccountId, PrivateKey] | None:
        """Account and key if this very pair unlocked it before."""
        digest = self._digest(address, password)
        found = self._logins.get(digest)
        if found is None:
            return None
        self._logins.move_to_end(digest)
        return found.account, found

    def remember(self, address: Address, password: str, account: AccountId, private_key: PrivateKey) -> None:
        """Call it only after the password has unlocked the key."""
        assert account == private_key.account
        digest = self._digest(address, password)
        self._logins[digest] = private_key
        self._by_account.setdefault(account, set()).add(digest)
        if len(self._logins) > self._limit:
            self._drop(*self._logins.popitem(last=False))

    def forget(self, account: AccountId) -> None:
        """No password opens the account from here any more: it was changed, or the account deleted or denied."""
        self.epoch += 1
        for digest in self._by_account.pop(account, ()):
            del self._logins[digest]

    def _drop(self, digest: bytes, private_key: PrivateKey) -> None:
        digests = self._by_account[private_key.account]
        digests.discard(digest)
        if not digests:
            del self._by_account[private_key.account]

    def _digest(self, address: Address, password: str) -> bytes:
        # An address has no NUL (model/address.py), so the two parts cannot run into each other.
        return blake2b(f"{address}\0{password}".encode(), key=self._boot_key, person=b"razdar login", digest_size=32).digest()
