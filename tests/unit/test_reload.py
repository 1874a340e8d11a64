# SPDX-License-Identifier: AGPL-3.0-or-later
"""SIGHUP: configuration and certificate are taken together or not at all (docs/commands.md)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.lab.tls import self_signed

from razdar.adapters.tls import open_tls
from razdar.app.chores import reload_all
from razdar.app.parts import Current
from razdar.config import read_config
from razdar.model.trouble import Trouble


@dataclass
class Parts:
    """Of a relay, what a reload touches."""

    current: Current
    tls: Any


def test_a_bad_certificate_leaves_the_old_configuration_in_force(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, "relay.example")
    file = tmp_path / "razdar.toml"
    file.write_text(f'certificate = "{certificate}"\ncertificate_key = "{key}"\n')
    config = read_config(tmp_path)
    parts = Parts(Current(config), open_tls(tmp_path, ["relay.example"], 0, certificate=str(certificate), key=str(key)))
    file.write_text(file.read_text() + 'registration = "closed"\n')
    good = certificate.read_bytes()
    certificate.write_text("garbage")
    with pytest.raises(Trouble):
        reload_all(parts)  # type: ignore[arg-type]
    assert parts.current().registration == "open"
    certificate.write_bytes(good)
    reload_all(parts)  # type: ignore[arg-type]
    assert parts.current().registration == "closed"
