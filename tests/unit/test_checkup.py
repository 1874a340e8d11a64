# SPDX-License-Identifier: AGPL-3.0-or-later
"""`./razdar check`: each subject with what it must find, on files of the test's own."""

import datetime
import importlib.metadata
import os
import re
import socket
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.lab.authority import make_authority
from tests.lab.relay import free_base
from tests.lab.tls import self_signed

from razdar.adapters.identity import open_identity
from razdar.adapters.sqlite.schema import connect_writer, migrate
from razdar.app import front
from razdar.checkup import certificate, clock, disk, folder, limits, ports, versions
from razdar.checkup.finding import Finding, Level
from razdar.cli.check import _read_aloud
from razdar.config import RunConfig
from razdar.environment import CHECKOUT
from razdar.settings import Settings

NOW = datetime.datetime.now(datetime.UTC)
HERE = replace(Settings(), bind=("127.0.0.1",))


def seen(findings: Sequence[Finding]) -> tuple[list[str], str]:
    """Levels, and the English words."""
    return [finding.level.value for finding in findings], " ".join(finding.english for finding in findings)


# ports


def _ready(base: int, *, without: int = 0) -> Mapping[str, Any]:
    return {"pid": os.getpid(), "listeners": [{"name": "x", "address": "127.0.0.1", "port": base + without}]}


def test_free_ports_are_fine() -> None:
    levels, words = seen(ports.examine(replace(HERE, ports=str(base := free_base("127.0.0.1"))), None))
    assert (levels, str(base) in words) == (["fine"], True)


def test_a_taken_port_is_named() -> None:
    base = free_base("127.0.0.1")
    with socket.create_server(("127.0.0.1", base)):
        levels, words = seen(ports.examine(replace(HERE, ports=str(base)), None))
    assert (levels, f"Port {base}" in words) == (["wrong"], True)


def test_a_taken_metrics_port_counts_too() -> None:
    base = free_base("127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = replace(HERE, ports=str(base), metrics_port=taken.getsockname()[1])
        assert seen(ports.examine(settings, None))[0] == ["wrong"]


def test_an_address_of_another_machine_is_told() -> None:
    levels, words = seen(ports.examine(replace(Settings(), bind=("192.0.2.1",), ports="9443"), None))
    assert set(levels) == {"wrong"}
    assert "--bind" in words


def test_ports_of_the_running_relay_are_ours_and_must_answer() -> None:
    base = free_base("127.0.0.1")
    levels, words = seen(ports.examine(replace(HERE, ports=str(base)), _ready(base)))
    assert levels[0] == "wrong"
    assert "does not answer" in words
    with socket.create_server(("127.0.0.1", base)):
        levels, words = seen(ports.examine(replace(HERE, ports=str(base)), _ready(base)))
    assert set(levels) == {"note"}  # the other six stand in the settings, and the relay did not open them
    assert "start the relay again" in words


# certificate


def _config(data: Path, files: tuple[Path, Path] | None = None) -> RunConfig:
    paths = {"certificate": str(files[0]), "certificate_key": str(files[1])} if files else {}
    return RunConfig(settings=replace(Settings(), **paths), data=data)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("days", "levels", "word"),
    [(0, ["fine"], "29 days"), (15, ["note"], "14 more"), (25, ["wrong"], "4 more"), (40, ["wrong"], "ended"), (-3, ["wrong"], "clock")],
)
def test_the_days_of_a_certificate(tmp_path: Path, days: int, levels: list[str], word: str) -> None:
    files = self_signed(tmp_path, "relay.example")
    files[1].chmod(0o600)
    found = seen(
        certificate.examine(_config(tmp_path, files), "relay.example", datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days))
    )
    assert found[0] == levels
    assert word in found[1]


