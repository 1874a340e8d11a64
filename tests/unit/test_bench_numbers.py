# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the benchmark says of its numbers: medians, how many times better, goals, table, picture and page, the time that is left."""

import io
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from bench import machine
from bench.chart import chart
from bench.document import BEGIN, END, publish, replaced
from bench.meter import Disk
from bench.peer import stored_form
from bench.progress import Progress
from bench.spec import Server
from bench.summary import ROWS, Goal, Row, summarise, table, times_better, verdict

REPOSITORY = Path(__file__).resolve().parents[2]
FAST = {"pairs": [{"messages_per_s": n, "server_cpu_ms_per_message": 2.0} for n in (500.0, 300.0, 400.0)]}
SLOW = {"pairs": [{"messages_per_s": n, "server_cpu_ms_per_message": 6.0} for n in (90.0, 100.0, 110.0)]}
BOTH = {"razdar": summarise(FAST), "other": summarise(SLOW)}
SVG = "{http://www.w3.org/2000/svg}"


def row(case: str, key: str) -> Row:
    return next(row for row in ROWS if (row.case, row.key) == (case, key))


def test_results_are_medians_with_their_spread() -> None:
    fanouts = [{"last_s": 0.1}, {"last_s": 0.3}]
    summary = summarise({"pairs": [{"messages_per_s": n} for n in (3.0, 1.0, 2.0)], "crowd": [{"fanouts": fanouts}]})
    assert summary["pairs"]["messages_per_s"] == {"median": 2.0, "low": 1.0, "high": 3.0}
    assert summary["fanout"]["last_s"]["median"] == 0.2
    assert any("2.0 (1.0 to 3.0) messages/s" in line for line in table({"this": summary}))


def test_fan_outs_among_waiting_messages_are_a_case_of_their_own() -> None:
    summary = summarise({"waiting": [{"connections": 5, "fanouts": [{"last_s": 1.0}]}, {"connections": 5, "fanouts": [{"last_s": 2.0}]}]})
    assert summary["waiting"] == {"last_s": {"median": 1.5, "low": 1.0, "high": 2.0}}


def test_better_is_more_of_the_one_and_less_of_the_other() -> None:
    assert times_better(row("pairs", "messages_per_s"), BOTH) == 4.0
    assert times_better(row("pairs", "server_cpu_ms_per_message"), BOTH) == 3.0
    assert times_better(row("pairs", "others_cores"), BOTH) is None
    assert times_better(row("pairs", "messages_per_s"), {"alone": summarise(FAST)}) is None


def test_a_goal_is_reached_or_missed_and_unknown_without_the_other() -> None:
    assert verdict(row("pairs", "messages_per_s"), BOTH) == "4 times: reached"
    assert verdict(row("pairs", "server_cpu_ms_per_message"), BOTH) == "4 times: missed"
    assert verdict(row("pairs", "messages_per_s"), {"alone": summarise(FAST)}) == ""
    assert Goal(at_most=10).is_met(10.0, None)
    assert not Goal(at_most=10).is_met(10.1, 100.0)


def test_the_table_names_both_and_says_how_many_times() -> None:
    head, first, *_ = table(BOTH)
    assert head.split() == ["razdar", "other"]
    assert " ".join(first.split()) == "delivered, 20 pairs 400.0 (300.0 to 500.0) 100.0 (90.0 to 110.0) messages/s 4× 4 times: reached"


def test_every_row_has_a_title_and_belongs_to_one_number() -> None:
    assert len({(row.case, row.key) for row in ROWS}) == len(ROWS)
    assert all(row.title for row in ROWS)


def test_the_picture_is_svg_with_a_bar_as_long_as_the_median() -> None:
    picture = ElementTree.fromstring(chart(BOTH))
    bars = [float(bar.attrib["width"]) for bar in picture.iter(f"{SVG}rect")][-4:]
    assert bars[0] == pytest.approx(4 * bars[1], rel=0.01)
    texts = ["".join(text.itertext()) for text in picture.iter(f"{SVG}text")]
    assert "400.0 messages/s" in texts
    assert "more is better, 4×" in texts
    title = picture.find(f"{SVG}title")
    assert title is not None
    assert title.text == "razdar and other: medians with lowest and highest values"


def test_names_cannot_break_the_picture() -> None:
    assert "<b>" not in "".join(ElementTree.fromstring(chart({"<b>&": BOTH["razdar"]})).itertext()).replace("<b>&", "")


def test_the_page_gets_the_numbers_between_its_marks_and_nothing_else_changes(tmp_path: Path) -> None:
    facts = {"processor": "P", "cores": 2, "memory_gib": 4, "kernel": "6", "file_system": "ext4", "python": "3.11"}
    asked = {"runs": 3, "waiting": 1000, "connections": 10}
    result = tmp_path / "2026-01-01.json"
    result.write_text(json.dumps({"date": "2026-01-01", "commit": "abc", "machine": facts, "asked": asked, "summary": BOTH}))
    (tmp_path / "performance.md").write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    publish(result, tmp_path)
    publish(result, tmp_path)
    page = (tmp_path / "performance.md").read_text()
    assert page.startswith("before\n")
    assert page.endswith("\nafter\n")
    assert "old" not in page
    line = "| delivered, 20 pairs, messages/s | 400.0 (300.0 to 500.0) | 100.0 (90.0 to 110.0) | 4× | 4 times: reached |"
    assert page.count(line) == 1
    assert ElementTree.parse(tmp_path / "performance.svg").getroot().tag == f"{SVG}svg"


def test_a_page_without_marks_is_left_alone() -> None:
    with pytest.raises(ValueError, match="no place"):
        replaced("nothing here", "text")


def test_the_real_page_has_a_place_for_results() -> None:
    assert replaced((REPOSITORY / "docs" / "performance.md").read_text(), "text").count("text\n") >= 1


def test_the_time_left_is_corrected_by_what_was_needed_so_far() -> None:
    now, out = [0.0], io.StringIO()
    progress = Progress(100.0, out, lambda: now[0])
    progress.begin("first")
    assert progress.left_s() is None
    now[0] = 20.0
    progress.done(10.0)
    assert progress.left_s() == 180.0
    progress.begin("second")
    progress.end()
    assert out.getvalue().splitlines()[-1].endswith("10%  second, about 3 min left")


def _wrote(process: Path, parent: int, written_bytes: int) -> None:
    process.mkdir(exist_ok=True)
    (process / "stat").write_text(f"{process.name} (relay (1)) S {parent} 1 1")
    (process / "io").write_text(f"wchar: 5\nwrite_bytes: {written_bytes}\ncancelled_write_bytes: 9\n")


def test_what_is_written_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the server and its children from the making of the meter on, and by nobody else."""
    monkeypatch.setattr(machine, "PROC", tmp_path)
    for number, parent in ((10, 1), (11, 10), (12, 1)):
        _wrote(tmp_path / str(number), parent, 1000)
    disk = Disk(Server("127.0.0.1", 0, 0, [10], str(tmp_path)))
    for number, parent in ((10, 1), (11, 10), (12, 1)):
        _wrote(tmp_path / str(number), parent, 1000 + (number << 20))
    written = disk.read()
    assert written["server_written_mib"] == 10 + 11
    assert written["disk_written_mib"] >= 0
    assert machine.written_bytes([2**22 + 1]) == 0  # nobody has that number


def test_a_message_lies_in_a_maildir_as_dovecot_puts_it() -> None:
    stored, marks = stored_form(b"a: b\r\n\r\nc\r\n")
    assert marks == "S=8,W=11"
    assert stored.startswith(b"\x1f\x8b")
