# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reads what was typed, by the table of words (words.py)."""

import argparse
from collections.abc import Sequence

from razdar.cli.words import COMMANDS

_ABOUT = """\
رازدار: رلهٔ پیام‌رسانی که خودتان می‌گردانید، برای برنامه‌های دلتاچت.
  ./razdar up      رله را روشن می‌کند و نشانی و رمزینهٔ صفحه‌اش را نشان می‌دهد.
  ./razdar try     کار اصلی را بی‌نیاز از گوشی نشان می‌دهد.
  ./razdar invite  دعوتی یک‌بارمصرف می‌سازد.

Razdar: a messenger relay that you run yourself, for the Delta Chat apps.
  ./razdar up      starts the relay and shows the address and QR code of its page.
  ./razdar try     shows the main job without a phone at hand.
  ./razdar invite  makes a one-use invitation.

Nothing has to be configured. `./razdar COMMAND --help` explains one command; docs/commands.md explains all.
"""


def in_order(words: Sequence[str]) -> list[str]:
    """The same words with everything that is no option right after the command: `apps add --data DIR FILE` is `apps add FILE --data DIR`.

    argparse gives an optional word up as soon as an option comes before it.
    """
    command = next((each for each in COMMANDS if words and each.name == words[0]), None)
    if command is None or "--" in words:
        return list(words)
    alone = {each.flag for each in command.options if each.how.get("action") == "store_true"} | {"-h", "--help"}
    plain, options, rest = [words[0]], list[str](), iter(words[1:])
    for word in rest:
        if not word.startswith("-") or word == "-":
            plain.append(word)
            continue
        options.append(word)
        if word not in alone and "=" not in word:
            options.extend(value for value in [next(rest, None)] if value is not None)
    return plain + options


def build_parser() -> argparse.ArgumentParser:
    """A parser whose result has `command` (None if there was no word) and the command's options."""
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("./razdar", description=_ABOUT, formatter_class=shape, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for command in COMMANDS:
        about = f"{command.persian}\n{command.english}"
        sub = commands.add_parser(command.name, help=command.english, description=about, formatter_class=shape, allow_abbrev=False)
        for option in command.options:
            sub.add_argument(option.flag, help=f"{option.english} · {option.persian}", **option.how)
    return parser


def _version() -> str:
    from razdar import __version__

    return f"Razdar {__version__}"
