# SPDX-License-Identifier: AGPL-3.0-or-later
"""Nothing that a person can type or set is undocumented, and the documents say nothing of things that are gone."""

import re
import tomllib
from pathlib import Path

import pytest
from tests.documents import made, renewed

from razdar import __version__
from razdar.cli.words import COMMANDS
from razdar.config import read_config
from razdar.environment import CHECKOUT
from razdar.settings import Settings, port_layout


def _text(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("document", list(made()), ids=lambda path: path.name)
def test_the_made_parts_are_fresh(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert text == renewed(text, made()[document]), "run: python -m tests.documents"


def test_every_command_and_option_is_documented() -> None:
    text = _text("docs/commands.md")
    for command in COMMANDS:
        assert f"`./razdar {command.name}`" in text
        assert all(f"`{option.flag}" in text for option in command.options)


def test_every_setting_is_documented_and_no_other() -> None:
    documented = re.findall(r"^\| `(\w+)` \|", _text("docs/configuration.md"), re.MULTILINE)
    assert documented == list(Settings.__dataclass_fields__)


def test_the_example_configuration_works(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", _text("docs/configuration.md"), re.DOTALL)
    assert example is not None
    (tmp_path / "razdar.toml").write_text(example[1])
    assert read_config(tmp_path).settings.registration == "invite"


@pytest.mark.parametrize("ports", ["high", "standard", "9443"])
def test_the_port_table_is_true(ports: str) -> None:
    row = next(line for line in _text("docs/commands.md").splitlines() if line.startswith(f"  | `{ports}`"))
    assert [int(cell) for cell in row.split("|")[2:-1]] == list(port_layout(ports).values())


def test_the_readmes_name_only_commands_that_exist() -> None:
    known = {command.name for command in COMMANDS} | {"bundle", "courier"}  # planned, and said so
    for name in ("README.md", "README.fa.md", "SECURITY.md", "CHANGELOG.md"):
        assert set(re.findall(r"\./razdar ([a-z]+)", _text(name))) <= known


def _locked(name: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", _text(name), re.MULTILINE))


def test_every_dependency_has_a_line_of_reason() -> None:
    locked = set.union(*(_locked(f"requirements{kind}.lock") for kind in ("", "-try", "-test", "-browser", "-release")))
    first_cells = re.findall(r"^\| (`.*?`) \|", _text("docs/dependencies.md"), re.MULTILINE)
    assert {name for cell in first_cells for name in re.findall(r"`(.*?)`", cell)} == locked


def test_the_locks_hold_what_the_project_asks_for_and_agree() -> None:
    project = tomllib.loads(_text("pyproject.toml"))["project"]
    extras = project["optional-dependencies"]
    asked = {"": project["dependencies"], "-try": extras["try"], "-test": extras["try"] + extras["test"], "-release": extras["release"]}
    asked["-browser"] = asked["-test"] + extras["browser"]
    for kind, wanted in asked.items():
        assert {re.split(r"[<>=~\[; ]", each)[0] for each in wanted} <= _locked(f"requirements{kind}.lock")
    pins = {kind: set(re.findall(r"^[a-z0-9-]+==[^ ]+", _text(f"requirements{kind}.lock"), re.MULTILINE)) for kind in asked}
    assert pins[""] <= pins["-try"] <= pins["-test"] <= pins["-browser"]
    assert pins[""] <= pins["-release"]


@pytest.mark.parametrize("kind", ["", "-try", "-test", "-browser", "-release"])
def test_the_locks_have_a_hash_for_every_file_and_name_no_host(kind: str) -> None:
    text = _text(f"requirements{kind}.lock")
    assert "://" not in text
    assert all("--hash=sha256:" in part for part in re.split(r"^(?=[a-z])", text, flags=re.MULTILINE)[1:])


def test_the_change_log_knows_this_version() -> None:
    assert f"## {__version__}" in _text("CHANGELOG.md")


def test_the_licence_is_whole() -> None:
    text = _text("LICENSE")
    assert "GNU AFFERO GENERAL PUBLIC LICENSE" in text
    assert "13. Remote Network Interaction" in text
    assert "END OF TERMS AND CONDITIONS" in text


_TO_COME = set[Path]()
"""Named already and not written yet."""
_WRITTEN = [*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md"), *(CHECKOUT / "tests").rglob("*.md")]


def _anchors(document: Path) -> set[str]:
    """What `#…` may name: headings as GitHub spells them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- \u200c]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", _WRITTEN, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    """Pictures and headings too; no link leads out of the repository, and what is on the web is not asked for here."""
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)[^)]*\)", text) + re.findall(r"(?:href|src)=\"([^\"]+)\"", text)
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.is_relative_to(CHECKOUT), link
        assert target.exists() or target in _TO_COME, link
        assert not anchor or target.suffix != ".md" or anchor in _anchors(target), link


def test_documents_and_code_name_only_documents_that_exist() -> None:
    sources = [*_WRITTEN, *(CHECKOUT / "src").rglob("*.py"), *(CHECKOUT / "tests").rglob("*.py")]
    for source in sources:
        for name in re.findall(r"(?<![\w/.])docs/[\w/.-]+\.md", source.read_text(encoding="utf-8")):
            assert (CHECKOUT / name).exists() or CHECKOUT / name in _TO_COME, f"{source.name}: {name}"


def test_what_has_come_is_not_to_come() -> None:
    assert [document for document in _TO_COME if document.exists()] == []


def test_persian_keeps_its_half_spaces() -> None:
    """`می شود` for `می‌شود` is what an editor without ZWNJ leaves behind."""
    for path in (CHECKOUT / "src/razdar").rglob("*.py"):
        assert re.search(r"(?<!\w)ن?می (?=[آ-ی])| ها(?!\w)", path.read_text(encoding="utf-8")) is None, path
