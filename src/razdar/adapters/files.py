# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writing small files so that a crash leaves either the old one or the new one, and nobody else can read it.

Used for keys, certificates and run files; messages never come here.
"""

import os
import secrets
from pathlib import Path

from razdar.model.trouble import data_not_writable


def private_folder(folder: Path) -> Path:
    """`folder` exists and can be written; if this made it, only its owner can enter it. Trouble otherwise.

    A folder that was there keeps its mode: it may hold other things, and somebody chose who may see them. What we put into it is for the
    owner only in any case.
    """
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
    except OSError as error:
        raise data_not_writable(folder) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise data_not_writable(folder)
    return folder


def write_private(path: Path, content: bytes) -> None:
    """The file has this content, on stable storage, mode 0600; a reader sees the old content or the new, never a part."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Names made, renamed or removed in `folder` so far survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
