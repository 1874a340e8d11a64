# SPDX-License-Identifier: AGPL-3.0-or-later
"""`./razdar verify FILE`: whether what a relay says of its blocked accounts (/status.json) is signed, and by whom."""

import argparse
import base64
import json
from pathlib import Path
from typing import Any

from razdar.cli.terminal import persian_digits, say
from razdar.model.trouble import Trouble, file_not_read
from razdar.wire.statement import parse_statement

_SIZE_MAX = 1_048_576


def run(arguments: argparse.Namespace) -> int:
    """Prints what is signed and the key's name for life. Trouble if it is not signed so."""
    from cryptography.exceptions import InvalidSignature  # only here: other commands work without anything installed
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from razdar.adapters.identity import name_of_key

    blocks = _blocks(arguments.FILE)
    try:
        text, signature, key = str(blocks["statement"]), base64.b64decode(blocks["signature"]), base64.b64decode(blocks["key"])
        statement = parse_statement(text)
        public = Ed25519PublicKey.from_public_bytes(key)
        public.verify(signature, text.encode("ascii"))
    except (KeyError, TypeError, ValueError, InvalidSignature) as error:
        raise _not_signed() from error
    if statement is None:
        raise _not_signed()
    day, count = persian_digits(statement.day), persian_digits(str(statement.blocks))
    say(
        f"امضا درست است: {statement.relay} در {day}، {count} حساب مسدود داشته است.",
        f"The signature is right: {statement.relay} had {statement.blocks} blocked accounts on {statement.day}.",
    )
    _tell_key(statement.relay, name_of_key(key), key)
    return 0


def _tell_key(relay: str, name: str, key: bytes) -> None:
    if relay == name:
        say("نام رله از همین کلید ساخته شده است.", "The relay's name is made from this very key.")
        return
    say(
        "نام رله از کلیدش ساخته نشده است؛ کلید را با آنچه گرداننده نشان می‌دهد بسنجید:",
        "The relay's name is not made from its key; compare the key with the one its operator shows:",
        f"    {base64.b64encode(key).decode()}",
    )


def _blocks(file: Path) -> Any:
    try:
        content = file.read_bytes()[:_SIZE_MAX]
    except OSError as error:
        raise file_not_read(file, error.strerror or "?") from error
    try:
        return json.loads(content)["blocks"]
    except (ValueError, KeyError, TypeError) as error:
        raise _not_signed() from error


def _not_signed() -> Trouble:
    return Trouble("این پرونده امضای درستی ندارد.", "This file has no right signature.")
