# SPDX-License-Identifier: AGPL-3.0-or-later
"""SIGHUP: configuration and certificate are taken together or not at all (docs/commands.md)."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.lab.tls import self_signed

from razdar.adapters.clock import SystemClock
from razdar.adapters.tls import open_tls
from razdar.app.chores import reload_all
from razdar.app.ground import Current
from razdar.app.names import Names, open_names
from razdar.config import read_config
from razdar.model.trouble import Trouble
from razdar.servers.journal import Journal


def names_of_others(data: Path) -> Names:
    return open_names(read_config(data), SystemClock(), Journal())


@dataclass
class Ground:
    """Of a relay, what a reload touches."""

    current: Current
    tls: Any
    names: Any


def test_a_bad_certificate_leaves_the_old_configuration_in_force(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, "relay.example")
    file = tmp_path / "razdar.toml"
    file.write_text(f'certificate = "{certificate}"\ncertificate_key = "{key}"\n')
    config = read_config(tmp_path)
    ground = Ground(
        Current(config), open_tls(tmp_path, ["relay.example"], 0, certificate=str(certificate), key=str(key)), names_of_others(tmp_path)
    )
    file.write_text(file.read_text() + 'registration = "closed"\n')
    good = certificate.read_bytes()
    certificate.write_text("garbage")
    with pytest.raises(Trouble):
        reload_all(ground)  # type: ignore[arg-type]
    assert ground.current().registration == "open"
    certificate.write_bytes(good)
    reload_all(ground)  # type: ignore[arg-type]
    assert ground.current().registration == "closed"


def test_the_list_of_other_relays_is_read_again(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, "relay.example")
    tls, names = open_tls(tmp_path, ["relay.example"], 0, certificate=str(certificate), key=str(key)), names_of_others(tmp_path)
    ground = Ground(Current(read_config(tmp_path)), tls, names)
    (tmp_path / "names.txt").write_text("one.example 192.0.2.1\n")
    reload_all(ground)  # type: ignore[arg-type]
    assert names.peers.find("one.example") is not None
    (tmp_path / "names.txt").write_text("one.example nonsense\n")
    with pytest.raises(Trouble):
        reload_all(ground)  # type: ignore[arg-type]
    asyncio.run(names.upkeep())
    assert names.peers.find("one.example") is not None
    assert names.journal.counts["names.refused"] == 1


def test_a_slip_of_the_pen_in_the_list_does_not_keep_a_relay_from_starting(tmp_path: Path) -> None:
    """After a power cut at night nobody is there to correct it, and people's own mail does not need it."""
    (tmp_path / "names.txt").write_text("one.example nonsense\n")
    names = names_of_others(tmp_path)
    assert names.peers.find("one.example") is None
    assert names.journal.counts["names.refused"] == 1
    (tmp_path / "names.txt").write_text("one.example 192.0.2.1\n")
    asyncio.run(names.upkeep())
    assert names.peers.find("one.example") is not None
