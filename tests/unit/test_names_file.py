# SPDX-License-Identifier: AGPL-3.0-or-later
"""Other relays by hand: the file, the book that answers from it, and the command that writes it."""

import asyncio
import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from razdar.adapters.names_file import NamesBook, check_name, put_peer, read_names, read_peer, write_peer
from razdar.adapters.tls import open_tls
from razdar.cli import main, peer
from razdar.model.trouble import Trouble
from razdar.ports.resolver import Peer

PIN = "3f" * 32
KEY = "v=DKIM1;k=ed25519;p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
LINE = f"Relay.Example 2001:DB8::7 192.0.2.7 https=8443 smtp=8025 pin={PIN} dkim=razdar:{KEY}"
PEER = Peer("relay.example", ("2001:db8::7", "192.0.2.7"), 8443, 8025, PIN, (("razdar", KEY.encode()),), is_confirmed=True)
PLAIN = Peer("two.example", ("192.0.2.8",), 443, 25, "", (), is_confirmed=True)


def file(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "names.txt"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_a_line_is_a_peer() -> None:
    assert read_peer(LINE.split()) == PEER
    assert read_peer(["two.example", "192.0.2.8"]) == PLAIN
    assert write_peer(PLAIN) == "two.example 192.0.2.8"
    assert read_peer(f"a.example 192.0.2.1 seen={PIN}".split()).is_confirmed is False


def test_remarks_and_empty_lines_are_skipped(tmp_path: Path) -> None:
    assert read_names(file(tmp_path, "# all", "", f"  {LINE}   # the school", "two.example 192.0.2.8", "#")) == {
        "relay.example": PEER,
        "two.example": PLAIN,
    }
    assert read_names(tmp_path / "none") == {}


@pytest.mark.parametrize("name", ["[192.0.2.7]", "[ipv6:2001:db8::7]", "abcdefgh.razdar.alt", "_chat.test", "localhost"])
def test_every_kind_of_name_can_be_written_down(name: str) -> None:
    assert check_name(name.upper()) == name


@pytest.mark.parametrize(
    "line",
    [
        "relay.example",
        "relay..example 192.0.2.7",
        "a@b 192.0.2.7",
        "رله.example 192.0.2.7",
        "relay.example host.example",
        "relay.example 192.0.2.7 https=0",
        "relay.example 192.0.2.7 https=65536",
        "relay.example 192.0.2.7 https=1 https=2",
        "relay.example 192.0.2.7 imap=993",
        f"relay.example 192.0.2.7 pin={PIN[:-1]}",
        f"relay.example 192.0.2.7 pin={PIN} seen={PIN}",
        "relay.example 192.0.2.7 dkim=razdar",
        "relay.example 192.0.2.7 dkim=razdar:v=DKIM1;p=",
        f"relay.example 192.0.2.7 dkim=a/b:{KEY}",
    ],
)
def test_a_mistake_refuses_the_file_and_names_the_line(tmp_path: Path, line: str) -> None:
    path = file(tmp_path, "two.example 192.0.2.8", line)
    with pytest.raises(Trouble, match="Line 2 of"):
        read_names(path)


def test_a_name_twice_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="Line 2 of"):
        read_names(file(tmp_path, "two.example 192.0.2.8", "TWO.example 192.0.2.9"))


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(Trouble, match="UTF-8"):
        read_names(tmp_path / "names.txt")
    (tmp_path / "folder").mkdir()
    with pytest.raises(Trouble):
        read_names(tmp_path / "folder")


@given(
    st.builds(
        Peer,
        st.sampled_from(["relay.example", "[192.0.2.7]", "a.alt"]),
        st.lists(st.ip_addresses().map(str), min_size=1, max_size=4).map(tuple),
        st.integers(1, 65_535),
        st.integers(1, 65_535),
        st.binary(min_size=32, max_size=32).map(bytes.hex),
        st.lists(st.tuples(st.sampled_from(["razdar", "a.b", "_x"]), st.just(KEY.encode())), max_size=3).map(tuple),
        is_confirmed=st.booleans(),
    )
)
def test_what_is_written_is_read(entry: Peer) -> None:
    assert read_peer(write_peer(entry).split()) == entry


def test_one_line_changes_and_the_others_stay(tmp_path: Path) -> None:
    path = file(tmp_path, "# my remark", "two.example 192.0.2.8 # friends", LINE)
    assert not put_peer(path, "three.example", read_peer(["three.example", "192.0.2.9"]))
    assert put_peer(path, "relay.example", None)
    assert path.read_text().splitlines() == ["# my remark", "two.example 192.0.2.8 # friends", "three.example 192.0.2.9"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_book_keeps_its_entries_when_the_file_gets_a_mistake(tmp_path: Path) -> None:
    path = file(tmp_path, LINE)
    book = NamesBook(path)
    book.reload()
    assert book.find("RELAY.example") == PEER
    assert book.find("two.example") is None
    assert not book.reload_if_changed()
    path.write_text("relay.example nonsense\n")
    for _ in range(2):
        with pytest.raises(Trouble):
            book.reload_if_changed()
        assert book.find("relay.example") == PEER
    path.unlink()
    assert book.reload_if_changed()
    assert book.find("relay.example") is None


# --- the command


@contextmanager
def answering(folder: Path, name: str) -> Iterator[tuple[int, str]]:
    """Somebody with a self-signed certificate for `name` on loopback: port and pin."""
    material = open_tls(folder, [name], 1_700_000_000)
    started, ended, found = Event(), asyncio.Event(), []

    async def serve() -> None:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=material.shared)
        found.append((server.sockets[0].getsockname()[1], asyncio.get_running_loop()))
        started.set()
        async with server:
            await ended.wait()

    thread = Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert started.wait(10)
    port, loop = found[0]
    try:
        yield port, material.fingerprint.replace(":", "").lower()
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)


