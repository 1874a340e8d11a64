# SPDX-License-Identifier: AGPL-3.0-or-later
"""`./razdar dns`: what it prints can be pasted, and what it says of DNS is so. A real little DNS server answers."""

import asyncio
import json
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import dns.zone
import pytest
from tests.lab.dns_server import DnsServer

from razdar.adapters.dkim_key import DkimKey
from razdar.adapters.identity import open_identity, published_key
from razdar.adapters.names_file import read_names
from razdar.adapters.tls import open_tls
from razdar.checkup.dns_records import Facts, peer_line, private_addresses, records, zone_line
from razdar.cli import main
from razdar.services.dkim_signing import SELECTOR, signing
from razdar.vault.dkim_key import verify
from razdar.wire.dkim.message import SignedMessage

HIGH = {"https": 8443, "smtp": 8025}
STANDARD = {"https": 443, "smtp": 25}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("relay")
    open_identity(folder, "relay.example", os.urandom)
    open_tls(folder, ["relay.example"], 1_700_000_000)
    return folder


@contextmanager
def answering(zone: Mapping[str, Mapping[str, list[str]]], *, is_failing: bool = False) -> Iterator[str]:
    """A DNS server in a thread of its own; its address."""
    started, found = Event(), []

    async def serve() -> None:
        async with DnsServer(zone) as server:
            server.is_failing = is_failing
            ended = asyncio.Event()
            found.append((server.server, ended, asyncio.get_running_loop()))
            started.set()
            await ended.wait()

    thread = Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert started.wait(10)
    address, ended, loop = found[0]
    try:
        yield address
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)


def zone(data: Path) -> dict[str, dict[str, list[str]]]:
    key = published_key(data)[1].replace(" ", "")  # panels do that
    return {
        "relay.example": {"A": ["203.0.113.7"], "MX": ["10 relay.example."], "TXT": ['"v=spf1 a mx -all"', '"google-site=1"']},
        "razdar._domainkey.relay.example": {"TXT": [f'"{key[:200]}" "{key[200:]}"']},
        "_dmarc.relay.example": {"TXT": ['"v=DMARC1; p=reject; adkim=s; aspf=s;"']},
    }


def run(data: Path, server: str, *words: str) -> int:
    options = ["--data", str(data), "--address", "203.0.113.7", "--ports", "standard", "--set", f"dns_servers={server}"]
    return main(["dns", *options, *words])


def states(shown: str) -> dict[tuple[str, str], str]:
    return {(each["type"], each["name"].split(".")[0]): each["state"] for each in json.loads(shown)["records"]}


