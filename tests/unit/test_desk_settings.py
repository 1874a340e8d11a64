# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is changed at the console: a file beside the operator's own, checked like it, and taken back if the relay cannot use it."""

import tomllib
from pathlib import Path

import pytest

from razdar.app.desk_settings import can_change, change, own_value
from razdar.config import DESK_FILE_NAME, RunConfig, read_config
from razdar.model.trouble import Trouble
from razdar.settings import NEEDS_RESTART

OWN = '# our school\nregistration = "invite"  # until June\nkeep_days = 30\n'


class Relay:
    """A configuration in force."""

    def __init__(self, data: Path, *changes: tuple[str, str]) -> None:
        (data / "razdar.toml").write_text(OWN)
        self.data = data
        self.config: RunConfig = read_config(data, changes=changes)

    def reload(self) -> None:
        self.config = self.config.reload()

    def change(self, name: str, text: str | None) -> None:
        change(self.config, self.reload, name, text)


def test_the_console_wins_over_the_file_and_leaves_it_alone(tmp_path: Path) -> None:
    relay = Relay(tmp_path)
    relay.change("registration", "closed")
    relay.change("sender_share", "0.5")
    relay.change("days_stand_still", "true")
    assert relay.config.settings.registration == "closed"
    assert relay.config.settings.keep_days == 30
    assert (tmp_path / "razdar.toml").read_text() == OWN
    kept = tomllib.loads((tmp_path / DESK_FILE_NAME).read_text())
    assert kept == {"registration": "closed", "sender_share": 0.5, "days_stand_still": True}
    assert relay.config.origins["registration"] == str(tmp_path / DESK_FILE_NAME)
    assert own_value(relay.config, "days_stand_still") == "true"
    assert own_value(relay.config, "keep_days") is None


def test_undone_the_file_counts_again(tmp_path: Path) -> None:
    relay = Relay(tmp_path)
    relay.change("keep_days", "5")
    relay.change("keep_days", None)
    assert relay.config.settings.keep_days == 30
    assert read_config(tmp_path).settings.keep_days == 30


def test_the_command_line_wins_and_the_console_does_not_pretend(tmp_path: Path) -> None:
    relay = Relay(tmp_path, ("keep_days", "9"))
    assert not can_change(relay.config)["keep_days"]
    with pytest.raises(Trouble):
        relay.change("keep_days", "5")
    assert relay.config.settings.keep_days == 9


@pytest.mark.parametrize(
    ("name", "text"), [("keep_days", "0"), ("keep_days", "many"), ("registration", "maybe"), ("nothing", "1"), ("local_part_min", "64")]
)
def test_a_value_that_cannot_be_changes_nothing(tmp_path: Path, name: str, text: str) -> None:
    relay = Relay(tmp_path)
    relay.change("local_part_max", "20")
    before = relay.config
    with pytest.raises(Trouble):
        relay.change(name, text)
    assert relay.config.settings == before.settings
    assert read_config(tmp_path).settings == before.settings


@pytest.mark.parametrize("name", sorted(NEEDS_RESTART))
def test_what_needs_a_restart_is_not_changed_here(tmp_path: Path, name: str) -> None:
    relay = Relay(tmp_path)
    assert name not in can_change(relay.config)
    with pytest.raises(Trouble):
        relay.change(name, "1")
    assert not (tmp_path / DESK_FILE_NAME).exists()


def test_words_with_quotes_and_persian_survive(tmp_path: Path) -> None:
    relay = Relay(tmp_path)
    words = 'مدرسهٔ «سعدی» "\\ \x7f\t'
    relay.change("operator", words.strip())
    assert read_config(tmp_path).settings.operator == words.strip()
