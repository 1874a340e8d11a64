# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a FETCH can ask for (RFC 3501 section 6.4.5), as values.

The macros ALL, FAST and FULL never get here: the parser expands them. RFC822, RFC822.HEADER and RFC822.TEXT keep a kind of their own,
because the answer must carry the name the client used.
"""

from dataclasses import dataclass
from enum import Enum


class FetchKind(Enum):
    """The value is the item's name in command and answer."""

    UID = "UID"
    FLAGS = "FLAGS"
    INTERNAL_DATE = "INTERNALDATE"
    SIZE = "RFC822.SIZE"
    ENVELOPE = "ENVELOPE"
    STRUCTURE = "BODY"
    STRUCTURE_EXTENDED = "BODYSTRUCTURE"
    SECTION = "BODY[]"
    RFC822 = "RFC822"
    RFC822_HEADER = "RFC822.HEADER"
    RFC822_TEXT = "RFC822.TEXT"


class SectionText(Enum):
    """Which text of a part: everything (`BODY[]`, `BODY[1]`) or one of the named texts."""

    WHOLE = ""
    HEADER = "HEADER"
    HEADER_FIELDS = "HEADER.FIELDS"
    HEADER_FIELDS_NOT = "HEADER.FIELDS.NOT"
    TEXT = "TEXT"
    MIME = "MIME"


@dataclass(frozen=True, slots=True)
class Section:
    """`1.2.HEADER.FIELDS (DATE FROM)`: part numbers, text, field names as the client wrote them (only for HEADER_FIELDS and its NOT)."""

    path: tuple[int, ...] = ()
    text: SectionText = SectionText.WHOLE
    fields: tuple[str, ...] = ()


_FACTS = frozenset({FetchKind.UID, FetchKind.FLAGS, FetchKind.INTERNAL_DATE, FetchKind.SIZE})
_READING = frozenset({FetchKind.RFC822, FetchKind.RFC822_TEXT})


@dataclass(frozen=True, slots=True)
class FetchItem:
    """One item. `section`, `partial` (first byte, how many) and `is_peek` belong to kind SECTION only."""

    kind: FetchKind
    section: Section | None = None
    partial: tuple[int, int] | None = None
    is_peek: bool = False

    @property
    def needs_message(self) -> bool:
        """Whether the message's bytes are needed; UID, flags, date and size are known without opening the body."""
        return self.kind not in _FACTS

    @property
    def needs_structure(self) -> bool:
        """Whether the parts of the message must be found, which takes longer the larger it is."""
        is_part = self.section is not None and bool(self.section.path)
        return is_part or self.kind in (FetchKind.STRUCTURE, FetchKind.STRUCTURE_EXTENDED)

    @property
    def sets_seen(self) -> bool:
        r"""Whether fetching it sets \Seen: `BODY[...]` without `.PEEK`, RFC822, RFC822.TEXT (RFC 3501 section 6.4.5)."""
        return self.kind in _READING or (self.kind is FetchKind.SECTION and not self.is_peek)


UID = FetchItem(FetchKind.UID)
FLAGS = FetchItem(FetchKind.FLAGS)
INTERNAL_DATE = FetchItem(FetchKind.INTERNAL_DATE)
SIZE = FetchItem(FetchKind.SIZE)
ENVELOPE = FetchItem(FetchKind.ENVELOPE)
STRUCTURE = FetchItem(FetchKind.STRUCTURE)

FAST = (FLAGS, INTERNAL_DATE, SIZE)
ALL = (*FAST, ENVELOPE)
FULL = (*ALL, STRUCTURE)
