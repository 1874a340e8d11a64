# SPDX-License-Identifier: AGPL-3.0-or-later
"""`./razdar dns`: the records to publish, ready to paste, and what the world sees of them; always the line for other operators."""

import argparse
import asyncio
import ipaddress
import json
import ssl
import time
from collections.abc import Sequence
from hashlib import sha256

from razdar.adapters.addresses import own_addresses
from razdar.adapters.dns import DnsResolver
from razdar.adapters.identity import published_key
from razdar.adapters.known_names import KnownNames
from razdar.checkup.dns_records import Facts, Record, needs_forwarding, peer_line, private_addresses, records, zone_line
from razdar.checkup.dns_seen import Seen, State, compare
from razdar.cli.given import run_config
from razdar.cli.terminal import say
from razdar.config import RunConfig
from razdar.model.trouble import Trouble
from razdar.settings import port_layout

_MARKS = {State.FINE: "✓", State.MISSING: "✗", State.OTHER: "✗", State.UNKNOWN: "?"}


def run(arguments: argparse.Namespace) -> int:
    """0 if everything that is needed is published, or nothing can be."""
    config = run_config(arguments)
    facts = _facts(config, arguments.address)
    wanted = records(facts)
    seen = asyncio.run(_look(config, wanted))
    is_sound = all(each.state is State.FINE or not each.record.is_needed for each in seen)
    if arguments.json:
        say(json.dumps(_as_json(facts, seen, is_sound=is_sound), indent=2, ensure_ascii=False))
    elif wanted:
        _say_records(facts, wanted, seen, is_sound=is_sound)
    else:
        say("", *_NO_DNS)
    if not arguments.json:
        say("", *_PEER, "", f"    {peer_line(facts)}", "")
    return 0 if is_sound else 1


def _facts(config: RunConfig, given: Sequence[str]) -> Facts:
    domain, key_record = published_key(config.data)
    settings = config.settings
    pin = "" if settings.certificate else _pin(config)
    try:
        given = [str(ipaddress.ip_address(each)) for each in given]
    except ValueError as error:
        raise Trouble("‎--address‎ یک نشانی IP می‌خواهد.", "--address takes an IP address.") from error
    return Facts(settings.domain or domain, given or own_addresses(settings.bind), key_record, port_layout(settings.ports), pin)


def _pin(config: RunConfig) -> str:
    """Of the certificate that the relay made itself; empty before its first start."""
    try:
        pem = (config.data / "tls/certificate.pem").read_text(encoding="ascii")
    except OSError:
        return ""
    return sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


async def _look(config: RunConfig, wanted: Sequence[Record]) -> Sequence[Seen]:
    settings = config.settings
    resolver = DnsResolver(KnownNames(None), time.monotonic, servers=settings.dns_servers, is_on=settings.dns)
    return await compare(wanted, resolver)


def _say_records(facts: Facts, wanted: Sequence[Record], seen: Sequence[Seen], *, is_sound: bool) -> None:
    say(
        "",
        f"این رکوردها را برای {facts.domain} منتشر کنید. برای پروندهٔ zone:",
        f"Publish these records for {facts.domain}. For a zone file:",
        "",
    )
    width = max(len(record.name) for record in wanted) + 1
    say(*(zone_line(record, width) for record in wanted))
    say("", "همان‌ها برای جدول پنل (نام، نوع، مقدار):", "The same for the tables of a panel (name, type, value):", "")
    say(*(f"{_in_panel(record.name, facts.domain):<18} {record.kind:<5} {record.value}" for record in wanted))
    say("", "آنچه DNS اکنون پاسخ می‌دهد:", "What DNS answers now:", "")
    for each in seen:
        _say_seen(each)
    say("", *(_SOUND if is_sound else _UNSOUND))
    if private_addresses(facts):
        say("", *_PRIVATE)
    if needs_forwarding(facts):
        say("", *_PORTS, f"    443 → {facts.ports['https']}    25 → {facts.ports['smtp']}")


def _in_panel(name: str, domain: str) -> str:
    """Panels write the domain itself as `@` and leave it out elsewhere."""
    return "@" if name == domain else name.removesuffix(f".{domain}")


def _say_seen(seen: Seen) -> None:
    record, (persian, english) = seen.record, _STATES[seen.state]
    optional = ("", "") if record.is_needed else ("، لازم نیست", ", not needed")
    say(
        f"{_MARKS[seen.state]} {record.kind} {record.name}",
        f"    {persian}{optional[0]}: {record.persian}",
        f"    {english}{optional[1]}: {record.english}",
    )
    if seen.state is State.OTHER:
        say(*(f"    ≠ {each}" for each in seen.found))


def _as_json(facts: Facts, seen: Sequence[Seen], *, is_sound: bool) -> dict[str, object]:
    found = [
        {
            "name": each.record.name,
            "type": each.record.kind,
            "value": each.record.value,
            "needed": each.record.is_needed,
            "state": each.state.value,
            "found": list(each.found),
        }
        for each in seen
    ]
    return {"domain": facts.domain, "sound": is_sound, "records": found, "peer": peer_line(facts)}


_STATES = {
    State.FINE: ("هست", "is there"),
    State.MISSING: ("نیست", "is missing"),
    State.OTHER: ("چیز دیگری آنجاست", "is something else"),
    State.UNKNOWN: ("DNS پاسخ نداد؛ بعداً بپرسید", "DNS did not answer; ask again later"),
}
_SOUND = ("هرچه رله‌های دیگر لازم دارند منتشر شده است.", "Everything that other relays need is published.")
_UNSOUND = (
    "آنچه با ✗ آمده و لازم است منتشر کنید؛ تا دیده شود شاید ساعتی بگذرد.",
    "Publish what is needed and marked ✗; it may take an hour until it is seen.",
)
_PRIVATE = (
    "نشانی این دستگاه از بیرون در دسترس نیست؛ نشانی بیرونی را با ‎--address‎ بدهید.",
    "This machine has an address that cannot be reached from outside; give the one that can with --address.",
)
_PORTS = (
    "در DNS نمی‌توان درگاه را نوشت و رله‌های دیگر به ۴۴۳ و ۲۵ می‌آیند؛ رله را با ‎--ports standard‎ روشن کنید یا این درگاه‌ها را به آن برسانید:",
    "DNS carries no ports, and other relays come to 443 and 25; run the relay with --ports standard, or forward these to it:",
)
_NO_DNS = (
    "نام این رله در DNS نیست و لازم هم نیست: برنامه‌ها آن را از پیوند و رمزینه می‌شناسند. رله‌های دیگر با خط زیر پیدایش می‌کنند.",
    "This relay's name is not in DNS and need not be: apps know it from links and codes. Other relays find it by the line below.",
)
_PEER = (
    "به گردانندهٔ رلهٔ دیگر، برای روزی که DNS نیست، این خط را بدهید؛ گواهی و کلید در آن است:",
    "Give this line to the operator of another relay, for the day without DNS; certificate and key are in it:",
)
