# SPDX-License-Identifier: AGPL-3.0-or-later
"""The file that `./razdar backup` writes: a few named parts in one file that says whether it is whole, on wish under a passphrase.

The first line names format and kind; then, in clear, the SHA-256 of the rest and the rest, or, sealed, salt, nonce and the rest under
AES-256-GCM with a key that Argon2id makes of the passphrase (64 MiB, three passes: RFC 9106 section 4, second choice). The rest is a tar
archive of the parts without names, times or owners of this machine. Nothing in it is trusted when it is read: only known parts are taken,
once each, and nothing is ever unpacked to a path that the file names.
"""

import hashlib
import io
import tarfile
from collections.abc import Collection, Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from razdar.model.trouble import backup_damaged, backup_newer, not_a_backup, passphrase_wrong
from razdar.ports.clock import Entropy

_NAME = b"razdar backup "
_CLEAR, _SEALED = _NAME + b"1 clear\n", _NAME + b"1 sealed\n"
_SALT_BYTES, _NONCE_BYTES = 16, 12
_PASSES, _MEMORY_KIB = 3, 64 * 1024


def pack(parts: Mapping[str, bytes], passphrase: str, entropy: Entropy) -> bytes:
    """The content of a backup file; in clear if `passphrase` is empty."""
    archive = _archive(parts)
    if not passphrase:
        return _CLEAR + hashlib.sha256(archive).digest() + archive
    salt, nonce = entropy(_SALT_BYTES), entropy(_NONCE_BYTES)
    return _SEALED + salt + nonce + _cipher(passphrase, salt).encrypt(nonce, archive, _SEALED)


def is_backup(content: bytes) -> bool:
    """Whether a file that begins like this was written by `./razdar backup`, by whichever version."""
    return content.startswith(_NAME)


def is_sealed(content: bytes) -> bool:
    """Whether reading it takes a passphrase. Trouble if this is no backup, or one of a later version."""
    if not is_backup(content):
        raise not_a_backup()
    if not content.startswith((_CLEAR, _SEALED)):
        raise backup_newer()
    return content.startswith(_SEALED)


def unpack(content: bytes, passphrase: str, known: Collection[str]) -> Mapping[str, bytes]:
    """The parts that were packed. Trouble if a byte is wrong, the passphrase is, or there are others than `known`."""
    return _parts(_opened(content, passphrase) if is_sealed(content) else _checked(content), known)


def _checked(content: bytes) -> bytes:
    start = len(_CLEAR) + hashlib.sha256().digest_size
    archive = content[start:]
    if hashlib.sha256(archive).digest() != content[len(_CLEAR) : start]:
        raise backup_damaged()
    return archive


def _opened(content: bytes, passphrase: str) -> bytes:
    rest = content[len(_SEALED) :]
    salt, nonce, box = rest[:_SALT_BYTES], rest[_SALT_BYTES : _SALT_BYTES + _NONCE_BYTES], rest[_SALT_BYTES + _NONCE_BYTES :]
    if not box:
        raise backup_damaged()
    try:
        return _cipher(passphrase, salt).decrypt(nonce, box, _SEALED)
    except InvalidTag:
        raise passphrase_wrong() from None


def _cipher(passphrase: str, salt: bytes) -> AESGCM:
    return AESGCM(Argon2id(salt=salt, length=32, iterations=_PASSES, lanes=1, memory_cost=_MEMORY_KIB).derive(passphrase.encode()))


def _archive(parts: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in sorted(parts.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o600
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def _parts(archive: bytes, known: Collection[str]) -> Mapping[str, bytes]:
    parts: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as opened:
            for member in opened:
                content = opened.extractfile(member) if member.isreg() else None
                if content is None or member.name not in known or member.name in parts:
                    raise backup_damaged()
                parts[member.name] = content.read()
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:  # the last two: sizes that are no numbers of bytes
        raise backup_damaged() from error
    return parts
