# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keys and a name that last as long as the data."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from razdar.adapters.dkim_key import _PEM
from razdar.adapters.files import private_folder, write_private
from razdar.adapters.identity import Identity, name_for_life, open_identity
from razdar.model.address import parse_address
from razdar.model.trouble import Trouble


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _keys(identity: Identity) -> tuple[bytes, bytes]:
    return identity.id_key, identity.signing_key.private_bytes_raw()


def test_the_name_is_for_life_and_comes_from_the_key(tmp_path: Path) -> None:
    first = open_identity(tmp_path / "a", "", os.urandom)
    again = open_identity(tmp_path / "a", "", os.urandom)
    other = open_identity(tmp_path / "b", "", os.urandom)
    assert (first.domain, _keys(first)) == (again.domain, _keys(again))
    assert first.domain == name_for_life(first.signing_key) != other.domain
    assert first.domain.endswith(".razdar.alt")  # RFC 9476
    assert len(first.domain.split(".")[0]) == 8
    assert parse_address(f"x@{first.domain}") is not None


def test_nobody_else_can_read_the_keys(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        open_identity(tmp_path / "data", "", os.urandom)
    finally:
        os.umask(before)
    assert [_mode(tmp_path / "data"), _mode(tmp_path / "data/keys")] == [0o700, 0o700]
    assert {file.name: _mode(file) for file in (tmp_path / "data/keys").iterdir()} == dict.fromkeys(
        ("id_key", "signing_key", "queue_key", "dkim.pem", "domain"), 0o600
    )


def test_an_open_folder_stays_open_and_what_we_put_into_it_is_closed(tmp_path: Path) -> None:
    """It may hold other people's things; nobody asked us to lock them away."""
    tmp_path.chmod(0o755)
    open_identity(tmp_path, "", os.urandom)
    assert _mode(tmp_path) == 0o755
    assert _mode(tmp_path / "keys") == 0o700
    assert {_mode(file) for file in (tmp_path / "keys").iterdir()} == {0o600}


def test_a_folder_that_we_make_is_closed(tmp_path: Path) -> None:
    open_identity(tmp_path / "data", "", os.urandom)
    assert _mode(tmp_path / "data") == 0o700


def test_a_chosen_domain_is_remembered(tmp_path: Path) -> None:
    assert open_identity(tmp_path, "chat.example", os.urandom).domain == "chat.example"
    assert open_identity(tmp_path, "", os.urandom).domain == "chat.example"


def test_another_name_is_refused_unless_it_is_meant(tmp_path: Path) -> None:
    first = open_identity(tmp_path, "", os.urandom)
    with pytest.raises(Trouble, match=first.domain):
        open_identity(tmp_path, "chat.example", os.urandom)
    assert open_identity(tmp_path, "", os.urandom).domain == first.domain
    changed = open_identity(tmp_path, "chat.example", os.urandom, change_name=True)
    assert (changed.domain, _keys(changed)) == ("chat.example", _keys(first))
    assert open_identity(tmp_path, "", os.urandom).domain == "chat.example"


def test_a_lost_key_is_told_and_never_replaced(tmp_path: Path) -> None:
    open_identity(tmp_path, "", os.urandom)
    (tmp_path / "keys/id_key").unlink()
    with pytest.raises(Trouble, match="backup"):
        open_identity(tmp_path, "", os.urandom)
    (tmp_path / "keys/id_key").write_bytes(b"short")
    with pytest.raises(Trouble, match="backup"):
        open_identity(tmp_path, "", os.urandom)


def test_a_folder_of_an_earlier_version_gets_a_queue_key_once(tmp_path: Path) -> None:
    first = open_identity(tmp_path, "", os.urandom)
    (tmp_path / "keys/queue_key").unlink()
    added = open_identity(tmp_path, "", os.urandom)
    assert _keys(added) == _keys(first)
    assert len(added.queue_key) == 32
    assert added.queue_key != first.queue_key
    assert open_identity(tmp_path, "", os.urandom).queue_key == added.queue_key
    (tmp_path / "keys/queue_key").write_bytes(b"short")
    with pytest.raises(Trouble, match="backup"):
        open_identity(tmp_path, "", os.urandom)


def test_a_folder_of_an_earlier_version_gets_a_dkim_key_once(tmp_path: Path) -> None:
    first = open_identity(tmp_path, "", os.urandom)
    assert (first.dkim_key.private.key_size, _mode(tmp_path / "keys/dkim.pem")) == (2048, 0o600)
    (tmp_path / "keys/dkim.pem").unlink()
    added = open_identity(tmp_path, "", os.urandom)
    again = open_identity(tmp_path, "", os.urandom)
    numbers = [each.dkim_key.private.private_numbers() for each in (first, added, again)]
    assert numbers[0] != numbers[1] == numbers[2]
    assert _keys(added) == _keys(first)


@pytest.mark.parametrize(
    "content", [b"", b"nothing", Ed25519PrivateKey.generate().private_bytes(*_PEM), b"short"], ids=["none", "no", "ed", "short"]
)
def test_a_damaged_dkim_key_is_told_and_never_replaced(tmp_path: Path, content: bytes) -> None:
    open_identity(tmp_path, "", os.urandom)
    content = rsa.generate_private_key(65_537, 1024).private_bytes(*_PEM) if content == b"short" else content
    (tmp_path / "keys/dkim.pem").write_bytes(content)
    with pytest.raises(Trouble, match="backup"):
        open_identity(tmp_path, "", os.urandom)
    assert (tmp_path / "keys/dkim.pem").read_bytes() == content


def test_two_starts_at_once_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as crew:
        found = list(crew.map(lambda _: _keys(open_identity(tmp_path, "", os.urandom)), range(8)))
    assert len(set(found)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]


def test_keys_do_not_show_in_representations(tmp_path: Path) -> None:
    identity = open_identity(tmp_path, "", os.urandom)
    assert repr(identity) == f"Identity(domain='{identity.domain}')"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Trouble, match="--data"):
        open_identity(tmp_path / "file/data", "", os.urandom)
    with pytest.raises(Trouble, match="--data"):
        private_folder(tmp_path / "file")


def test_writing_replaces_the_whole_file_or_leaves_it(tmp_path: Path) -> None:
    write_private(tmp_path / "f", b"one")
    write_private(tmp_path / "f", b"two")
    assert (tmp_path / "f").read_bytes() == b"two"
    (tmp_path / "folder/inside").mkdir(parents=True)
    with pytest.raises(OSError, match="folder"):
        write_private(tmp_path / "folder", b"three")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f", "folder"]
