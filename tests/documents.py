# SPDX-License-Identifier: AGPL-3.0-or-later
"""The parts of the documents that are made from the program. `python -m tests.documents` writes them; tests/unit/test_docs.py compares."""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from razdar.cli.words import COMMANDS, Command, Option
from razdar.config import type_name
from razdar.environment import CHECKOUT
from razdar.settings import NEEDS_RESTART, Settings, default_reasons

BEGIN, END = "<!-- made from the program: begin -->", "<!-- made from the program: end -->"


def made() -> Mapping[Path, str]:
    """Each document with a made part, and that part."""
    return {CHECKOUT / "docs/commands.md": commands(), CHECKOUT / "docs/configuration.md": settings()}


def commands() -> str:
    return "\n".join(_command(command) for command in COMMANDS)


def _command(command: Command) -> str:
    rows = [_row(option) for option in command.options]
    table = ["", "| option | meaning | معنی |", "| --- | --- | --- |", *rows] if rows else []
    return "\n".join([f"### `./razdar {command.name}`", "", command.english, "", f'<p dir="rtl">{command.persian}</p>', *table, ""])


def _row(option: Option) -> str:
    metavar = str(option.how.get("metavar", "")).replace("|", "\\|")
    default = option.how.get("default")
    shown = f" (default `{default}`)" if default not in (None, []) else ""
    return f"| `{f'{option.flag} {metavar}'.strip()}` | {option.english}{shown} | {option.persian} |"


def settings() -> str:
    rows = []
    for each in fields(Settings):
        low, high, choices = (each.metadata[key] for key in ("low", "high", "choices"))
        limits = ", ".join(f"`{choice}`" for choice in choices) or _limits(low, high)
        again = "restart" if each.name in NEEDS_RESTART else ""
        default = json.dumps(each.default, ensure_ascii=False)
        rows.append(f"| `{each.name}` | {type_name(each)} | `{default}` | {limits} | {again} | {default_reasons()[each.name]} |")
    return "\n".join(
        ["| setting | type | default | allowed | needs | meaning, and why the default is what it is |", "| --- " * 6 + "|", *rows, ""]
    )


def _limits(low: float | None, high: float | None) -> str:
    if low is None:
        return ""
    return f"from {low:,}" if high is None else f"{low:,} to {high:,}"


def renewed(text: str, part: str) -> str:
    """The document with its made part replaced. ValueError if it has no place for it."""
    before, begin, rest = text.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("no place for the made part")
    return f"{before}{BEGIN}\n\n{part}\n{END}{after}"


if __name__ == "__main__":
    for document, part in made().items():
        document.write_text(renewed(document.read_text(encoding="utf-8"), part), encoding="utf-8")
