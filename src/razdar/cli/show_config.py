# SPDX-License-Identifier: AGPL-3.0-or-later
"""`./razdar config`: every setting, its value, where it comes from and why the default is what it is."""

import argparse
import json
import os
from dataclasses import fields

from razdar.cli.given import run_config
from razdar.cli.terminal import say
from razdar.config import DEFAULT, RunConfig, type_name
from razdar.settings import Settings, default_reasons
from razdar.settings_fa import PERSIAN_REASONS

_ORIGINS_FA = {"default": "پیش‌فرض", "command line": "خط فرمان"}


def run(arguments: argparse.Namespace) -> int:
    """Prints them all."""
    config = run_config(arguments)
    if arguments.json:
        say(json.dumps([_record(config, each.name) for each in fields(Settings)], indent=2, ensure_ascii=False))
        return 0
    in_persian = (arguments.lang or _language()) == "fa"
    for each in fields(Settings):
        say(*_lines(config, each.name, in_persian=in_persian))
    return 0


def _record(config: RunConfig, name: str) -> dict[str, object]:
    field = Settings.__dataclass_fields__[name]
    return {
        "name": name,
        "value": getattr(config.settings, name),
        "from": config.origins[name],
        "type": type_name(field),
        "default": field.default,
        "reason": default_reasons()[name],
        "reason_fa": PERSIAN_REASONS[name],
    }


def _lines(config: RunConfig, name: str, *, in_persian: bool) -> list[str]:
    origin, default = config.origins[name], Settings.__dataclass_fields__[name].default
    shown = f"{name} = {json.dumps(getattr(config.settings, name), ensure_ascii=False)}"
    came = _ORIGINS_FA.get(origin, origin) if in_persian else origin
    usual = "" if origin == DEFAULT else f", {'پیش‌فرض' if in_persian else 'default'} {json.dumps(default, ensure_ascii=False)}"
    reason = (PERSIAN_REASONS if in_persian else default_reasons())[name]
    return [f"{shown}   [{came}{usual}]", f"    {reason}"]


def _language() -> str:
    """The first of these that is set decides, locale(7)."""
    locale = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return "fa" if locale.startswith("fa") else "en"
