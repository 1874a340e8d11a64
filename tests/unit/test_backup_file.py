# SPDX-License-Identifier: AGPL-3.0-or-later
"""The file of a backup: whole or refused, sealed or not, and never a way to write where it likes."""

import hashlib
import io
import os
import tarfile
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from razdar.adapters.backup_file import is_backup, is_sealed, pack, unpack
from razdar.model.trouble import Trouble

PARTS = {"keys/id_key": bytes(range(32)), "razdar.toml": b"keep_days = 3\n", "store.db": os.urandom(5000)}


@pytest.mark.parametrize("passphrase", ["", "گذرواژه‌ای دراز"])
def test_what_was_packed_comes_out(passphrase: str) -> None:
    content = pack(PARTS, passphrase, os.urandom)
    assert is_backup(content[:64])
    assert is_sealed(content) == bool(passphrase)
    assert unpack(content, passphrase, PARTS) == PARTS


def test_the_same_relay_gives_the_same_file() -> None:
    """No name, time or owner of the machine is in it."""
    assert pack(PARTS, "", os.urandom) == pack(dict(reversed(PARTS.items())), "", os.urandom)


def test_a_sealed_file_shows_nothing_and_never_repeats() -> None:
    one, other = (pack(PARTS, "a long passphrase", os.urandom) for _ in range(2))
    assert PARTS["keys/id_key"] not in one
    assert b"keep_days" not in one
    assert one[100:200] != other[100:200]


def test_a_wrong_passphrase_is_told() -> None:
    with pytest.raises(Trouble, match="passphrase"):
        unpack(pack(PARTS, "a long passphrase", os.urandom), "another passphrase", PARTS)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_one_wrong_bit_or_a_cut_is_noticed(data: st.DataObject) -> None:
    content = pack(PARTS, "", os.urandom)
    at = data.draw(st.integers(0, len(content) - 1))
    flipped = bytearray(content)
    flipped[at] ^= 1 << data.draw(st.integers(0, 7))
    for damaged in (bytes(flipped), content[:at]):
        with pytest.raises(Trouble):
            unpack(damaged, "", PARTS)


@pytest.mark.parametrize("at", [0, 15, 30, 50, 60, -1])
def test_one_wrong_byte_in_a_sealed_file_is_noticed(at: int) -> None:
    content = bytearray(pack(PARTS, "a long passphrase", os.urandom))
    content[at] ^= 1
    with pytest.raises(Trouble):
        unpack(bytes(content), "a long passphrase", PARTS)


@pytest.mark.parametrize("content", [b"", b"[domain]\n", b"razdar backup", b"SQLite format 3\0"])
def test_other_files_are_not_taken(content: bytes) -> None:
    with pytest.raises(Trouble, match="not a backup"):
        is_sealed(content)


def test_a_later_version_is_named_as_such() -> None:
    with pytest.raises(Trouble, match="newer"):
        is_sealed(b"razdar backup 2 clear\n...")


def _tar(members: Sequence[tarfile.TarInfo]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for member in members:
            archive.addfile(member)
    return out.getvalue()


def _member(name: str, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/passwd"
    return member


@pytest.mark.parametrize(
    "members",
    [
        [_member("../../root/.ssh/authorized_keys")],
        [_member("/etc/cron.d/x")],
        [_member("store.db", tarfile.SYMTYPE)],
        [_member("store.db", tarfile.LNKTYPE)],
        [_member("store.db", tarfile.DIRTYPE)],
        [_member("store.db", tarfile.CHRTYPE)],
        [_member("store.db"), _member("store.db")],
        [_member("another")],
    ],
    ids=lambda members: f"{members[0].name} {members[0].type!r} {len(members)}",
)
def test_a_forged_archive_names_no_path_of_its_own(members: list[tarfile.TarInfo]) -> None:
    """CVE-2007-4559: unpacking what an archive names."""
    archive = _tar(members)
    with pytest.raises(Trouble, match="damaged"):
        unpack(b"razdar backup 1 clear\n" + hashlib.sha256(archive).digest() + archive, "", PARTS)
