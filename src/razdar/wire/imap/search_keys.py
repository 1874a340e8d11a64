# SPDX-License-Identifier: AGPL-3.0-or-later
"""The conditions of SEARCH (RFC 3501 section 6.4.4) as a small tree of values.

The thirty-odd keys of the standard come down to ten shapes: `FROM x` is a header condition, `UNSEEN` an absent flag, `SENTSINCE` a date
condition on the Date header, a list of keys is an `And`. The parser bounds how deep they nest.
"""

from dataclasses import dataclass
from datetime import date
from enum import Enum

from .sequence import SequenceSet


class DateSide(Enum):
    """Compared by day, disregarding time and zone (RFC 3501 section 6.4.4)."""

    BEFORE = "BEFORE"
    ON = "ON"
    SINCE = "SINCE"


@dataclass(frozen=True, slots=True)
class Everything:
    """ALL."""


@dataclass(frozen=True, slots=True)
class And:
    """All of them; the keys of a SEARCH in a row, or in parentheses."""

    keys: tuple["SearchKey", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One or the other."""

    first: "SearchKey"
    second: "SearchKey"


@dataclass(frozen=True, slots=True)
class Not:
    """Not that one."""

    key: "SearchKey"


@dataclass(frozen=True, slots=True)
class HasFlag:
    r"""SEEN, UNSEEN, KEYWORD x and so on; `flag` as in a flag list (`\Seen`), compared without case."""

    flag: str
    is_set: bool = True


@dataclass(frozen=True, slots=True)
class Dated:
    """BEFORE, ON, SINCE on the internal date; with `by_header` their SENT… variants on the Date header."""

    side: DateSide
    day: date
    by_header: bool = False


@dataclass(frozen=True, slots=True)
class Sized:
    """LARGER (`is_larger`) or SMALLER than `octets`, both strictly."""

    is_larger: bool
    octets: int


@dataclass(frozen=True, slots=True)
class HasHeader:
    """FROM, TO, CC, BCC, SUBJECT, HEADER: the field is there and contains `value`, compared without case (empty: it is there)."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class HasText:
    """TEXT (header or body) or, with `only_body`, BODY: contains `value`, compared without case."""

    value: str
    only_body: bool


@dataclass(frozen=True, slots=True)
class Among:
    """A sequence set, of UIDs if `by_uid`."""

    ids: SequenceSet
    by_uid: bool


SearchKey = Everything | And | Or | Not | HasFlag | Dated | Sized | HasHeader | HasText | Among
