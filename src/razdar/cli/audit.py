# SPDX-License-Identifier: AGPL-3.0-or-later
"""`./razdar audit`: does a known vulnerability concern one of the locked packages? pip-audit asks the advisory service of the Python index.

It needs the network, which is why it is a command of its own and no test. Only names and versions of packages leave the machine.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from razdar.cli.terminal import persian_digits, say
from razdar.environment import CHECKOUT
from razdar.model.trouble import Trouble

_PATIENCE_S = 15


def run(arguments: argparse.Namespace) -> int:
    """0 if nothing is known against any of them. Trouble if nobody could be asked."""
    locks = sorted(CHECKOUT.glob("requirements*.lock")) if arguments.all else [CHECKOUT / "requirements.lock"]
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "--timeout", str(_PATIENCE_S)]
    command += ["--disable-pip", "--require-hashes", "--vulnerability-service", arguments.service]
    for lock in locks:
        command += ["--requirement", str(lock)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return tell(_answer(done.stdout))


def _answer(text: str) -> Sequence[Mapping[str, Any]]:
    """What pip-audit found, by package. It prints nothing, or leaves out every package, if nobody could tell it."""
    try:
        packages: Sequence[Mapping[str, Any]] = json.loads(text)["dependencies"]
    except (ValueError, KeyError, TypeError):
        packages = ()
    if all("skip_reason" in each for each in packages):
        raise Trouble(
            "سرویس هشدارهای امنیتی پاسخ نداد و چیزی بررسی نشد؛ با اتصال به اینترنت دوباره اجرا کنید یا ‎--service osv‎ را امتحان کنید.",
            "The advisory service did not answer, so nothing was checked; run this again with a connection, or try --service osv.",
        )
    return packages


def tell(packages: Sequence[Mapping[str, Any]]) -> int:
    """Prints what is known against them; the exit code."""
    skipped = [each for each in packages if "skip_reason" in each]
    known = [(each, finding) for each in packages for finding in each.get("vulns", ())]
    for each, finding in known:
        better = ", ".join(finding.get("fix_versions", ())) or "-"
        say(f"✗ {each['name']} {each['version']}: {finding['id']} → {better}")
    for each in skipped:
        say(f"! {each['name']}: {each['skip_reason']}")
    checked = str(len(packages) - len(skipped))
    say(f"{persian_digits(checked)} بسته بررسی شد.", f"{checked} packages were checked.")
    if known:
        say("نسخه‌های بی‌ایراد را با ‎.ci/lock‎ در قفل بگذارید.", "Put the mended versions into the locks with .ci/lock.")
    elif not skipped:
        say("ایراد شناخته‌شده‌ای ندارند.", "Nothing is known against them.")
    return 1 if known or skipped else 0
