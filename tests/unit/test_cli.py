# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a person types and reads. Commands run as they are, in this process."""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from razdar import __version__
from razdar.adapters.ready import Ready, ready_path, remove_ready, write_ready
from razdar.cli import PASSED_ON, invite, main, status
from razdar.cli.arguments import build_parser, in_order
from razdar.cli.given import run_config
from razdar.cli.terminal import qr_lines
from razdar.cli.up import announce
from razdar.cli.words import COMMANDS
from razdar.model.listener import Listener
from razdar.model.trouble import Trouble
from razdar.settings import Settings

_READY = Ready(
    pid=42,
    domain="k7f3q9d2.razdar.alt",
    version="0.1.0",
    listeners=(Listener("https", "::", 8443), Listener("https", "0.0.0.0", 8443)),
    page="https://192.0.2.7:8443/",
    fingerprint="AB:CD",
    data=Path("/data"),
)


def _asked(monkeypatch: pytest.MonkeyPatch, module: Any, answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The requests that a command sends; each gets `answer`. The socket itself is tested in tests/integration/test_control.py."""
    requests: list[Mapping[str, Any]] = []

    def ask(_data: Path, request: Mapping[str, Any]) -> Mapping[str, Any]:
        requests.append(request)
        return answer

    monkeypatch.setattr(module, "ask", ask)
    return requests


@pytest.mark.parametrize("words", [[], ["--help"], *([command.name, "--help"] for command in COMMANDS)])
def test_help_speaks_both_languages(capsys: pytest.CaptureFixture[str], words: Sequence[str]) -> None:
    with suppress(SystemExit):
        assert main(words) == 0
    shown = capsys.readouterr().out
    assert any("\u0600" <= letter <= "\u06ff" for letter in shown)
    assert "./razdar" in shown


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert (end.value.code, capsys.readouterr().out) == (0, f"Razdar {__version__}\n")


def test_a_misspelt_command_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["upp"])
    assert end.value.code == 2
    assert "invalid choice" in capsys.readouterr().err


def test_flags_are_settings_and_win_over_set(tmp_path: Path) -> None:
    words = f"up --data {tmp_path} --set ports=standard --set keep_days=3 --ports 9443 --domain Chat.Example --bind 127.0.0.1 --bind ::1"
    config = run_config(build_parser().parse_args([*words.split(), "--change-name"]))
    assert config.settings == replace(Settings(), ports="9443", keep_days=3, domain="chat.example", bind=("127.0.0.1", "::1"))
    assert (config.data, config.change_name) == (tmp_path, True)


def test_data_lies_where_the_person_is_unless_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_config(build_parser().parse_args(["up"])).data == tmp_path / "razdar-data"


def test_a_trouble_is_two_sentences_and_no_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--data", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 2)
    assert "./razdar up" in err


@pytest.mark.parametrize(("lang", "word"), [("fa", "روزهای کار رله"), ("en", "relay days")])
def test_config_shows_value_origin_and_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str], lang: str, word: str) -> None:
    (tmp_path / "razdar.toml").write_text("keep_days = 3\n")
    assert main(["config", "--data", str(tmp_path), "--set", "recipients=5", "--lang", lang]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * len(Settings.__dataclass_fields__)
    at = next(number for number, line in enumerate(lines) if line.startswith("keep_days = 3 "))
    assert str(tmp_path / "razdar.toml") in lines[at]
    assert "20" in lines[at]
    assert word in lines[at + 1]


def test_config_follows_the_locale(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "fa_IR.UTF-8")
    main(["config", "--data", str(tmp_path)])
    assert "[پیش‌فرض]" in capsys.readouterr().out


def test_config_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--data", str(tmp_path), "--json", "--set", "push=no"]) == 0
    records = {record["name"]: record for record in json.loads(capsys.readouterr().out)}
    assert records.keys() == Settings.__dataclass_fields__.keys()
    assert (records["push"]["value"], records["push"]["from"], records["push"]["default"]) == (False, "command line", True)


def test_invite_shows_link_code_and_terms(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    link = "https://192.0.2.7:8443/i/#token"
    requests = _asked(monkeypatch, invite, {"url": link})
    assert main(["invite", "--uses", "3", "--days", "1", "--png", str(tmp_path / "code.png")]) == 0
    assert requests == [{"op": "invite", "uses": 3, "days": 1, "note": ""}]
    shown = capsys.readouterr().out
    assert f"\n    {link}\n" in shown
    assert "For 3 people, for 1 day." in shown
    assert "برای ۳ نفر" in shown
    assert qr_lines(link, colours=False)[3] in shown
    assert (tmp_path / "code.png").read_bytes().startswith(b"\x89PNG")


def test_a_direct_code_comes_with_a_warning(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    requests = _asked(monkeypatch, invite, {"dclogin": "dclogin:abc@x?p=pw&v=1"})
    assert main(["invite", "--direct"]) == 0
    shown = capsys.readouterr().out
    assert requests == [{"op": "direct"}]
    assert "dclogin:abc@x?p=pw&v=1" in shown
    assert "Do not share it" in shown
    assert "برای کسی نفرستید" in shown


@pytest.mark.parametrize("words", [["--uses", "0"], ["--days", "0"], ["--uses", "100000"], ["--days", "4000"]])
def test_invitations_have_limits(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    requests = _asked(monkeypatch, invite, {})
    assert main(["invite", *words]) == 1
    assert requests == []
    assert "goes from 1 to" in capsys.readouterr().err


def test_a_picture_that_cannot_be_written_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    _asked(monkeypatch, invite, {"url": "https://192.0.2.7/"})
    assert main(["invite", "--png", str(tmp_path / "none/code.png")]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_status_for_people_and_programs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    counts = {"domain": "chat.example", "accounts": 12_345, "doors": {"imaps": 3}, "bind": ["::"], "none": {}, "push": True}
    _asked(monkeypatch, status, counts)
    assert main(["status"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "domain    chat.example",
        "accounts  12,345",
        "doors     imaps 3",
        "bind      ::",
        "none      -",
        "push      True",
    ]
    assert main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == counts


def test_up_tells_all_a_person_needs(capsys: pytest.CaptureFixture[str]) -> None:
    announce(_READY)
    shown = capsys.readouterr().out
    for word in (_READY.page, _READY.domain, "AB:CD", "/data", "Ctrl-C", "رازدار آماده است", "Razdar is ready"):
        assert word in shown
    assert all(line in shown for line in qr_lines(_READY.page, colours=False))


def test_up_says_nothing_of_a_fingerprint_nobody_has_to_compare_and_nothing_at_all_if_told(capsys: pytest.CaptureFixture[str]) -> None:
    announce(replace(_READY, fingerprint=""))
    assert "SHA-256" not in capsys.readouterr().out
    announce(_READY, quiet=True)
    assert capsys.readouterr().out == ""


def test_codes_are_dark_on_light_on_any_terminal() -> None:
    assert all(line.startswith("\x1b[97;40m") and line.endswith("\x1b[0m") for line in qr_lines("x", colours=True))


def test_ready_is_written_whole_and_removed(tmp_path: Path) -> None:
    write_ready(replace(_READY, data=tmp_path))
    assert json.loads(ready_path(tmp_path).read_text()) == {
        "pid": 42,
        "domain": "k7f3q9d2.razdar.alt",
        "version": "0.1.0",
        "listeners": [{"name": "https", "address": "::", "port": 8443}, {"name": "https", "address": "0.0.0.0", "port": 8443}],
    }
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["ready.json"]
    remove_ready(tmp_path)
    remove_ready(tmp_path)
    assert not ready_path(tmp_path).exists()


def test_words_of_other_programs_are_passed_on_untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[list[str]] = []

    def run(words: list[str]) -> int:
        heard.append(words)
        return 7

    monkeypatch.setattr("razdar.cli.suite.run", run)
    assert main(["test", "-k", "up --data", "--quick"]) == 7
    assert heard == [["-k", "up --data", "--quick"]]
    assert PASSED_ON.keys() == {"test", "bench", "try"}


def test_interrupt_and_trouble_have_their_exit_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    for error, code in ((KeyboardInterrupt(), 130), (Trouble("", ""), 1)):

        def run(_arguments: object, error: BaseException = error) -> int:
            raise error

        monkeypatch.setattr(status, "run", run)
        assert main(["status"]) == code


def test_a_closed_pipe_is_no_traceback(tmp_path: Path) -> None:
    """As in `./razdar config | head`."""
    import subprocess
    import sys

    import razdar

    command = [sys.executable, "-m", "razdar", "config", "--data", str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(Path(razdar.__path__[0]).parent)}
    reading, writing = os.pipe()
    os.close(reading)
    result = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, env=environment, check=False)
    os.close(writing)
    assert (result.returncode, result.stderr) == (1, b"")


def test_the_queue_in_both_languages(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from razdar.cli import queue

    waits = {"relay": "other.example", "waiting": 12, "oldest_days": 3, "reason": "not-connected", "next_try_seconds": 90}
    now = {"relay": "[192.0.2.7]", "waiting": 1, "oldest_days": 0, "reason": None, "next_try_seconds": None}
    _asked(monkeypatch, queue, {"relays": [waits, now]})
    assert main(["queue"]) == 0
    shown = capsys.readouterr().out
    assert "۱۲ پیام، کهنه‌ترینشان ۳ روزه؛ پاسخی نمی‌دهد؛ تلاش بعدی تا ۲ دقیقهٔ دیگر" in shown
    assert "12 waiting, the oldest for 3 relay days; it does not answer; next try within 2 minutes" in shown
    assert "being sent right now" in shown
    assert main(["queue", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [waits, now]
    _asked(monkeypatch, queue, {"relays": []})
    assert main(["queue"]) == 0
    assert "Nothing waits" in capsys.readouterr().out


def test_every_reason_has_words_for_the_operator() -> None:
    from razdar.cli.queue import REASONS
    from razdar.ports.courier import Reason

    assert set(REASONS) == {reason.value for reason in Reason}


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        ("apps add --data d app.apk", "FILE", "app.apk"),
        ("apps --version 1.2 add --number=7 app.apk --data d", "FILE", "app.apk"),
        ("peer add --pin aa relay.example --data d 192.0.2.7 192.0.2.8", "ADDRESS", ["192.0.2.7", "192.0.2.8"]),
        ("peer list --json --data d", "NAME", None),
        ("backup --encrypt file --data d", "FILE", Path("file")),
        ("backup --data d file --encrypt", "encrypt", True),
    ],
)
def test_options_may_stand_anywhere(words: str, name: str, value: object) -> None:
    arguments = build_parser().parse_args(in_order(words.split()))
    assert getattr(arguments, name) == value
    assert arguments.data == Path("d")


def test_words_that_are_no_command_stay_as_they_are() -> None:
    for words in ([], ["--version"], ["nothing", "--x", "y"], ["apps", "--", "add"]):
        assert in_order(words) == words
