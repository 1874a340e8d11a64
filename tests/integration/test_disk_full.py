# SPDX-License-Identifier: AGPL-3.0-or-later
"""When the disk is full, or refuses to write. What was acknowledged stays, people get at their mail and can delete it, nobody is told that
the password is wrong, and all goes on without a restart when there is room again.

The disk is a small file system of the test's own, mounted where only this test run sees it.
"""

import asyncio
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.lab.correspondence import (
    RECOVERY_S,
    RESERVE_BYTES,
    SETTINGS,
    Post,
    device,
    fetch_everything,
    imap,
    move_in,
    smtp,
    somebody,
)
from tests.lab.load import Device, Person, Refused
from tests.lab.namespace import run
from tests.lab.relay import Relay

MB = 1 << 20
DISK_BYTES = 24 * MB

pytestmark = pytest.mark.slow


@contextmanager
def small_disk(folder: Path, size_bytes: int = DISK_BYTES) -> Iterator[Path]:
    """A file system of that size at `folder`."""
    folder.mkdir(parents=True)
    run("mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=700", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        run("umount", "--lazy", str(folder))


@pytest.fixture
def full_relay(tmp_path: Path) -> Iterator[Relay]:
    """A relay whose data lies on a small disk."""
    relay = Relay(tmp_path / "relay", settings=SETTINGS)
    with small_disk(relay.data), relay:
        yield relay


async def expect_no_wrong_password(relay: Relay, stranger: Person, known: Person) -> None:
    """Nobody new gets in, and nobody is told that it is the password's fault: an app would ask the person for it."""
    for person in (stranger, known):
        with pytest.raises(Refused, match=r"421 4\.3\.1 Out of disk space"):
            await smtp(relay, person)
    with pytest.raises(Refused, match="NO ") as refused:
        await imap(relay, stranger)
    assert "[UNAVAILABLE]" in refused.value.args[0]
    assert "uthentication" not in refused.value.args[0].lower()


async def expect_everything(relay: Relay, reader: Device, post: Post) -> None:
    """What was acknowledged is there, once, and nothing else."""
    await fetch_everything(relay, reader)
    assert sorted(reader.shown) == sorted(post.acknowledged)


@pytest.mark.namespace
def test_full_by_deliveries(full_relay: Relay) -> None:
    asyncio.run(_full_by_deliveries(full_relay))


async def _full_by_deliveries(relay: Relay) -> None:
    ali, bahar = await move_in(relay)
    post, reader = Post(relay, ali, bahar), device(relay, bahar)
    assert (await post.fill()).startswith("452 4.3.1 ")
    assert len(post.acknowledged) > 40, "most of the disk is for mail"
    await expect_no_wrong_password(relay, somebody(relay), ali)
    await expect_everything(relay, reader, post)
    await post.send_when_possible()
    await expect_everything(relay, reader, post)
    (await imap(relay, somebody(relay))).line.close()


@pytest.mark.namespace
def test_full_by_others(full_relay: Relay) -> None:
    """Another program takes every byte: there is the reserve to delete with, and when the other program gives way all is as before."""
    asyncio.run(_full_by_others(full_relay))


async def _full_by_others(relay: Relay) -> None:
    ali, bahar = await move_in(relay)
    post, reader = Post(relay, ali, bahar), device(relay, bahar)
    await post.send_five()
    take_all_space(relay.data / "somebody-elses-file")
    assert (await post.fill()).startswith("452 4.3.1 ")
    take_all_space(relay.data / "somebody-elses-second-file", leave_bytes=RESERVE_BYTES // 2)
    await expect_no_wrong_password(relay, somebody(relay), ali)
    await expect_everything(relay, reader, post)
    for file in relay.data.glob("somebody-elses-*"):
        file.unlink()
    await post.send_when_possible()
    await expect_everything(relay, reader, post)


@pytest.mark.namespace
@pytest.mark.parametrize("is_killed", [False, True], ids=["after a clean end", "after a kill"])
def test_start_on_a_full_disk(tmp_path: Path, is_killed: bool) -> None:
    relay = Relay(tmp_path / "relay", settings=SETTINGS)
    with small_disk(relay.data):
        asyncio.run(_start_on_a_full_disk(relay, is_killed))


async def _start_on_a_full_disk(relay: Relay, is_killed: bool) -> None:
    relay.start()
    try:
        ali, bahar = await move_in(relay)
        post, reader = Post(relay, ali, bahar), device(relay, bahar)
        assert (await post.fill()).startswith("452 4.3.1 ")
        relay.kill() if is_killed else relay.stop()
        take_all_space(relay.data / "somebody-elses-file", leave_bytes=MB // 2)
        relay.start()
        await expect_no_wrong_password(relay, somebody(relay), ali)
        (relay.data / "somebody-elses-file").unlink()
        await expect_everything(relay, reader, post)
        await post.send_when_possible()
        relay.stop()
    finally:
        relay.kill()


@pytest.mark.namespace
def test_start_on_the_reserve_alone(tmp_path: Path) -> None:
    """Another program took every byte while the relay was down; the reserve is there for this."""
    relay = Relay(tmp_path / "relay", settings=SETTINGS)
    with small_disk(relay.data):
        asyncio.run(_start_on_the_reserve_alone(relay))


async def _start_on_the_reserve_alone(relay: Relay) -> None:
    relay.start()
    try:
        ali, bahar = await move_in(relay)
        post, reader = Post(relay, ali, bahar), device(relay, bahar)
        await post.send_five()
        relay.stop()
        take_all_space(relay.data / "somebody-elses-file")
        relay.start()
        await expect_everything(relay, reader, post)
        relay.stop()
    finally:
        relay.kill()


@pytest.mark.namespace
def test_start_without_any_space_says_so(tmp_path: Path) -> None:
    relay = Relay(tmp_path / "relay", settings=SETTINGS)
    with small_disk(relay.data):
        relay.start()
        relay.stop()
        (relay.data / "reserve").unlink()
        take_all_space(relay.data / "somebody-elses-file")
        done = start_in_vain(relay)
    assert done.returncode == 1
    assert f"The disk of {relay.data}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_relay_on_the_same_data_says_so(tmp_path: Path) -> None:
    with Relay(tmp_path / "relay", settings=SETTINGS) as relay:
        done = start_in_vain(relay)
        asyncio.run(move_in(relay))
    assert done.returncode == 1
    assert f"Another relay is running on {relay.data}" in done.stderr
    assert "Traceback" not in done.stderr


def start_in_vain(relay: Relay) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(relay.command(), capture_output=True, text=True, env=relay.environment(), timeout=RECOVERY_S, check=False)


def take_all_space(file: Path, leave_bytes: int = 0) -> None:
    """There is nothing left on the file's disk, or only so much."""
    room = os.statvfs(file.parent)
    with file.open("wb") as writer:
        size_bytes = max(room.f_bavail * room.f_frsize - leave_bytes, 0)
        if size_bytes:
            os.posix_fallocate(writer.fileno(), 0, size_bytes)


# a disk that does not answer


def test_a_disk_that_refuses_to_write(tmp_path: Path) -> None:
    """Every write to a file fails for a while (EFBIG: the process may not write files, setrlimit(2)); space there would be."""
    with Relay(tmp_path / "relay", settings=SETTINGS) as relay:
        asyncio.run(_refuses_to_write(relay))
        assert '"crash"' not in relay.output()


async def _refuses_to_write(relay: Relay) -> None:
    ali, bahar = await move_in(relay)
    post, reader = Post(relay, ali, bahar), device(relay, bahar)
    connection = await smtp(relay, ali)
    await post.send(connection, 3_000)
    waiting = await imap(relay, bahar)
    with writing_fails(relay):
        for _ in range(3):
            with pytest.raises(Refused, match=r"45[12] 4\.3\.[01] "):
                await post.send(connection, 3_000)
        responses = await waiting.command("SELECT INBOX")
        assert b"* 1 EXISTS" in [response.text for response in responses], "reading goes on"
        with pytest.raises(Refused, match=r"UNAVAILABLE"):
            await reader.round(waiting)
    await post.send(connection, 3_000)
    await expect_everything(relay, reader, post)
    connection.line.close()
    waiting.line.close()


@contextmanager
def writing_fails(relay: Relay) -> Iterator[None]:
    assert relay.process is not None
    before = resource.prlimit(relay.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(relay.process.pid, resource.RLIMIT_FSIZE, before)
