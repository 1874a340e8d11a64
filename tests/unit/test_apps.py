# SPDX-License-Identifier: AGPL-3.0-or-later
"""Apps that the relay hands out: the shelf on disk, the version inside an Android package, the command, what clients are told."""

import hashlib
import json
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from razdar.adapters.apk import apk_version, manifest_version
from razdar.adapters.apps import AppShelf
from razdar.cli import main
from razdar.model.app_file import AppFile, is_app_name
from razdar.model.trouble import Trouble
from razdar.policy.metadata import app_versions, server_metadata
from razdar.settings import Settings


def manifest(version: str, number: int, *, utf8: bool) -> bytes:
    """A binary AndroidManifest.xml as Android's tools write it: strings, resource ids, the first element with two attributes."""
    words = ["versionCode", "versionName", version, "manifest"]
    packed = [
        bytes([len(word), len(word.encode())]) + word.encode() + b"\0"
        if utf8
        else struct.pack("<H", len(word)) + word.encode("utf-16-le") + b"\0\0"
        for word in words
    ]
    places = [sum(map(len, packed[:at])) for at in range(len(words))]
    text = b"".join(packed)
    text += b"\0" * (-len(text) % 4)
    start = 28 + 4 * len(words)
    pool = struct.pack("<HHIIIIII", 1, 28, start + len(text), len(words), 0, 0x100 if utf8 else 0, start, 0)
    pool += struct.pack(f"<{len(words)}I", *places) + text
    resources = struct.pack("<HHIII", 0x180, 8, 16, 0x0101021B, 0x0101021C)
    none = 0xFFFFFFFF
    attributes = struct.pack("<IIIHBBI", none, 0, none, 8, 0, 0x10, number) + struct.pack("<IIIHBBI", none, 1, 2, 8, 0, 3, 2)
    element = struct.pack("<HHIII", 0x102, 16, 36 + len(attributes), 1, none)
    element += struct.pack("<IIHHHHHH", none, 3, 20, 20, 2, 0, 0, 0) + attributes
    body = pool + resources + element
    return struct.pack("<HHI", 3, 8, 8 + len(body)) + body


def package(folder: Path, name: str = "deltachat.apk", content: bytes | None = None) -> Path:
    with zipfile.ZipFile(folder / name, "w") as made:
        made.writestr("AndroidManifest.xml", manifest("2.57.0", 754, utf8=True) if content is None else content)
    return folder / name


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "downloads"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("utf8", [True, False])
def test_the_version_inside_an_android_package(tmp_path: Path, utf8: bool) -> None:
    assert apk_version(package(tmp_path, content=manifest("2.57.0-beta", 70_000, utf8=utf8))) == ("2.57.0-beta", 70_000)


def test_what_is_no_package_tells_no_version(tmp_path: Path) -> None:
    (tmp_path / "a.apk").write_bytes(b"no zip")
    assert apk_version(tmp_path / "a.apk") is None
    assert apk_version(package(tmp_path, content=b"")) is None
    with zipfile.ZipFile(tmp_path / "b.apk", "w"):
        pass
    assert apk_version(tmp_path / "b.apk") is None


@given(st.binary(max_size=200), st.integers(0, 400))
def test_a_broken_manifest_is_not_known_and_never_an_error(noise: bytes, at: int) -> None:
    whole = manifest("2.57.0", 754, utf8=True)
    for broken in (noise, whole[:at], whole[:at] + noise + whole[at + len(noise) :]):
        found = manifest_version(broken)
        assert found is None or found[1] > 0


def test_a_file_is_copied_hashed_and_listed(tmp_path: Path, source: Path) -> None:
    shelf = AppShelf(tmp_path)
    assert shelf.files() == ()
    file = package(source)
    added = shelf.add(file)
    assert added == AppFile("deltachat.apk", "2.57.0", 754, file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest())
    assert added.system == "android"
    assert list(shelf.files()) == [added]
    assert shelf.path("deltachat.apk") == tmp_path / "apps/deltachat.apk"
    assert shelf.path("deltachat.apk").read_bytes() == file.read_bytes()  # type: ignore[union-attr]


