# SPDX-License-Identifier: AGPL-3.0-or-later
"""Settings changed at the console: written to a file of their own (DIR/console.toml), then the relay reads its configuration again.

The operator's own file is never touched, so its comments stay. What the console set wins over that file and loses against the command line
(config.py). A change that the relay cannot use is taken back before anybody notices.
"""

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from razdar.adapters.files import write_private
from razdar.config import COMMAND_LINE, DESK_FILE_NAME, RunConfig, check_setting
from razdar.model.trouble import Trouble
from razdar.settings import NEEDS_RESTART, Settings

_HEAD = "# Written by the console of this relay; razdar.toml is read before it, the command line after it.\n"


def can_change(config: RunConfig) -> Mapping[str, bool]:
    """By name every setting that a reload can change: whether the console may, which it may not where the command line has set it."""
    names = [each.name for each in fields(Settings) if each.name not in NEEDS_RESTART]
    return {name: config.origins.get(name) != COMMAND_LINE for name in names}


def change(config: RunConfig, reload: Callable[[], None], name: str, text: str | None) -> None:
    """The setting has the value that `text` means, or, with None, the one it has without the console. Trouble, and no change, if not.

    `reload` makes the relay read its configuration; it raises Trouble, and leaves the old one in force, if that cannot be used.
    """
    if not can_change(config).get(name, False):
        raise Trouble(f"تنظیم {name} از اینجا تغییر نمی‌کند.", f"The setting {name} cannot be changed from here.")
    file = config.data / DESK_FILE_NAME
    before = file.read_bytes() if file.exists() else b""
    values = dict(tomllib.loads(before.decode()))
    values.pop(name, None)
    if text is not None:
        values[name] = check_setting(name, text, str(file))
    _put(file, values)
    try:
        reload()
    except Trouble:
        write_private(file, before)
        raise


def own_value(config: RunConfig, name: str) -> str | None:
    """What the console set, as `change` takes it; None: nothing."""
    if config.origins.get(name) != str(config.data / DESK_FILE_NAME):
        return None
    return spelled(getattr(config.settings, name))


def spelled(value: Any) -> str:
    """A value as it is typed."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _put(file: Path, values: Mapping[str, Any]) -> None:
    lines = "".join(f"{name} = {_toml(value)}\n" for name, value in sorted(values.items()))
    write_private(file, (_HEAD + lines).encode())


def _toml(value: Any) -> str:
    """Strings of JSON are strings of TOML, but for DEL."""
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
