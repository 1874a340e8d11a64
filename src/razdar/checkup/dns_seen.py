# SPDX-License-Identifier: AGPL-3.0-or-later
"""Compares the records a relay should have with what DNS answers."""

import asyncio
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from razdar.checkup.dns_records import Record
from razdar.ports.resolver import NoSuchName, Resolver, ResolverUnavailable


class State(Enum):
    """What the world sees of a record."""

    FINE = "fine"
    MISSING = "missing"
    OTHER = "other"
    """Something else stands there."""
    UNKNOWN = "unknown"
    """DNS does not answer here and now."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A record and what the world sees of it."""

    record: Record
    state: State
    found: Sequence[str] = ()
    """What stands there, if it is something else."""


async def compare(records: Sequence[Record], resolver: Resolver) -> Sequence[Seen]:
    """Each record with what DNS answers, in their order."""
    return await asyncio.gather(*(_seen(record, resolver) for record in records))


async def _seen(record: Record, resolver: Resolver) -> Seen:
    try:
        found = await _found(record, resolver)
    except NoSuchName:
        return Seen(record, State.MISSING)
    except ResolverUnavailable:
        return Seen(record, State.UNKNOWN)
    if _plain(record.kind, record.value) in {_plain(record.kind, each) for each in found}:
        return Seen(record, State.FINE)
    return Seen(record, State.OTHER if found else State.MISSING, found)


async def _found(record: Record, resolver: Resolver) -> Sequence[str]:
    """What stands there of this kind; of the texts of a name only those that begin alike (`v=spf1`)."""
    if record.kind == "MX":
        return [f"{each.preference} {each.host}." for each in (await resolver.mx(record.name)).values]
    if record.kind == "TXT":
        texts = [each.decode("utf-8", "replace") for each in (await resolver.txt(record.name)).values]
        return [each for each in texts if _version(each) == _version(record.value)]
    version = 6 if record.kind == "AAAA" else 4
    return [each for each in (await resolver.addresses(record.name)).values if ipaddress.ip_address(each).version == version]


def _version(text: str) -> str:
    """`v=spf1` and the like, with which such texts begin."""
    return text.replace(" ", ";").split(";")[0].lower()


def _plain(kind: str, value: str) -> str:
    """In one spelling: white space in a key, the preference of an MX and the spelling of an address do not matter."""
    if kind == "MX":
        return value.split(" ")[1].lower().removesuffix(".")
    if kind in ("A", "AAAA"):
        return str(ipaddress.ip_address(value))
    return value.replace(" ", "").removesuffix(";")
