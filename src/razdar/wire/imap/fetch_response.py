# SPDX-License-Identifier: AGPL-3.0-or-later
"""The answer to FETCH for one message (RFC 3501 section 7.4.2), in pieces that are not joined.

The way of chat clients (a few header fields, or the whole message) is plain bytes work; MIME is only looked at when a part or the structure
is asked for, once per message however many parts are named. Large texts are views on the message that was passed in, so naming the same
body many times costs no memory.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from . import header
from .body_structure import body_structure
from .dates import format_date_time
from .envelope import envelope
from .fetch_items import FetchItem, FetchKind, Section, SectionText
from .responses import Part, astring, flag_list, parenthesised
from .structure import Part as MimePart
from .structure import locate, structure

VIEW_BYTES = 16384
"""Shorter texts are copied: a view costs more than it saves."""


def respond(
    seq: int, items: Iterable[FetchItem], uid: int, flags: Iterable[str], internal_date: int, size: int, message: bytes | None
) -> list[Part]:
    """`seq FETCH (…)` for `untagged_parts`. `message` may be None if no item needs it; a text of a message that is gone is NIL."""
    facts: Mapping[FetchKind, Callable[[], bytes]] = {
        FetchKind.UID: lambda: b"%d" % uid,
        FetchKind.FLAGS: lambda: flag_list(flags),
        FetchKind.INTERNAL_DATE: lambda: format_date_time(internal_date),
        FetchKind.SIZE: lambda: b"%d" % size,
    }
    texts = None if message is None else _Texts(message)
    parts: list[Part] = [b"%d FETCH (" % seq]
    for number, item in enumerate(items):
        parts.append((b" " if number else b"") + item_name(item) + b" ")
        if item.kind in facts:
            parts.append(facts[item.kind]())
        else:
            parts += [b"NIL"] if texts is None else texts.answer(item)
    parts.append(b")")
    return parts


def flags_only(seq: int, uid: int, flags: Iterable[str]) -> bytes:
    """`seq FETCH (UID … FLAGS …)`: the answer to STORE, and how other devices hear of it."""
    return b"%d FETCH (UID %d FLAGS %b)" % (seq, uid, flag_list(flags))


@lru_cache(maxsize=256)
def item_name(item: FetchItem) -> bytes:
    """As the answer names it: no PEEK, of a partial only where it begins."""
    if item.kind is not FetchKind.SECTION or item.section is None:
        return item.kind.value.encode("ascii")
    words = [str(number) for number in item.section.path]
    if item.section.text is not SectionText.WHOLE:
        words.append(item.section.text.value)
    name = b"BODY[" + ".".join(words).encode("ascii")
    if item.section.fields:
        name += b" " + parenthesised(astring(field.encode("ascii")) for field in item.section.fields)
    return name + (b"]" if item.partial is None else b"]<%d>" % item.partial[0])


_WHOLE = Section()
_HEADER = Section((), SectionText.HEADER)
_TEXT = Section((), SectionText.TEXT)
_OLD_NAMES = {FetchKind.RFC822: _WHOLE, FetchKind.RFC822_HEADER: _HEADER, FetchKind.RFC822_TEXT: _TEXT}


class _Texts:
    """One message, with what was found out about it so far."""

    def __init__(self, message: bytes) -> None:
        self._message = message
        self._body = header.body_offset(message)
        self._root: MimePart | None = None

    def answer(self, item: FetchItem) -> list[Part]:
        if item.kind is FetchKind.ENVELOPE:
            return [envelope(self._message[: self._body])]
        if item.kind in (FetchKind.STRUCTURE, FetchKind.STRUCTURE_EXTENDED):
            return [body_structure(self._message, self._tree(), is_extended=item.kind is FetchKind.STRUCTURE_EXTENDED)]
        text = self._section(item.section or _OLD_NAMES[item.kind])
        if text is None:
            return [b"NIL"]
        if item.partial is not None:
            first, length = item.partial
            text = _cut(text, first, first + length)
        return [b"{%d}\r\n" % len(text), text]

    def _tree(self) -> MimePart:
        if self._root is None:
            self._root = structure(self._message)
        return self._root

    def _section(self, section: Section) -> Part | None:
        start, body, end = 0, self._body, len(self._message)
        if section.path:
            part = locate(self._tree(), section.path)
            if part is None:
                return None
            if section.text in (SectionText.WHOLE, SectionText.MIME):
                return self._range(part.body, part.end) if section.text is SectionText.WHOLE else self._range(part.start, part.body)
            if part.embedded is None:  # only an embedded message has a header and a text of its own
                return None
            start, body, end = part.embedded.start, part.embedded.body, part.embedded.end
        if section.text is SectionText.WHOLE:
            return self._message
        if section.text is SectionText.TEXT:
            return self._range(body, end)
        if section.text is SectionText.HEADER:
            return self._range(start, body)
        is_inverted = section.text is SectionText.HEADER_FIELDS_NOT
        return header.selected(self._message[start:body], _folded(section.fields), is_inverted=is_inverted)

    def _range(self, start: int, end: int) -> Part:
        return _cut(self._message, start, end)


@lru_cache(maxsize=64)
def _folded(names: tuple[str, ...]) -> frozenset[bytes]:
    return frozenset(name.lower().encode("ascii") for name in names)


def _cut(text: Part, start: int, end: int) -> Part:
    if start <= 0 and end >= len(text):
        return text
    return memoryview(text)[start:end] if end - start > VIEW_BYTES else bytes(text[start:end])
