# SPDX-License-Identifier: AGPL-3.0-or-later
"""Settings: who wins, what is refused, and in which words."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from razdar.config import COMMAND_LINE, DEFAULT, normal_domain, read_config, split_assignment
from razdar.model.trouble import Trouble
from razdar.settings import NEEDS_RESTART, Settings, default_reasons, port_layout
from razdar.settings_fa import PERSIAN_REASONS


def _write(folder: Path, text: str) -> Path:
    file = folder / "razdar.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_nothing_needs_to_be_configured(tmp_path: Path) -> None:
    config = read_config(tmp_path / "data")
    assert config.settings == Settings()
    assert set(config.origins.values()) == {DEFAULT}
    assert not (tmp_path / "data").exists()


def test_the_command_line_wins_over_the_file_and_the_file_over_the_defaults(tmp_path: Path) -> None:
    file = _write(tmp_path, "keep_days = 3\nquota_bytes = 40_000_000\n")
    config = read_config(tmp_path, changes=[("keep_days", "5"), ("keep_days", "6")])
    assert (config.settings.keep_days, config.settings.quota_bytes, config.settings.recipients) == (6, 40_000_000, 1000)
    assert [config.origins[name] for name in ("keep_days", "quota_bytes", "recipients")] == [COMMAND_LINE, str(file), DEFAULT]


def test_a_given_file_replaces_the_one_in_the_data_folder(tmp_path: Path) -> None:
    _write(tmp_path, "keep_days = 3\n")
    other = tmp_path / "other.toml"
    other.write_text('operator = "کتابخانهٔ شهر"\n', encoding="utf-8")
    config = read_config(tmp_path, file=other)
    assert (config.settings.keep_days, config.settings.operator) == (20, "کتابخانهٔ شهر")


def test_a_reload_sees_the_file_as_it_is_now_and_keeps_the_command_line(tmp_path: Path) -> None:
    _write(tmp_path, "keep_days = 3\n")
    config = read_config(tmp_path, changes=[("quota_bytes", "70_000")], change_name=True)
    _write(tmp_path, "keep_days = 4\n")
    again = config.reload()
    assert (again.settings.keep_days, again.settings.quota_bytes, again.change_name) == (4, 70_000, True)


def test_a_reload_keeps_what_needs_a_restart(tmp_path: Path) -> None:
    config = read_config(tmp_path)
    _write(tmp_path, 'keep_days = 4\nports = "standard"\ndomain = "chat.example"\n')
    assert config.reload().settings == replace(config.settings, keep_days=4)


def test_a_mistake_at_reload_leaves_the_old_settings(tmp_path: Path) -> None:
    config = read_config(tmp_path)
    _write(tmp_path, "keep_days = 'many'\n")
    with pytest.raises(Trouble, match="keep_days"):
        config.reload()
    assert config.settings.keep_days == 20


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("quota_byte = 1", ["quota_byte", "did you mean quota_bytes?"]),
        ("zzz = 1", ["zzz", "./razdar config"]),
        ("keep_days = 'many'", ["keep_days", "many", "whole number"]),
        ("keep_days = true", ["keep_days", "whole number"]),
        ("keep_days = 0", ["keep_days", "at least 1"]),
        ("sender_share = 1.5", ["sender_share", "at most 1"]),
        ("push = 'yes'", ["push", "true or false"]),
        ("bind = [1]", ["bind", "list of strings"]),
        ("bind = []", ["bind", "at least one"]),
        ("bind = ['localhost']", ["bind", "IP addresses"]),
        ("registration = 'opn'", ["registration", "open, invite, closed"]),
        ("ports = 'low'", ["ports", "standard, high"]),
        ("ports = 100", ["ports", "419"]),
        ("domain = 'not a name'", ["domain", "domain name"]),
        ("contact = 'me'", ["contact", "mailto:"]),
        ("certificate = '/c.pem'", ["certificate", "certificate_key is needed too"]),
        ("certificate_key = '/k.pem'", ["certificate_key", "certificate is needed too"]),
        ("local_part_min = 20\nlocal_part_max = 10", ["local_part_min", "more than local_part_max"]),
        ("local_part_max = 5", ["local_part_max", "more than local_part_max"]),
        ("keep_days = ", ["TOML"]),
        ("[keep_days]\n", ["keep_days", "whole number"]),
    ],
)
def test_a_mistake_is_told_in_one_sentence_with_file_and_setting(tmp_path: Path, toml: str, words: list[str]) -> None:
    file = _write(tmp_path, toml)
    with pytest.raises(Trouble) as caught:
        read_config(tmp_path)
    for word in [str(file), *words]:
        assert word in caught.value.english
    assert str(file) in caught.value.persian
    assert len(caught.value.english.splitlines()) == 1


@pytest.mark.parametrize(("name", "text"), [("keep_days", "x"), ("keep_days", ""), ("sender_share", "half"), ("push", "maybe")])
def test_a_mistake_on_the_command_line_names_it(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(Trouble, match=f"command line: {name}"):
        read_config(tmp_path, changes=[(name, text)])


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("keep_days", "۱۴", 14),  # Persian digits are digits
        ("sender_share", "1", 1.0),
        ("push", "Off", False),
        ("bind", "127.0.0.1, [::1]", ("127.0.0.1", "::1")),
        ("ports", "9443", "9443"),
        ("domain", "Chat.Example.", "chat.example"),
        ("domain", "", ""),
        ("advertise", "[ipv6:2001:db8::1]", "2001:db8::1"),
    ],
)
def test_texts_become_values(tmp_path: Path, name: str, text: str, value: object) -> None:
    assert getattr(read_config(tmp_path, changes=[(name, text)]).settings, name) == value


def test_a_missing_or_unreadable_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="does not exist"):
        read_config(tmp_path, file=tmp_path / "none.toml")
    with pytest.raises(Trouble, match="cannot be read"):
        read_config(tmp_path, file=tmp_path)
    _write(tmp_path, "").write_bytes(b"\xff")
    with pytest.raises(Trouble, match="UTF-8"):
        read_config(tmp_path)


def test_an_assignment_needs_an_equals_sign() -> None:
    assert split_assignment("keep-days = 4=5") == ("keep_days", "4=5")
    with pytest.raises(Trouble, match="key=value"):
        split_assignment("keep_days")


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("_Chat.Test", "_chat.test"),
        ("192.0.2.7", "[192.0.2.7]"),
        ("[192.0.2.7]", "[192.0.2.7]"),
        ("2001:DB8::1", "[ipv6:2001:db8::1]"),
        ("[IPv6:2001:db8::1]", "[ipv6:2001:db8::1]"),
    ],
)
def test_domains_have_one_form(text: str, domain: str) -> None:
    assert normal_domain(text) == domain
    assert normal_domain(domain) == domain


@pytest.mark.parametrize("text", ["", "a b", "a@b", "-", "a..b", "پیام.ایران", "x" * 300])
def test_what_is_no_domain(text: str) -> None:
    with pytest.raises(ValueError):
        normal_domain(text)


def test_port_layouts() -> None:
    assert list(port_layout("standard").values()) == [25, 80, 143, 443, 465, 587, 993]
    assert list(port_layout("high").values()) == [8025, 8080, 8143, 8443, 8465, 8587, 8993]
    assert port_layout("9443") == {name: port + 1000 for name, port in port_layout("high").items()}


@given(st.integers(-(10**6), 10**6))
def test_a_moved_layout_keeps_its_distances_or_is_refused(https: int) -> None:
    if 419 <= https <= 64_985:
        layout = port_layout(str(https))
        assert layout["https"] == https
        assert all(1 <= port <= 65_535 for port in layout.values())
        assert layout["imaps"] - layout["smtp"] == 8993 - 8025
    else:
        with pytest.raises(ValueError):
            port_layout(str(https))


def test_every_setting_has_a_reason_in_both_languages() -> None:
    assert set(PERSIAN_REASONS) == set(default_reasons()) == set(Settings.__dataclass_fields__)
    assert all(PERSIAN_REASONS.values())
    assert all(default_reasons().values())
    assert set(NEEDS_RESTART) <= set(default_reasons())
