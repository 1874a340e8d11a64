# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a folder is called, which keywords its flags stand for and whether it is subscribed, sealed for its owner, always of one length."""

import json
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from .account_key import PrivateKey
from .seal import HPKE, HPKE_BYTES, SealBroken

_RECORD_BYTES = 2000
"""32 keywords of 40 characters and a name of 255 fit; a page of the database holds two."""
FOLDER_SEAL_BYTES = _RECORD_BYTES + HPKE_BYTES
_CONTEXT = b"razdar folder 1"


@dataclass(frozen=True, slots=True)
class FolderSecret:
    """`keywords[n]` is what bit n of an entry's keywords stands for (at most 32).

    `is_name_only`: there is no folder, only a subscription to its name (RFC 3501 section 6.3.6: that outlives the folder).
    """

    name: str
    keywords: tuple[str, ...] = ()
    is_subscribed: bool = False
    is_name_only: bool = False


def seal_folder(public_key: bytes, secret: FolderSecret) -> bytes:
    """`FOLDER_SEAL_BYTES` bytes. ValueError if name and keywords are too long together: the caller has limits below that."""
    fields = [secret.name, secret.keywords, secret.is_subscribed, *([True] if secret.is_name_only else [])]
    record = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
    if len(record) > _RECORD_BYTES:
        raise ValueError("name and keywords do not fit")
    # JSON ignores the spaces that fill the record.
    return HPKE.encrypt(record.ljust(_RECORD_BYTES), X25519PublicKey.from_public_bytes(public_key), info=_CONTEXT)


def unseal_folder(private_key: PrivateKey, sealed: bytes) -> FolderSecret:
    """What was sealed; raises SealBroken."""
    try:
        name, keywords, is_subscribed, *more = json.loads(HPKE.decrypt(sealed, private_key.key, info=_CONTEXT))
        texts = [name, *keywords]
    except (InvalidTag, ValueError, TypeError, RecursionError):  # whoever holds the disk can seal anything: the public key lies there
        raise SealBroken from None
    if not all(isinstance(text, str) for text in texts):
        raise SealBroken
    return FolderSecret(name, tuple(keywords), bool(is_subscribed), is_name_only=bool(more))
