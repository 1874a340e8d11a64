# SPDX-License-Identifier: AGPL-3.0-or-later
"""`./razdar up`: the relay in the foreground, and what a person needs to know when it is ready."""

import argparse
from functools import partial

from razdar.adapters.log import mask_crashes
from razdar.adapters.ready import Ready
from razdar.cli.given import run_config
from razdar.cli.terminal import say, show_qr


def run(arguments: argparse.Namespace) -> int:
    """Returns when the relay has ended."""
    config = run_config(arguments)

    import uvloop  # a wrong setting is told without waiting for these

    from razdar.app import serve

    mask_crashes()
    uvloop.run(serve(config, partial(announce, quiet=arguments.quiet)))
    return 0


def announce(ready: Ready, *, quiet: bool = False) -> None:
    """Tells where the relay can be reached, in both languages."""
    if quiet:
        return
    say("", "رازدار آماده است. این صفحه را با گوشی باز کنید:", "Razdar is ready. Open this page with a phone:", "", f"    {ready.page}", "")
    show_qr(ready.page)
    say("", "نام این رله / this relay's name:", f"    {ready.domain}")
    if ready.fingerprint:
        say(
            "مرورگر هشدار می‌دهد، زیرا گواهی را خود رله ساخته است؛ اثر انگشت آن باید همین باشد (SHA-256):",
            "The browser will warn, because the relay made its certificate itself; its fingerprint must be this one (SHA-256):",
            f"    {ready.fingerprint}",
        )
    say(
        "داده‌ها اینجاست؛ از کلیدها پشتیبان بگیرید / data lies here; back up its keys:",
        f"    {ready.data}",
        "پایان کار با Ctrl-C / Ctrl-C ends it.",
        "",
    )
