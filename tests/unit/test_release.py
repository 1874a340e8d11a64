# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a release is made of: the bill of materials, the advisories, and a wheel that anybody can make again byte for byte."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from razdar import __version__
from razdar.cli import audit, main
from razdar.cli.sbom import bill_of_materials
from razdar.environment import CHECKOUT
from razdar.model.trouble import Trouble

LOCK = (CHECKOUT / "requirements.lock").read_text(encoding="utf-8")

# bill of materials


def test_the_bill_lists_every_locked_package_with_every_hash() -> None:
    bill = bill_of_materials(LOCK)
    listed = {f"{each['name']}=={each['version']}" for each in bill["components"]}
    assert listed == set(re.findall(r"^[a-z0-9-]+==[^ ]+", LOCK, re.MULTILINE))
    hashes = [digest["content"] for each in bill["components"] for digest in each["externalReferences"][0]["hashes"]]
    assert sorted(hashes) == sorted(re.findall(r"sha256:([0-9a-f]{64})", LOCK))


def test_the_bill_is_cyclonedx() -> None:
    """CycloneDX 1.6, what its schema asks for; checked once against the schema itself."""
    bill = bill_of_materials(LOCK)
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", bill["serialNumber"])
    references = [bill["metadata"]["component"]["bom-ref"], *(each["bom-ref"] for each in bill["components"])]
    assert len(set(references)) == len(references)
    assert [each["ref"] for each in bill["dependencies"]] == references
    assert all(each["purl"].startswith("pkg:pypi/") for each in bill["components"])


def test_equal_locks_give_equal_bills_and_others_do_not() -> None:
    assert bill_of_materials(LOCK) == bill_of_materials(LOCK)
    assert bill_of_materials(LOCK)["serialNumber"] != bill_of_materials(LOCK + "\n")["serialNumber"]


def test_packages_for_other_systems_are_optional() -> None:
    bill = bill_of_materials("colorama==0.4.6 ; sys_platform == 'win32' \\\n    --hash=sha256:" + "0" * 64 + "\nh11==0.16.0\n")
    assert [each["scope"] for each in bill["components"]] == ["optional", "required"]


def test_a_strange_lock_is_not_guessed_at() -> None:
    with pytest.raises(ValueError, match="not understood"):
        bill_of_materials("h11>=0.16\n")


def test_the_command_writes_the_file_or_says_why_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sbom", str(tmp_path / "bill.json")]) == 0
    assert json.loads((tmp_path / "bill.json").read_text()) == bill_of_materials(LOCK)
    assert main(["sbom", str(tmp_path / "no" / "bill.json")]) == 1
    assert "cannot be written" in capsys.readouterr().err


# advisories


def _package(name: str, *vulnerabilities: str) -> dict[str, Any]:
    return {"name": name, "version": "1.0", "vulns": [{"id": each, "fix_versions": ["1.1"]} for each in vulnerabilities]}


def test_a_known_vulnerability_fails_and_names_the_mended_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.tell([_package("h11", "CVE-2025-43859"), _package("idna")]) == 1
    assert "✗ h11 1.0: CVE-2025-43859 → 1.1" in capsys.readouterr().out


def test_nothing_known_is_said_only_if_everything_was_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.tell([_package("h11"), _package("idna")]) == 0
    assert "Nothing is known" in capsys.readouterr().out
    assert audit.tell([_package("h11"), {"name": "idna", "skip_reason": "not found"}]) == 1
    shown = capsys.readouterr().out
    assert "Nothing is known" not in shown
    assert "1 packages were checked" in shown


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"dependencies": [{"name": "idna", "skip_reason": "not found"}]}', '{"dependencies": []}']
)
def test_without_the_advisory_service_nothing_is_claimed(text: str) -> None:
    with pytest.raises(Trouble, match="did not answer"):
        audit._answer(text)


# wheel


def test_the_builder_is_one_and_the_same() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    (builder,) = project["build-system"]["requires"]
    assert builder in project["project"]["optional-dependencies"]["release"]
    assert builder in project["project"]["optional-dependencies"]["test"]
    assert f"{builder} " in (CHECKOUT / "requirements-release.lock").read_text(encoding="utf-8")


def _copy(target: Path) -> Path:
    """The checkout as somebody else has it."""
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache", ".venv*", ".git", ".hypothesis", "razdar-data")
    shutil.copytree(CHECKOUT / "src", target / "src", ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(CHECKOUT / name, target / name)
    return target


@pytest.mark.slow
def test_two_people_build_the_same_bytes(tmp_path: Path) -> None:
    """reproducible-builds.org: time, time zone, locale, umask, path and file times differ; the wheel does not."""
    one, other = _copy(tmp_path / "one"), _copy(tmp_path / "another place")
    for path in other.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.utime(path, (1_000_000_000, 1_000_000_000))
    wheels = []
    for number, (place, more) in enumerate([(one, {"TZ": "UTC"}), (other, {"TZ": "Asia/Tehran", "LC_ALL": "C", "PYTHONHASHSEED": "7"})]):
        folder = tmp_path / f"wheel{number}"
        words = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
        subprocess.run(words, cwd=place, env=os.environ | more, umask=0o077 if number else 0o022, capture_output=True, check=True)
        (wheel,) = folder.iterdir()
        wheels.append(wheel)
    assert wheels[0].name == wheels[1].name == f"razdar-{__version__}-py3-none-any.whl"
    assert wheels[0].read_bytes() == wheels[1].read_bytes()
    names = set(zipfile.ZipFile(wheels[0]).namelist())
    assert {
        "razdar/web/static/vazirmatn.woff2",
        "razdar/web/texts/fa.toml",
        "razdar/web/templates/base.html",
        "razdar/app/running.py",
    } <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]