def entries(data: Path) -> dict[str, Peer]:
    return dict(read_names(data / "names.txt"))


def test_with_a_pin_nobody_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pin = bytes.fromhex(PIN).hex(":").upper()
    words = ["peer", "add", "Relay.example", "2001:db8::7", "192.0.2.7", "--https-port", "8443", "--smtp-port", "8025", "--pin", pin]
    assert main([*words, "--dkim", f"razdar:{KEY}", "--data", str(tmp_path)]) == 0
    assert entries(tmp_path) == {"relay.example": PEER}
    assert write_peer(PEER) in capsys.readouterr().out


def test_the_first_certificate_is_shown_and_marked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with answering(tmp_path, "relay.alt") as (port, pin):
        words = ["peer", "add", "relay.alt", "127.0.0.1", "--https-port", str(port), "--data", str(data)]
        assert main(words) == 0
    assert (entries(data)["relay.alt"].pin, entries(data)["relay.alt"].is_confirmed) == (pin, False)
    assert bytes.fromhex(pin).hex(":").upper() in capsys.readouterr().out


@pytest.mark.parametrize(("answer", "is_confirmed"), [("y\n", True), ("بله\n", True), ("\n", False), ("n\n", False), ("", False)])
def test_the_operator_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, is_confirmed: bool) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    with answering(tmp_path, "relay.alt") as (port, _):
        assert main(["peer", "add", "relay.alt", "127.0.0.1", "--https-port", str(port), "--data", str(tmp_path)]) == 0
    assert entries(tmp_path)["relay.alt"].is_confirmed is is_confirmed


def test_another_certificate_is_refused_until_it_is_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["peer", "add", "relay.alt", "127.0.0.1", "--data", str(tmp_path)]
    assert main([*words, "--pin", PIN]) == 0
    before = (tmp_path / "names.txt").read_bytes()
    with answering(tmp_path, "relay.alt") as (port, pin):
        assert main([*words, "--https-port", str(port)]) == 1
        assert "--pin" in capsys.readouterr().err
        assert (tmp_path / "names.txt").read_bytes() == before
        assert main([*words, "--https-port", str(port), "--pin", pin]) == 0
        assert main([*words, "--https-port", str(port)]) == 0  # the same again
    assert (entries(tmp_path)["relay.alt"].pin, entries(tmp_path)["relay.alt"].is_confirmed) == (pin, True)


def test_where_nobody_answers_the_entry_is_made_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["peer", "add", "relay.alt", "127.0.0.1", "--https-port", "1", "--data", str(tmp_path)]) == 0
    assert entries(tmp_path)["relay.alt"].pin == ""
    assert "Nobody answers there now" in capsys.readouterr().out


def test_keys_stay_when_only_the_address_changes(tmp_path: Path) -> None:
    words = ["--pin", PIN, "--data", str(tmp_path)]
    main(["peer", "add", "relay.alt", "192.0.2.7", "--dkim", f"razdar:{KEY}", *words])
    main(["peer", "add", "relay.alt", "192.0.2.9", *words])
    assert (entries(tmp_path)["relay.alt"].addresses, len(entries(tmp_path)["relay.alt"].dkim)) == (("192.0.2.9",), 1)


def test_list_and_remove(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["peer", "list", "--data", str(tmp_path)]) == 0
    assert "empty" in capsys.readouterr().out
    file(tmp_path, LINE, "two.example 192.0.2.8", f"three.example 192.0.2.9 seen={PIN}")
    assert main(["peer", "list", "--data", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("relay.example", "two.example", "not compared"))
    assert main(["peer", "list", "--json", "--data", str(tmp_path)]) == 0
    records = json.loads(capsys.readouterr().out)
    assert [(each["name"], each["confirmed"]) for each in records] == [
        ("relay.example", True),
        ("three.example", False),
        ("two.example", True),
    ]
    assert main(["peer", "remove", "TWO.example", "--data", str(tmp_path)]) == 0
    assert main(["peer", "remove", "two.example", "--data", str(tmp_path)]) == 1
    assert set(entries(tmp_path)) == {"relay.example", "three.example"}


@pytest.mark.parametrize(
    "words",
    [
        ["add"],
        ["add", "relay.example"],
        ["remove"],
        ["add", "relay.example", "host.example"],
        ["add", "a b", "192.0.2.7"],
        ["add", "relay.example", "192.0.2.7", "--pin", "12"],
        ["add", "relay.example", "192.0.2.7", "--dkim", "x"],
        ["add", "relay.example", "192.0.2.7", "--https-port", "0"],
    ],
)
def test_slips_of_the_pen_are_told_and_change_nothing(tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["peer", *words, "--data", str(tmp_path)]) == 1
    assert "./razdar peer add relay.example 192.0.2.7" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_relay_that_runs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(peer, "ask", lambda data, request: asked.append((data, dict(request))))
    (tmp_path / "run").mkdir()
    (tmp_path / "run/control.sock").write_text("")
    main(["peer", "add", "relay.example", "192.0.2.7", "--pin", PIN, "--data", str(tmp_path)])
    main(["peer", "remove", "relay.example", "--data", str(tmp_path)])
    assert asked == [(tmp_path, {"op": "names", "done": done}) for done in ("peer_add", "peer_remove")]


def test_no_list_is_no_news(tmp_path: Path) -> None:
    """A relay that has never heard of others starts without a word about them."""
    assert not NamesBook(tmp_path / "names.txt").reload_if_changed()
