# SPDX-License-Identifier: AGPL-3.0-or-later
"""`./razdar peer add|remove|list`: other relays, written down by hand in place of DNS (DIR/names.txt)."""

import argparse
import json
import os
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from razdar.adapters.names_file import check_key, check_name, check_pin, read_peer
from razdar.adapters.peer_list import PeerFile
from razdar.cli.terminal import say
from razdar.model.trouble import Trouble, nothing_to_back_up, owned_by_another
from razdar.ports.peer_list import CertificateChanged
from razdar.ports.resolver import Peer
from razdar.servers.control import ask


def run(arguments: argparse.Namespace) -> int:
    """The file has the change, and a relay that runs goes by it."""
    data: Path = arguments.data.absolute()
    if not data.is_dir():
        raise nothing_to_back_up(data)
    if data.stat().st_uid != os.geteuid():  # the relay could not read what another user writes
        raise owned_by_another(data, data.owner())
    return {"add": _add, "remove": _remove, "list": _list}[arguments.WHAT](arguments, data)


def _add(arguments: argparse.Namespace, data: Path) -> int:
    peers, entered = PeerFile(data), _entered(arguments)
    try:
        meeting = peers.meet(entered)
    except CertificateChanged as change:
        raise _changed(change.former, change.seen) from change
    peer = meeting.peer
    if words := _WORDS.get(meeting.found):
        say(*words)
    if meeting.found == "first":
        say("", f"    {_pairs(peer.pin)}", "")
        peer = replace(peer, is_confirmed=_says_yes())
    peers.put(peer)
    _in_force(data, "peer_add")
    say("", "نوشته شد:", "Written:", "", f"    {peers.line(peer)}", "")
    return 0


def _entered(arguments: argparse.Namespace) -> Peer:
    if not arguments.NAME or not arguments.ADDRESS:
        raise _wrong("NAME ADDRESS")
    try:
        words = [check_name(arguments.NAME), *arguments.ADDRESS, f"https={arguments.https_port}", f"smtp={arguments.smtp_port}"]
        words += [f"pin={check_pin(arguments.pin)}"] if arguments.pin else []
        words += [f"dkim={selector}:{record.decode()}" for selector, record in map(check_key, arguments.dkim)]
        return read_peer(words)
    except ValueError as error:
        raise _wrong(str(error)) from error


def _wrong(word: str) -> Trouble:
    return Trouble(
        f"این خوانده نشد: {word}؛ نمونه: ‎./razdar peer add relay.example 192.0.2.7‎",
        f"This cannot be right: {word}. For example: ./razdar peer add relay.example 192.0.2.7",
    )


def _changed(former: str, seen: str) -> Trouble:
    return Trouble(
        "گواهی این رله همان نیست که بود. چیزی عوض نشد. از گردانندهٔ آن بپرسید؛ اگر خودش عوض کرده است، اثر انگشت تازه را با ‎--pin‎ بدهید.\n"
        f"    پیشین: {_pairs(former)}\n    تازه:   {_pairs(seen)}",
        "This relay's certificate is not what it was. Nothing was changed. Ask its operator; if the change was meant, give the new one "
        f"with --pin.\n    was {_pairs(former)}\n    is  {_pairs(seen)}",
    )


def _says_yes() -> bool:
    """No terminal, no word: then it stays what was seen first."""
    if not sys.stdin.isatty():
        say(*_LATER)
        return False
    say("گردانندهٔ آن رله همین را می‌گوید؟ [y/N]", "Does the operator of that relay say the same? [y/N]")
    return sys.stdin.readline().strip().lower() in ("y", "yes", "بله", "آری")


def _pairs(pin: str) -> str:
    """As browsers and `./razdar up` show it."""
    return bytes.fromhex(pin).hex(":").upper()


def _remove(arguments: argparse.Namespace, data: Path) -> int:
    if not arguments.NAME:
        raise _wrong("NAME")
    if PeerFile(data).remove(arguments.NAME.lower()) is None:
        raise Trouble(f"{arguments.NAME} در فهرست نیست.", f"{arguments.NAME} is not in the list.")
    _in_force(data, "peer_remove")
    say(f"{arguments.NAME} برداشته شد.", f"{arguments.NAME} was removed.")
    return 0


def _list(arguments: argparse.Namespace, data: Path) -> int:
    peers = PeerFile(data).all()
    if arguments.json:
        say(json.dumps([_record(peer) for peer in peers], indent=2))
    elif not peers:
        say("فهرست خالی است؛ نام‌ها از DNS پرسیده می‌شود.", "The list is empty; names are looked up in DNS.")
    else:
        say(*(_line(peer) for peer in peers))
    return 0


def _record(peer: Peer) -> dict[str, object]:
    return {
        "name": peer.name,
        "addresses": peer.addresses,
        "https_port": peer.https_port,
        "smtp_port": peer.smtp_port,
        "pin": peer.pin,
        "confirmed": peer.is_confirmed,
        "dkim": [selector for selector, _ in peer.dkim],
    }


def _line(peer: Peer) -> str:
    mark = "" if not peer.pin else "  pin" if peer.is_confirmed else "  seen first, not compared · هنوز سنجیده نشده"
    keys = "".join(f"  dkim={selector}" for selector, _ in peer.dkim)
    return f"{peer.name}  {' '.join(peer.addresses)}  https={peer.https_port} smtp={peer.smtp_port}{mark}{keys}"


def _in_force(data: Path, done: str) -> None:
    """A relay that runs reads the names again and writes the kind of change into its log of actions; none running is fine."""
    if (data / "run/control.sock").exists():
        with suppress(Trouble):
            ask(data, {"op": "names", "done": done})


_NOBODY = (
    "اکنون در این نشانی کسی پاسخ نمی‌دهد، پس گواهی‌اش دیده نشد. تا اثر انگشتش را ندهید (‎--pin‎) تنها گواهی معتبر برای همین نام پذیرفته می‌شود.",
    "Nobody answers there now, so the certificate was not seen. Until it is given (--pin) only one that is valid for the name is accepted.",
)
_VOUCHED = (
    "گواهی این رله برای همین نام معتبر است؛ اثر انگشتش نگه داشته نمی‌شود تا پس از تازه شدن هم کار کند.",
    "The relay's certificate is valid for this name; it is not pinned, so that it can be renewed.",
)
_FIRST = (
    "این گواهی نخستین بار دیده شد. آن را با گردانندهٔ آن رله، از راهی دیگر، بسنجید (‎./razdar up‎ نزد او همین را نشان می‌دهد):",
    "This certificate is seen for the first time. Compare it with that relay's operator, some other way (./razdar up shows it there):",
)
_LATER = (
    "تا سنجیده نشود تنها «نخستین بار دیده شده» است؛ پس از سنجیدن همین فرمان را با ‎--pin‎ بدهید.",
    "Until it is compared it is only what was seen first; afterwards give this command with --pin.",
)
_WORDS = {"nobody": _NOBODY, "vouched": _VOUCHED, "first": _FIRST}
