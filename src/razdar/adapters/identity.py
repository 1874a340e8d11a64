# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who this relay is: its keys and a name, made once and kept in DIR/keys for as long as the data lives.

`id_key` goes into every account id: without it no account can be found. The signing key is the relay's identity towards others, and its
name for life is made from it: eight characters under `razdar.alt`, outside DNS (RFC 9476), so that a change of the machine's address
changes nothing. The name in use is remembered, because everybody's address ends in it. The queue key opens what waits for other relays,
and the DKIM key signs what goes to them. Keys are read at the start and never logged; one that an earlier version did not know is added.
"""

import base64
import hashlib
import os
import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from razdar.adapters.dkim_key import DkimKey
from razdar.adapters.files import private_folder, sync_folder, write_private
from razdar.model.trouble import data_not_writable, keys_incomplete, name_differs, never_started
from razdar.ports.clock import Entropy

KEY_BYTES = 32
_NAME_BYTES = 5
"""40 bits: eight characters of base32. Enough that two relays never meet by chance; a card's key, not the name, is what proves identity."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The relay's name and keys."""

    domain: str
    """What everybody's address ends in."""
    id_key: bytes = field(repr=False)
    signing_key: Ed25519PrivateKey = field(repr=False)
    queue_key: bytes = field(repr=False)
    """X25519, 32 bytes."""
    dkim_key: DkimKey = field(repr=False)


def open_identity(data: Path, domain: str, entropy: Entropy, *, change_name: bool = False) -> Identity:
    """The identity kept in `data`, made now if there is none. `domain` empty: the remembered name, at first the name for life.

    Trouble if the keys are damaged, or if `domain` is not the remembered one and no change is meant.
    """
    keys = private_folder(data) / "keys"
    if not keys.exists():
        _create(keys, domain, entropy)
    id_key, signing_key = _read_keys(keys)
    remembered = _remembered(keys)
    wanted = domain or remembered or name_for_life(signing_key)
    if wanted != remembered:
        if remembered is not None and not change_name:
            raise name_differs(remembered, wanted)
        write_private(keys / "domain", f"{wanted}\n".encode())
    return Identity(wanted, id_key, signing_key, _added_key(keys / "queue_key", entropy), _dkim_key(keys / "dkim.pem"))


def name_for_life(signing_key: Ed25519PrivateKey) -> str:
    """`<8 characters>.razdar.alt`, the same whenever it is made from the same key."""
    return name_of_key(signing_key.public_key().public_bytes_raw())


def name_of_key(public_key: bytes) -> str:
    """The same from the public half."""
    digest = hashlib.sha256(b"razdar name 1\0" + public_key).digest()
    return base64.b32encode(digest[:_NAME_BYTES]).decode().lower() + ".razdar.alt"


def _create(keys: Path, domain: str, entropy: Entropy) -> None:
    """All files appear at once under their final name, or none does: a power cut leaves no half identity."""
    draft = keys.with_name(f".keys.{secrets.token_hex(4)}")
    try:
        draft.mkdir(mode=0o700)
        write_private(draft / "id_key", entropy(KEY_BYTES))
        signing_key = entropy(KEY_BYTES)
        write_private(draft / "signing_key", signing_key)
        write_private(draft / "queue_key", entropy(KEY_BYTES))
        name = domain or name_for_life(Ed25519PrivateKey.from_private_bytes(signing_key))
        write_private(draft / "domain", f"{name}\n".encode())
        os.rename(draft, keys)  # noqa: PTH104 - fails, as wanted, if another start was faster
        sync_folder(keys.parent)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        if not keys.exists():
            raise data_not_writable(keys.parent) from error


def _read_keys(keys: Path) -> tuple[bytes, Ed25519PrivateKey]:
    try:
        id_key, signing_key = ((keys / name).read_bytes() for name in ("id_key", "signing_key"))
    except OSError as error:
        raise keys_incomplete(keys) from error
    if len(id_key) != KEY_BYTES or len(signing_key) != KEY_BYTES:
        raise keys_incomplete(keys)
    return id_key, Ed25519PrivateKey.from_private_bytes(signing_key)


def _added_key(path: Path, entropy: Entropy) -> bytes:
    """The key in this file, made now if there is none. Trouble if it is damaged."""
    try:
        if not path.exists():
            write_private(path, entropy(KEY_BYTES))
        key = path.read_bytes()
    except OSError as error:
        raise keys_incomplete(path.parent) from error
    if len(key) != KEY_BYTES:
        raise keys_incomplete(path.parent)
    return key


def _dkim_key(path: Path) -> DkimKey:
    """The key in this file, made now if there is none. Trouble if it is damaged."""
    try:
        if not path.exists():
            write_private(path, DkimKey.generate().pem())
        return DkimKey.load(path.read_bytes())
    except (OSError, ValueError) as error:
        raise keys_incomplete(path.parent) from error


def published_key(data: Path) -> tuple[str, str]:
    """The relay's name and the TXT record of its DKIM key (RFC 6376 section 3.6.1), without changing anything. Trouble before its first
    start."""
    keys = data / "keys"
    remembered = _remembered(keys)
    if remembered is None or not (keys / "dkim.pem").exists():
        raise never_started(data)
    return remembered, _dkim_key(keys / "dkim.pem").record().decode("ascii")


def _remembered(keys: Path) -> str | None:
    try:
        return (keys / "domain").read_text(encoding="ascii").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise keys_incomplete(keys) from error
