# SPDX-License-Identifier: AGPL-3.0-or-later
"""Dependencies between the folders of src/razdar point one way, as docs/architecture.md draws them; computed from the imports."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from razdar.cli import COMMANDS
from razdar.environment import CHECKOUT, needs_environment

SOURCE = CHECKOUT / "src/razdar"

_BELOW_SERVICES = {"model", "wire", "settings", "policy", "ports", "vault"}
_EDGE = _BELOW_SERVICES | {"services"}
MAY_IMPORT = {
    "model": set[str](),
    "settings": set[str](),
    "settings_fa": set[str](),
    "wire": {"model"},
    "policy": {"model", "wire", "settings"},
    "ports": {"model"},
    "vault": {"model"},
    "services": _BELOW_SERVICES - {"services"},
    "adapters": {"model", "ports", "wire", "policy"},
    "servers": _EDGE,
    "web": _EDGE | {"settings_fa", "servers"},
    "workers": _EDGE | {"servers"},
    "config": {"model", "settings"},
    "environment": {"model", "cli"},
    "app": _EDGE | {"config", "adapters", "servers", "web", "workers"},
    "checkup": {"model", "ports", "settings", "config", "environment", "adapters", "servers"},
    "cli": {"settings_fa", "config", "environment", "adapters", "servers", "checkup", "app", "tryout"}
    | {"model", "ports", "settings", "wire"},
    "tryout": {"model", "settings", "config", "environment", "cli"},
    "__main__": {"cli"},
}
"""What each part may import besides itself and the package's version. Only app/ sees everything."""

_STANDARD_LIBRARY_ONLY = {"model", "settings", "settings_fa", "wire", "policy", "ports", "config", "environment", "services"}
_PURE = {"model", "wire", "policy", "settings"}
_IMPURE = {
    "socket",
    "ssl",
    "time",
    "random",
    "secrets",
    "asyncio",
    "threading",
    "subprocess",
    "os",
    "pathlib",
    "tempfile",
    "logging",
    "sqlite3",
}
"""Modules that touch the world; engines and policies get time, randomness and disk handed in."""
_PACKAGE_OF = {"dns": "dnspython", "multipart": "python-multipart", "deltachat_rpc_client": "deltachat-rpc-client"}


def _files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def _part(file: Path) -> str:
    return file.relative_to(SOURCE).parts[0].removesuffix(".py")


def _imports(file: Path, *, top_level: bool = False) -> Iterator[str]:
    """Names of imported modules; with `top_level` only those that importing the file imports."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(file, node)
            yield from (f"razdar.{each.name}" for each in node.names) if module == "razdar" else (module,)


def _absolute(file: Path, node: ast.ImportFrom) -> str:
    """The module's full name; one dot is the file's folder, two its parent (PEP 328)."""
    if node.level == 0:
        return node.module or ""
    folder = file.parents[node.level - 1].relative_to(SOURCE.parent)
    return ".".join([*folder.parts, *([node.module] if node.module else [])])


def _third_party(names: Iterator[str]) -> set[str]:
    roots = {name.split(".")[0] for name in names}
    return {root for root in roots if root not in sys.stdlib_module_names and root not in ("razdar", "__future__")}


def test_every_part_has_a_place_in_the_picture() -> None:
    parts = {_part(file) for file in _files()} - {"__init__"}
    assert parts <= MAY_IMPORT.keys()


@pytest.mark.parametrize("part", sorted(MAY_IMPORT))
def test_imports_point_one_way(part: str) -> None:
    allowed = MAY_IMPORT[part] | {part, "__version__"}
    wrong = {
        f"{file.relative_to(SOURCE)} imports {name}"
        for file in _files()
        if _part(file) == part
        for name in _imports(file)
        if name.startswith("razdar.") and name.split(".")[1] not in allowed
    }
    assert not wrong


def test_the_picture_has_no_circle() -> None:
    """Except that the launcher's module ends by calling the command line, and the command line calls `try`."""
    edges = {part: set(below) for part, below in MAY_IMPORT.items()}
    edges["environment"].discard("cli")
    edges["tryout"].discard("cli")
    while edges:
        leaves = {part for part, below in edges.items() if not below & edges.keys()}
        assert leaves, f"a circle among {sorted(edges)}"
        edges = {part: below for part, below in edges.items() if part not in leaves}


@pytest.mark.parametrize("part", sorted(_STANDARD_LIBRARY_ONLY))
def test_the_inner_parts_need_only_the_standard_library(part: str) -> None:
    assert {name for file in _files() if _part(file) == part for name in _third_party(_imports(file))} == set()


@pytest.mark.parametrize("part", sorted(_PURE))
def test_engines_and_policies_touch_nothing(part: str) -> None:
    wrong = {
        f"{file.relative_to(SOURCE)}: {name}"
        for file in _files()
        if _part(file) == part and file.name != "trouble.py"  # names paths, opens none
        for name in _imports(file)
        if name.split(".")[0] in _IMPURE
    }
    assert not wrong


def test_the_command_line_starts_without_anything_installed() -> None:
    """`--help`, `config` and the word that Python's venv is missing come before the installation."""
    commands = [SOURCE / "cli" / f"{name}.py" for name in ("__init__", "arguments", "words", "terminal", "given", "show_config", "status")]
    early = [*commands, SOURCE / "servers/control.py"]
    assert {name for file in early for name in _third_party(_imports(file, top_level=True))} == set()


def _file_of(module: str) -> Path | None:
    place = SOURCE.parent.joinpath(*module.split("."))
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.exists()), None)


def _needed_by(module: str) -> set[str]:
    """Packages that a command needs: what importing its file imports, here and further down, and what its functions import themselves."""
    own = _file_of(module)
    assert own is not None, module
    todo, seen, found = list(_imports(own)), set(), _third_party(_imports(own))
    while todo:
        name = todo.pop()
        file = _file_of(name) if name.startswith("razdar.") else None
        if file is None or file in seen:
            continue
        seen.add(file)
        found |= _third_party(_imports(file, top_level=True))
        todo += [*_imports(file, top_level=True), name.rpartition(".")[0]]
    return found


@pytest.mark.parametrize(("command", "module"), COMMANDS.items())
def test_a_command_that_needs_packages_has_an_environment(command: str, module: str) -> None:
    """Otherwise it works only for whoever has started the relay from the same folder before."""
    assert needs_environment([command]) or not _needed_by(module)


def test_only_declared_packages_are_imported() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["try"]
    declared = {each.split(">")[0].split("=")[0] for each in wanted}
    used = {_PACKAGE_OF.get(name, name) for file in _files() for name in _third_party(_imports(file))}
    assert used <= declared


def test_folders_have_subjects() -> None:
    """No `utils`: the thing always has a better name."""
    assert not {file.stem for file in _files()} & {"utils", "helpers", "common", "misc", "manager", "base"}
