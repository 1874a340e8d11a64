# SPDX-License-Identifier: AGPL-3.0-or-later
"""The operator's pages: every command in them exists, every setting works, both languages say the same, and Persian reads well."""

import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from razdar.cli.arguments import build_parser
from razdar.cli.words import COMMANDS
from razdar.config import read_config
from razdar.environment import CHECKOUT

FOLDER = CHECKOUT / "docs/operators"
PAGES = sorted(path.relative_to(FOLDER) for path in FOLDER.glob("*/*.md"))
NAMES = sorted({path.name for path in PAGES})


def text(page: Path) -> str:
    return (FOLDER / page).read_text(encoding="utf-8")


def blocks(page: Path, kind: str = "") -> list[str]:
    """The fenced blocks, without the indentation of a list."""
    found = re.findall(r"^( *)```(\w*)\n(.*?)^ *```$", text(page), re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, its_kind, block in found if its_kind == kind]


def commands(page: Path) -> Iterator[list[str]]:
    """What the page tells people to type, word by word: lines of blocks, and `code` in sentences that begins like a command."""
    for block in blocks(page):
        for line in block.replace("\\\n", " ").splitlines():
            yield shlex.split(line)
    without_blocks = re.sub(r"```.*?```", "", text(page), flags=re.DOTALL)
    for code in re.findall(r"`([^`\n]+)`", without_blocks):
        if code.startswith(("./razdar ", "sudo ")):
            yield shlex.split(code)


def our_words(command: list[str]) -> list[str] | None:
    """What our launcher is given, if it is our launcher."""
    for at, word in enumerate(command):
        if word in ("./razdar", "/opt/razdar/razdar"):
            return command[at + 1 :]
    return None


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_command_of_ours_exists_with_its_options(page: Path) -> None:
    ours = [words for words in map(our_words, commands(page)) if words is not None]
    for words in ours:
        assert build_parser().parse_args(words).command in {command.name for command in COMMANDS}
    assert ours


_OTHERS = {"apt", "adduser", "install", "cp", "systemctl", "certbot", "tar", "chown", "rm", "journalctl"}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_other_commands_are_few_and_ordinary(page: Path) -> None:
    for command in commands(page):
        if our_words(command) is None:
            assert command[0] == "sudo"
            assert command[1] in _OTHERS


@pytest.mark.parametrize("name", NAMES)
def test_both_languages_tell_people_to_type_the_same(name: str) -> None:
    english, persian = Path("en") / name, Path("fa") / name
    assert blocks(english) == blocks(persian)
    assert blocks(english, "toml") == blocks(persian, "toml")
    assert len(re.findall(r"^#+ ", text(english), re.MULTILINE)) == len(re.findall(r"^#+ ", text(persian), re.MULTILINE))


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "toml")], ids=str)
def test_the_settings_that_are_shown_work(page: Path, tmp_path: Path) -> None:
    for block in blocks(page, "toml"):
        (tmp_path / "razdar.toml").write_text(block, encoding="utf-8")
        settings = read_config(tmp_path).settings
        assert settings.ports == "standard"
        assert {Path(settings.certificate).parent, Path(settings.certificate_key).parent} == {Path("/etc/razdar")}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere_and_to_the_other_language(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", text(page))
    for target in targets:
        assert ((FOLDER / page).parent / target).exists(), target
    other = {"en": "fa", "fa": "en"}[page.parts[0]]
    assert f"../{other}/{page.name}" in targets


def test_the_index_knows_every_page() -> None:
    for language in ("en", "fa"):
        listed = set(re.findall(r"\]\((\w+\.md)\)", text(Path(language) / "README.md")))
        assert listed == set(NAMES) - {"README.md"}


def test_words_of_the_relay_are_quoted_as_they_are() -> None:
    """People look for them on the page."""
    for language, page in (("en", "laptop.md"), ("fa", "laptop.md"), ("en", "move.md"), ("fa", "move.md")):
        texts = tomllib.loads((CHECKOUT / f"src/razdar/web/texts/{language}.toml").read_text(encoding="utf-8"))
        assert re.sub(r"\s+", " ", texts["reconnect_link"]) in re.sub(r"\s+", " ", text(Path(language) / page))


def test_paths_are_those_of_the_service() -> None:
    unit = (CHECKOUT / "packaging/razdar.service").read_text(encoding="utf-8")
    page = text(Path("en/server.md"))
    for path in ("/opt/razdar", "/var/lib/razdar"):
        assert path in unit
        assert path in page
    for path in re.findall(r"/opt/razdar/(packaging/[\w.-]+)", page):
        assert (CHECKOUT / path).exists()


PERSIAN = [page for page in PAGES if page.parts[0] == "fa"]


@pytest.mark.parametrize("page", PERSIAN, ids=str)
def test_persian_keeps_its_half_spaces_letters_and_direction(page: Path) -> None:
    words = re.sub(r"```.*?```|`[^`]*`", "", text(page), flags=re.DOTALL)
    assert re.findall(r"(?<!\w)ن?می (?=[آ-ی])|(?<=[آ-ی]) (?:ها|های|هایی|تر|ترین|اند)(?!\w)", words) == []
    assert re.findall(r"[يك٠-٩ىة]|,(?=\s)|;|\?", words) == []  # Arabic letters and digits, English punctuation
    assert text(page).startswith('<div dir="rtl" lang="fa">\n')
    assert text(page).count("<div") == text(page).count("</div>")
    for block in re.finditer(r"^```", text(page), re.MULTILINE):
        before = text(page)[: block.start()]
        assert before.count('<div dir="ltr">') > before.count("</div>") or before.count("```") % 2


# the certificate's copy


def test_a_renewed_certificate_is_copied_for_the_relay_alone(tmp_path: Path) -> None:
    lineage, target = tmp_path / "live", tmp_path / "razdar"
    lineage.mkdir()
    for round_ in ("first", "second"):
        for name in ("fullchain", "privkey", "cert", "chain"):
            (lineage / f"{name}.pem").write_text(f"{round_} {name}")
        group = subprocess.run(["id", "-gn"], capture_output=True, text=True, check=True).stdout.strip()
        words = [str(CHECKOUT / "packaging/copy-certificate"), str(target), group]
        subprocess.run(words, env={"PATH": "/usr/bin:/bin", "RENEWED_LINEAGE": str(lineage)}, check=True)
        assert {path.name: path.read_text() for path in target.iterdir()} == {
            "fullchain.pem": f"{round_} fullchain",
            "privkey.pem": f"{round_} privkey",
        }
    assert {path.stat().st_mode & 0o777 for path in target.iterdir()} == {0o640}
    assert target.stat().st_mode & 0o777 == 0o750