@pytest.mark.parametrize(
    ("names", "domain", "fits"),
    [
        (["relay.example"], "relay.example", True),
        (["*.example"], "relay.example", True),
        (["*.example"], "a.relay.example", False),
        (["*.example"], "example", False),
        (["example"], "relay.example", False),
        (["192.0.2.7"], "[192.0.2.7]", True),
        (["2001:db8::1"], "[ipv6:2001:db8:0::1]", True),
        (["192.0.2.8"], "[192.0.2.7]", False),
    ],
)
def test_the_name_must_be_in_the_certificate(tmp_path: Path, names: list[str], domain: str, fits: bool) -> None:
    files = self_signed(tmp_path, *names)
    files[1].chmod(0o600)
    assert (seen(certificate.examine(_config(tmp_path, files), domain, NOW))[0] == ["fine"]) == fits


def test_a_certificate_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    files = self_signed(tmp_path, "relay.example")
    files[1].write_bytes(b"no key")
    levels, words = seen(certificate.examine(_config(tmp_path, files), "relay.example", NOW))
    assert (levels, "key.pem" in words) == (["wrong"], True)


def test_a_key_that_everybody_can_read_is_told_with_the_command_that_mends_it(tmp_path: Path) -> None:
    files = self_signed(tmp_path, "relay.example")
    files[1].chmod(0o644)
    levels, words = seen(certificate.examine(_config(tmp_path, files), "relay.example", NOW))
    assert levels == ["wrong"]
    assert f"chmod o= {files[1]}" in words


def test_a_chain_without_the_issuer_is_told(tmp_path: Path) -> None:
    files = make_authority(tmp_path).issue("relay.example")
    files[1].chmod(0o600)
    levels, words = seen(certificate.examine(_config(tmp_path, files), "relay.example", NOW))
    assert (levels, "fullchain.pem" in words) == (["note"], True)


def test_self_signed_is_fine_for_a_name_for_life_and_noted_for_a_real_one(tmp_path: Path) -> None:
    assert seen(certificate.examine(_config(tmp_path), "", NOW))[0] == ["fine"]  # not made yet
    (tmp_path / "tls").mkdir()
    self_signed(tmp_path / "tls", "relay.example")
    assert seen(certificate.examine(_config(tmp_path), "k7f3q9d2.razdar.alt", NOW))[0] == ["fine"]
    assert seen(certificate.examine(_config(tmp_path), "relay.example", NOW))[0] == ["note"]


# clock


@pytest.mark.parametrize(("days", "level"), [(0, "fine"), (-400, "wrong"), (3700, "wrong"), (300, "fine")])
def test_a_clock_years_off_is_noticed(tmp_path: Path, days: int, level: str) -> None:
    """VECTORS: the clock set back a day or forward a year; nothing is deleted by it, so a year ahead is nobody's harm."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "domain").write_text("x")
    assert seen(clock.examine(NOW + datetime.timedelta(days=days), tmp_path, tmp_path))[0] == [level]


# disk


def test_room_is_measured_against_what_is_held_back(tmp_path: Path) -> None:
    assert seen(disk.examine(Settings(), tmp_path / "not" / "yet", 0))[0] in (["fine"], ["note"])
    levels, words = seen(disk.examine(replace(Settings(), reserve_bytes=2**60), tmp_path, 0))
    assert (levels[0], "make room" in words) == ("wrong", True)


def test_the_forecast_ends_when_messages_begin_to_expire(tmp_path: Path) -> None:
    with (tmp_path / "store.db").open("wb") as file:
        file.truncate(2**42)  # 4 TiB of nothing
    early, late = (seen(disk.examine(Settings(), tmp_path, day)) for day in (2, 20))
    assert "the disk is full in" in early[1]
    assert "the disk is full in" not in late[1]


_MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:20 / {place} rw shared:2 - {kind} server:/export rw
"""


