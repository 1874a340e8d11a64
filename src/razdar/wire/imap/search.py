# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether one message matches a SEARCH (RFC 3501 section 6.4.4). Pure.

A key is decided with as little as possible: first from facts that are known without reading the message, and only if that leaves it open
from the message's bytes. Strings are compared without case, header values also with their encoded words decoded (RFC 2047). Bodies are
compared as they are: nearly all are encrypted.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.utils import parsedate_tz

from . import header
from . import search_keys as k
from .dates import day_of

DECODED_MAX = 4096
"""Longer header values are compared as they are only."""
WINDOW_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class Facts:
    r"""What is known of a message without reading it. `flags` as in a flag list. `last_…`: the mailbox's, for `*`."""

    seq: int
    uid: int
    last_seq: int
    last_uid: int
    flags: Collection[str] = ()
    internal_date: int = 0
    size: int = 0


def needs_facts(key: k.SearchKey) -> bool:
    """Whether flags, date or size are asked for; if not, numbers decide (and no seal need be opened)."""
    return _any_key(key, (k.HasFlag, k.Dated, k.Sized))


def needs_message(key: k.SearchKey) -> bool:
    """Whether the message's bytes may be needed."""
    return _any_key(key, (k.HasHeader, k.HasText)) or _any_dated_by_header(key)


def matches(key: k.SearchKey, facts: Facts, message: bytes | None = None) -> bool | None:
    """Whether it matches; None if that cannot be told without the message, which was not given."""
    match key:
        case k.And(keys=keys):
            return _all(keys, facts, message)
        case k.Or(first=first, second=second):
            return _negated(_all((k.Not(first), k.Not(second)), facts, message))
        case k.Not(key=inner):
            return _negated(matches(inner, facts, message))
        case k.HasHeader() | k.HasText() | k.Dated(by_header=True):
            return None if message is None else _reads(key, message)
        case _:
            return _knows(key, facts)


def _all(keys: tuple[k.SearchKey, ...], facts: Facts, message: bytes | None) -> bool | None:
    """False as soon as one is; open if none is false and one is open."""
    is_open = False
    for key in keys:
        verdict = matches(key, facts, message)
        if verdict is False:
            return False
        is_open = is_open or verdict is None
    return None if is_open else True


def _negated(verdict: bool | None) -> bool | None:
    return None if verdict is None else not verdict


def _knows(key: k.SearchKey, facts: Facts) -> bool:
    match key:
        case k.HasFlag(flag=flag, is_set=is_set):
            return (flag.lower() in {name.lower() for name in facts.flags}) is is_set
        case k.Sized(is_larger=is_larger, octets=octets):
            return facts.size > octets if is_larger else facts.size < octets
        case k.Dated(side=side, day=day):
            return _on_side(side, day_of(facts.internal_date), day)
        case k.Among(ids=ids, by_uid=by_uid):
            return ids.contains(facts.uid, facts.last_uid) if by_uid else ids.contains(facts.seq, facts.last_seq)
        case _:
            return True


def _reads(key: k.SearchKey, message: bytes) -> bool:
    body = header.body_offset(message)
    match key:
        case k.HasText(value=value, only_body=only_body):
            return _has(message, value.encode("utf-8").lower(), body if only_body else 0)
        case k.HasHeader(name=name, value=value):
            folded = name.lower().encode("utf-8")
            found = (
                header.unfolded(field.partition(b":")[2]) for field in header.fields(message[:body]) if header.name_of(field) == folded
            )
            return any(_contains(text, value.lower()) for text in found)
        case k.Dated(side=side, day=day):
            sent = _sent_day(header.value(message[:body], b"date") or b"")
            return sent is not None and _on_side(side, sent, day)
        case _:
            raise AssertionError(f"{type(key).__name__} is decided without the message")


def _has(message: bytes, needle: bytes, start: int) -> bool:
    """Window by window, so that a large message is not copied whole and other threads have their turn."""
    windows = range(start, max(len(message), start + 1), WINDOW_BYTES)
    return any(needle in message[at : at + WINDOW_BYTES + len(needle)].lower() for at in windows)


def _contains(raw: bytes, needle: str) -> bool:
    text = raw.decode("utf-8", "replace")
    if needle in text.lower():
        return True
    return "=?" in text and len(text) <= DECODED_MAX and needle in _decoded(text).lower()


def _decoded(text: str) -> str:
    try:
        return str(make_header(decode_header(text)))
    except (HeaderParseError, LookupError, ValueError):
        return text


def _sent_day(value: bytes) -> date | None:
    try:
        parsed = parsedate_tz(value[:100].decode("ascii", "replace"))
        return None if parsed is None else date(parsed[0], parsed[1], parsed[2])
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _on_side(side: k.DateSide, actual: date, day: date) -> bool:
    if side is k.DateSide.BEFORE:
        return actual < day
    return actual == day if side is k.DateSide.ON else actual >= day


def _any_key(key: k.SearchKey, kinds: tuple[type, ...]) -> bool:
    return any(isinstance(leaf, kinds) for leaf in _leaves(key))


def _any_dated_by_header(key: k.SearchKey) -> bool:
    return any(isinstance(leaf, k.Dated) and leaf.by_header for leaf in _leaves(key))


def _leaves(key: k.SearchKey) -> list[k.SearchKey]:
    match key:
        case k.And(keys=keys):
            return [leaf for inner in keys for leaf in _leaves(inner)]
        case k.Or(first=first, second=second):
            return _leaves(first) + _leaves(second)
        case k.Not(key=inner):
            return _leaves(inner)
        case _:
            return [key]