def test_another_process_sees_what_the_command_did(tmp_path: Path, source: Path) -> None:
    running = AppShelf(tmp_path)
    assert running.files() == ()
    (source / "DeltaChat-2.11.1.AppImage").write_bytes(b"app")
    AppShelf(tmp_path).add(source / "DeltaChat-2.11.1.AppImage")
    assert [(file.version, file.number, file.system) for file in running.files()] == [("2.11.1", 0, "linux")]
    AppShelf(tmp_path).remove("DeltaChat-2.11.1.AppImage")
    assert running.files() == ()
    assert running.path("DeltaChat-2.11.1.AppImage") is None
    assert [each.name for each in (tmp_path / "apps").iterdir()] == ["apps.json"]


@pytest.mark.parametrize(
    "name",
    [
        "app",
        "app.txt",
        ".apk",
        "..apk",
        "a b.apk",
        "a/b.apk",
        "ap\u06f1.apk",
        "a\n.apk",
        "a..apk",
        "x" * 100 + ".apk",
        "apps.json",
        '".apk',
    ],
)
def test_names_that_cannot_be_handed_out(tmp_path: Path, source: Path, name: str) -> None:
    assert not is_app_name(name)
    with pytest.raises(Trouble):
        AppShelf(tmp_path).add(source / name, "1.0")


def test_what_is_not_listed_or_not_as_listed_is_not_there(tmp_path: Path, source: Path) -> None:
    shelf = AppShelf(tmp_path)
    shelf.add(package(source))
    (tmp_path / "apps/other.apk").write_bytes(b"x")
    assert shelf.path("other.apk") is None
    assert shelf.path("../apps/deltachat.apk") is None
    (tmp_path / "apps/deltachat.apk").write_bytes(b"half")
    assert shelf.path("deltachat.apk") is None
    (tmp_path / "apps/deltachat.apk").unlink()
    (tmp_path / "apps/deltachat.apk").symlink_to(source / "deltachat.apk")
    assert shelf.path("deltachat.apk") is None


OUTSIDE = '[{"name": "../x.apk", "version": "1", "number": 1, "size_bytes": 1, "sha256": ""}]'


@pytest.mark.parametrize("listed", ["", "{", "[1]", '[{"name": "../../keys/id_key"}]', OUTSIDE])
def test_a_list_that_somebody_spoiled_hands_out_nothing(tmp_path: Path, listed: str) -> None:
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps/apps.json").write_text(listed)
    assert AppShelf(tmp_path).files() == ()


def test_a_version_must_be_known(tmp_path: Path, source: Path) -> None:
    (source / "app.exe").write_bytes(b"x")
    with pytest.raises(Trouble):
        AppShelf(tmp_path).add(source / "app.exe")
    assert AppShelf(tmp_path).add(source / "app.exe", "2.1", 9).number == 9
    with pytest.raises(Trouble):
        AppShelf(tmp_path).remove("none.exe")


def test_the_command(tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ["--data", str(tmp_path)]
    assert main(["apps", "list", *data]) == 0
    assert main(["apps", "add", str(package(source)), *data]) == 0
    assert "2.57.0" in capsys.readouterr().out
    assert main(["apps", "list", *data]) == 0
    assert hashlib.sha256((source / "deltachat.apk").read_bytes()).hexdigest() in capsys.readouterr().out
    assert main(["apps", "remove", "deltachat.apk", *data]) == 0
    assert main(["apps", "remove", "deltachat.apk", *data]) == 1
    assert main(["apps", "add", *data]) == 1


# what clients are told


def test_clients_hear_of_the_newest_app_for_each_system() -> None:
    old, new = AppFile("a.apk", "2.1", 700, 1, ""), AppFile("b.apk", "2.57.0", 754, 1, "")
    unknown = AppFile("c.exe", "2.0", 0, 1, "")
    told = server_metadata(Settings(), [new, old, unknown], "https://192.0.2.7:8443/")["/shared/vendor/deltachat/appversions"]
    assert "\n" not in told
    source = {"sourceId": "android", "versionInteger": 754, "versionString": "2.57.0", "downloadUrl": "https://192.0.2.7:8443/apps/b.apk"}
    assert json.loads(told) == {"clients": [{"clientId": "deltachat", "sources": [source]}]}


def test_without_a_known_number_nothing_is_announced() -> None:
    assert app_versions([AppFile("c.exe", "2.0", 0, 1, "")], "https://x/") == ""
    assert "/shared/vendor/deltachat/appversions" not in server_metadata(Settings())