@pytest.mark.parametrize(("kind", "level"), [("ext4", "fine"), ("nfs4", "wrong"), ("tmpfs", "note")])
def test_a_disk_that_a_database_cannot_live_on(tmp_path: Path, kind: str, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(_MOUNTS.format(place=tmp_path.resolve(), kind=kind))
    assert (disk.filesystem(tmp_path, mounts), disk.filesystem(Path("/"), mounts)) == (kind, "ext4")
    monkeypatch.setattr(disk, "filesystem", lambda _: kind)
    assert seen(disk.examine(replace(Settings(), reserve_bytes=0), tmp_path, 0))[0][-1] == level


# limits

_LIMITS = (
    "Limit                     Soft Limit           Hard Limit           Units\nMax open files            1024                 {} files\n"
)


def _proc(folder: Path, *, files: str = "131072", memory_kib: int = 8 * 2**20, swap: bool = False, locked: str = "65536") -> Path:
    (folder / "7").mkdir(parents=True)
    (folder / "7" / "limits").write_text(
        f"{_LIMITS.format(files.ljust(20))}Max locked memory         65536                {locked} bytes\n"
    )
    (folder / "meminfo").write_text(f"MemTotal:       {memory_kib} kB\n")
    (folder / "swaps").write_text("Filename Type Size\n" + ("/dev/sda2 partition 100\n" if swap else ""))
    return folder


@pytest.mark.parametrize(
    ("machine", "level", "word"),
    [
        ({}, "fine", "131072"),
        ({"files": "4096"}, "note", "2896 connections"),
        ({"files": "unlimited"}, "fine", "unlimited"),
        ({"memory_kib": 512 * 1024}, "note", "set memory_bytes = 67108864, outgoing_bytes = 67108864, connections = 6241."),
        ({"memory_kib": 3 * 2**20 // 2}, "fine", "suffices"),
        ({"memory_kib": 5 * 2**18}, "note", "1461 MiB of memory are needed, and the machine has 1280; set"),
        ({"swap": True}, "note", "LimitMEMLOCK"),
        ({"swap": True, "locked": "unlimited"}, "fine", ""),
    ],
)
def test_limits_of_the_running_relay(tmp_path: Path, machine: dict[str, Any], level: str, word: str) -> None:
    levels, words = seen(limits.examine(Settings(), 7, _proc(tmp_path, **machine)))
    assert (levels, word in words) == ([level], True)


@pytest.mark.parametrize("total_mib", [200, 256, 512, 1024, 4096])
def test_what_is_advised_fits(total_mib: int) -> None:
    better = limits.fitting(Settings(), total_mib * 2**20)
    assert limits.needed_bytes(better) <= total_mib * 2**20
    assert better.connections >= 100
    assert limits.fitting(better, total_mib * 2**20) == better


def test_the_files_that_are_not_for_people_are_counted_as_the_relay_counts_them() -> None:
    assert limits.FILES_FOR_OTHERS == front.FILES_FOR_OTHERS


# versions


def test_what_is_installed_is_what_was_locked(tmp_path: Path) -> None:
    assert seen(versions.examine(tmp_path / "absent.lock"))[0] == ["fine"]
    installed = importlib.metadata.version("cryptography")
    (tmp_path / "lock").write_text(f"cryptography=={installed} \\\n    --hash=sha256:00\ncolorama-x==1 ; sys_platform == 'win32' \\\n")
    assert seen(versions.examine(tmp_path / "lock"))[0] == ["fine"]
    (tmp_path / "lock").write_text("cryptography==0.1 \\\n    --hash=sha256:00\nnothing-like-it==1 \\\n    --hash=sha256:00\n")
    levels, words = seen(versions.examine(tmp_path / "lock"))
    assert levels == ["wrong"]
    assert f"cryptography {installed} (0.1), nothing-like-it - (1)" in words


def test_an_old_sqlite_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 0))
    assert seen(versions.examine(tmp_path / "absent.lock"))[0] == ["wrong"]


def test_the_real_lock_is_understood() -> None:
    assert {name for name, _, _ in versions._compared(CHECKOUT / "requirements.lock")} >= {"cryptography", "uvloop", "starlette"}


# data folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    open_identity(data, "relay.example", os.urandom)
    with closing(connect_writer(data / "store.db")) as store:
        migrate(store)
    return data


def test_a_sound_folder_and_one_that_is_not_there(data: Path, tmp_path: Path) -> None:
    assert seen(folder.examine(data, "relay.example"))[0] == ["fine"]
    assert seen(folder.examine(tmp_path / "none", ""))[0] == ["fine"]
    assert (folder.remembered_name(data), folder.relay_day(data)) == ("relay.example", 1)
    assert (folder.remembered_name(tmp_path / "none"), folder.relay_day(tmp_path / "none")) == ("", 0)
    assert not (tmp_path / "none").exists()


def test_access_for_others_is_told_with_the_command_that_mends_it(data: Path) -> None:
    (data / "keys" / "id_key").chmod(0o640)
    levels, words = seen(folder.examine(data, ""))
    assert levels == ["wrong"]
    assert "keys/id_key" in words
    assert f"chmod -R go= {data}" in words


@pytest.mark.parametrize("name", ["id_key", "signing_key"])
def test_a_missing_or_cut_key_is_told(data: Path, name: str) -> None:
    (data / "keys" / name).write_bytes(b"short")
    assert "backup" in seen(folder.examine(data, ""))[1]
    (data / "keys" / name).unlink()
    assert seen(folder.examine(data, ""))[0] == ["wrong"]


def test_a_store_without_any_key_is_told(data: Path) -> None:
    for key in (data / "keys").iterdir():
        key.unlink()
    (data / "keys").rmdir()
    assert seen(folder.examine(data, ""))[0] == ["wrong"]


def test_another_name_in_the_settings_is_told(data: Path) -> None:
    assert "--change-name" in seen(folder.examine(data, "other.example"))[1]


def test_a_damaged_or_newer_store_is_told(data: Path) -> None:
    with closing(sqlite3.connect(data / "store.db")) as store:
        store.execute("PRAGMA user_version = 99")
    assert "newer Razdar" in seen(folder.examine(data, ""))[1]
    (data / "store.db").write_bytes(b"no database at all" * 1000)
    assert "restore" in seen(folder.examine(data, ""))[1]
    assert folder.relay_day(data) == 0


def test_a_slip_of_the_pen_in_the_list_of_other_relays_is_told(data: Path) -> None:
    (data / "names.txt").write_text("one.example 192.0.2.1\n")
    assert seen(folder.examine(data, ""))[0] == ["fine"]
    (data / "names.txt").write_text("one.example 192.0.2.1\ntwo.example nonsense\n")
    levels, words = seen(folder.examine(data, ""))
    assert levels == ["wrong"]
    assert "Line 2 of" in words


def test_settings_may_belong_to_root_and_be_readable(data: Path) -> None:
    """An operator writes them with sudo."""
    (data / "razdar.toml").write_text("push = false\n")
    (data / "razdar.toml").chmod(0o644)
    os.chown(data / "razdar.toml", 12_345 if os.geteuid() == 0 else -1, -1)
    assert seen(folder.examine(data, ""))[0] == ["fine"]


def test_what_a_restore_put_aside_is_not_forgotten(data: Path) -> None:
    (data / "replaced-1").mkdir()
    assert seen(folder.examine(data, ""))[0] == ["note"]


# words


def test_every_subject_says_something_in_both_languages(data: Path) -> None:
    found = [*folder.examine(data, ""), *clock.examine(NOW, data, data), *disk.examine(Settings(), data, 1)]
    found += versions.examine(data / "absent.lock")
    assert {finding.about for finding in found} == {"data", "clock", "disk", "versions"}
    for finding in found:
        assert re.search(r"[آ-ی]", finding.persian)
        assert not re.search(r"[آ-ی]", finding.english)
        assert finding.level in Level


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("تنها 14 روز", "تنها ۱۴ روز"),
        ("77.1 گیبی‌بایت", "۷۷٫۱ گیبی‌بایت"),
        ("SQLite 3.40.1 و 2026-11-21 19:29", "SQLite 3.40.1 و 2026-11-21 19:29"),
        ("‎ulimit -Hn 21200‎ یا 5", "‎ulimit -Hn 21200‎ یا ۵"),
        ("روی 127.0.0.1 و /srv/7 و x9", "روی 127.0.0.1 و /srv/7 و x9"),
        ("درگاه‌ها: 25، 993.", "درگاه‌ها: ۲۵، ۹۹۳."),
        ("OpenSSL 3.0.19 27 Jan 2026؛ 3 روز", "OpenSSL 3.0.19 27 Jan 2026؛ ۳ روز"),
    ],
)
def test_numbers_are_read_aloud_and_commands_are_not(text: str, read: str) -> None:
    assert _read_aloud(text) == read
