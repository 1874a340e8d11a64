# SPDX-License-Identifier: AGPL-3.0-or-later
"""`./razdar console`: asks the running relay for a link that lets its operator into the console, once."""

import argparse

from razdar.cli.terminal import say, show_qr
from razdar.servers.control import ask


def run(arguments: argparse.Namespace) -> int:
    """Prints the link and its QR code."""
    link = str(ask(arguments.data, {"op": "console"})["url"])
    say("", "این پیوند یک بار، تا ده دقیقه، به میز گرداننده راه می‌دهد:", "This link opens the operator's console once, within ten minutes:")
    say("", f"    {link}", "")
    show_qr(link)
    return 0