def test_all_published(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with answering(zone(data)) as server:
        assert run(data, server) == 0
        shown = capsys.readouterr().out
        assert "✗" not in shown
        assert shown.count("✓") == 5
        assert "هرچه رله‌های دیگر لازم دارند منتشر شده است." in shown
        assert run(data, server, "--json") == 0
    assert set(states(capsys.readouterr().out).values()) == {"fine"}


def test_what_is_missing_and_what_is_wrong(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = zone(data)
    other["relay.example"] = {"A": ["203.0.113.9"], "MX": ["5 mail.elsewhere.example."]}
    del other["razdar._domainkey.relay.example"]
    with answering(other) as server:
        assert run(data, server) == 1
        shown = capsys.readouterr().out
        assert "≠ 203.0.113.9" in shown
        assert "≠ 5 mail.elsewhere.example." in shown
        assert "without it other relays refuse every message from here" in shown
        assert run(data, server, "--json") == 1
    assert states(capsys.readouterr().out) == {
        ("A", "relay"): "other",
        ("MX", "relay"): "other",
        ("TXT", "razdar"): "missing",
        ("TXT", "relay"): "missing",
        ("TXT", "_dmarc"): "fine",
    }


def test_what_large_providers_want_is_not_needed(data: Path) -> None:
    needed = {name: kinds for name, kinds in zone(data).items() if name != "_dmarc.relay.example"}
    with answering(needed) as server:
        assert run(data, server) == 0


def test_dead_dns_is_no_verdict(data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("razdar.adapters.dns.PATIENCE_S", 0.1)
    with answering({}, is_failing=True) as server:
        assert run(data, server) == 1
    shown = capsys.readouterr().out
    assert shown.count("? ") == 5
    assert "✗ " not in shown.split("آنچه با")[0]


def test_the_zone_can_be_read_by_a_name_server(data: Path) -> None:
    """RFC 1035 section 5.1: the key of 400 characters is cut into strings."""
    domain, key = published_key(data)
    facts = Facts(domain, ["203.0.113.7", "2001:db8::7"], key, STANDARD, "")
    text = "".join(f"{zone_line(record, 50)}\n" for record in records(facts))
    read = dns.zone.from_text(text, origin="relay.example.", relativize=False, check_origin=False)
    found = read.find_rdataset("razdar._domainkey.relay.example.", "TXT")[0]
    assert b"".join(found.strings).decode() == key
    assert read.find_rdataset("relay.example.", "MX")[0].to_text() == "10 relay.example."
    assert read.find_rdataset("relay.example.", "AAAA")[0].to_text() == "2001:db8::7"


@pytest.mark.parametrize("domain", ["abcdefgh.razdar.alt", "[203.0.113.7]", "localhost"])
def test_a_name_outside_of_dns_has_no_records(domain: str) -> None:
    assert records(Facts(domain, ["203.0.113.7"], "v=DKIM1; p=AAAA", HIGH, "")) == []


def test_the_line_for_other_operators_works_there(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What one relay prints, another one takes; the key and the certificate are those of the first."""
    assert main(["dns", "--json", "--data", str(data), "--domain", "abcdefgh.razdar.alt", "--address", "203.0.113.7"]) == 0
    line = json.loads(capsys.readouterr().out)["peer"]
    words = shlex.split(line)
    assert words[0] == "./razdar"
    assert main([*words[1:], "--data", str(tmp_path)]) == 0
    (peer,) = read_names(tmp_path / "names.txt").values()
    assert (peer.name, peer.addresses, peer.https_port, peer.smtp_port) == ("abcdefgh.razdar.alt", ("203.0.113.7",), 8443, 8025)
    assert (len(peer.pin), peer.is_confirmed, peer.dkim[0][0]) == (64, True, SELECTOR)
    signed = SignedMessage(signing(peer.name, DkimKey.load((data / "keys/dkim.pem").read_bytes()))(b"From: <a@b.example>\r\n\r\nHello\r\n"))
    assert signed.check(signed.signatures()[0], peer.dkim[0][1], verify, 0)


def test_a_literal_is_quoted_for_the_shell_and_has_no_key(tmp_path: Path) -> None:
    line = peer_line(Facts("[203.0.113.7]", ["203.0.113.7"], "v=DKIM1; p=AAAA", STANDARD, "3f" * 32))
    assert shlex.split(line)[3:5] == ["[203.0.113.7]", "203.0.113.7"]
    assert "--dkim" not in line
    assert main([*shlex.split(line)[1:], "--data", str(tmp_path)]) == 0


def test_addresses_and_ports_that_the_world_cannot_use_are_told(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with answering(zone(data)) as server:
        main(["dns", "--data", str(data), "--address", "192.168.1.7", "--set", f"dns_servers={server}"])
    shown = capsys.readouterr().out
    assert "--address" in shown
    assert "443 → 8443    25 → 8025" in shown
    assert private_addresses(Facts("a.example", ["192.168.1.7", "8.8.8.8"], "", STANDARD, "")) == ["192.168.1.7"]


def test_before_the_first_start_there_is_no_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dns", "--data", str(tmp_path)]) == 1
    assert "never been started" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_address_is_told(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dns", "--data", str(data), "--address", "relay.example"]) == 1
    assert "--address takes an IP address" in capsys.readouterr().err


def test_the_record_is_the_one_that_the_key_says(data: Path) -> None:
    assert published_key(data)[1].encode() == DkimKey.load((data / "keys/dkim.pem").read_bytes()).record()


def test_literals_are_not_signed() -> None:
    letter = b"From: <a@[203.0.113.7]>\r\n\r\nHello\r\n"
    assert signing("[203.0.113.7]", DkimKey.generate())(letter) == letter
