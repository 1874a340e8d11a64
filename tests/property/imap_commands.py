# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hypothesis strategies for every IMAP command."""

import string
from datetime import date

from hypothesis import strategies as st

from razdar.wire.imap import commands as c
from razdar.wire.imap import fetch_items as f
from razdar.wire.imap import search_keys as k
from razdar.wire.imap.parsers.mailboxes import STATUS_ITEMS
from razdar.wire.imap.sequence import SequenceSet, sequence_set

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
PRINTABLE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
NAMES = PRINTABLE.map(lambda name: "INBOX" if name.upper() == "INBOX" else name) | st.just("INBOX")
ATOMS = st.text(string.ascii_letters + string.digits + "$-_.", min_size=1, max_size=8)
WORDS = ATOMS.map(str.upper)
FLAGS = st.lists(st.sampled_from(["\\Seen", "\\Deleted", "\\Flagged"]) | ATOMS, max_size=3, unique=True).map(tuple)
ENDS = st.none() | st.integers(1, 2**32 - 1) | st.integers(1, 20)
RANGES = st.lists(st.tuples(ENDS, ENDS), min_size=1, max_size=5)
SETS: st.SearchStrategy[SequenceSet] = RANGES.map(sequence_set)
ENTRIES = st.lists(ATOMS.map(lambda word: "/" + word.lower()), min_size=1, max_size=3).map(tuple)
STATUS = st.lists(st.sampled_from(sorted(STATUS_ITEMS)), min_size=1, unique=True).map(tuple)
NUMBERS = st.integers(0, 2**32 - 1)

KEYWORDS = ATOMS | st.sampled_from(["\\Seen", "\\Answered", "\\Deleted"])
LEAVES: st.SearchStrategy[k.SearchKey] = st.one_of(
    st.just(k.Everything()),
    st.builds(k.HasFlag, KEYWORDS, st.booleans()),
    st.builds(k.Dated, st.sampled_from(k.DateSide), st.dates(date(1, 1, 1)), st.booleans()),
    st.builds(k.Sized, st.booleans(), NUMBERS),
    st.builds(k.HasHeader, ATOMS.map(str.upper), TEXT),
    st.builds(k.HasText, TEXT, st.booleans()),
    st.builds(k.Among, SETS, st.booleans()),
)
RETURNS = st.none() | st.frozensets(st.sampled_from(["MIN", "MAX", "ALL", "COUNT"]), min_size=1)
KEYS: st.SearchStrategy[k.SearchKey] = st.recursive(
    LEAVES,
    lambda keys: st.one_of(
        st.builds(k.And, st.lists(keys, min_size=2, max_size=4).map(tuple)), st.builds(k.Or, keys, keys), st.builds(k.Not, keys)
    ),
    max_leaves=8,
)

PATHS = st.lists(st.integers(1, 30), max_size=4).map(tuple)
FIELDS = st.lists(ATOMS, min_size=1, max_size=3).map(tuple)
SECTIONS = st.one_of(
    st.builds(f.Section, PATHS, st.sampled_from([f.SectionText.WHOLE, f.SectionText.HEADER, f.SectionText.TEXT])),
    st.builds(f.Section, PATHS, st.sampled_from([f.SectionText.HEADER_FIELDS, f.SectionText.HEADER_FIELDS_NOT]), FIELDS),
    st.builds(f.Section, PATHS.filter(bool), st.just(f.SectionText.MIME)),
)
PARTIALS = st.none() | st.tuples(NUMBERS, st.integers(1, 2**32 - 1))
ITEMS = st.one_of(
    st.builds(f.FetchItem, st.sampled_from([kind for kind in f.FetchKind if kind is not f.FetchKind.SECTION])),
    st.builds(f.FetchItem, st.just(f.FetchKind.SECTION), SECTIONS, PARTIALS, st.booleans()),
)


def _fetch(tag: str, ids: SequenceSet, items: list[f.FetchItem], by_uid: bool) -> c.Fetch:
    distinct = dict.fromkeys([f.UID, *items] if by_uid else items)
    return c.Fetch(tag, ids, tuple(distinct), by_uid)


def _list(
    tag: str, reference: str, patterns: list[str], selection: frozenset[str], returns: frozenset[str], items: tuple[str, ...]
) -> c.List:
    return c.List(tag, reference, tuple(patterns), False, selection, returns, items if "STATUS" in returns else ())


TAGS = st.text(string.ascii_letters + string.digits + ".-", min_size=1, max_size=6)
LOGINS = st.builds(c.Login, TAGS, PRINTABLE, PRINTABLE)
COMMANDS_AFTER_LOGIN: st.SearchStrategy[c.Command] = st.one_of(
    *(st.builds(kind, TAGS) for kind in (c.Noop, c.Check, c.Close, c.Unselect, c.Idle, c.Namespace, c.Capability)),
    st.builds(c.Id, TAGS, st.lists(st.tuples(TEXT, st.none() | TEXT), max_size=3).map(tuple)),
    st.builds(c.Enable, TAGS, st.lists(WORDS, min_size=1, max_size=3).map(tuple)),
    st.builds(c.Select, TAGS, NAMES, st.booleans()),
    *(st.builds(kind, TAGS, NAMES) for kind in (c.Create, c.Delete, c.Subscribe, c.Unsubscribe, c.GetQuotaRoot)),
    st.builds(c.Rename, TAGS, NAMES, NAMES),
    st.builds(c.List, TAGS, PRINTABLE, st.tuples(PRINTABLE), st.just(True)),
    st.builds(
        _list,
        TAGS,
        PRINTABLE,
        st.lists(PRINTABLE, min_size=1, max_size=3),
        st.frozensets(st.sampled_from(["SUBSCRIBED", "REMOTE", "SPECIAL-USE"])),
        st.frozensets(st.sampled_from(["SUBSCRIBED", "CHILDREN", "SPECIAL-USE", "STATUS"])),
        STATUS,
    ),
    st.builds(c.Status, TAGS, NAMES, STATUS),
    st.builds(c.Append, TAGS, NAMES, FLAGS, st.none() | st.integers(0, 2**34), st.binary(max_size=40).map(lambda m: m.replace(b"\0", b""))),
    st.builds(c.Compress, TAGS, st.just("DEFLATE")),
    st.builds(c.GetQuota, TAGS, TEXT),
    st.builds(c.SetQuota, TAGS, TEXT),
    st.builds(c.GetMetadata, TAGS, NAMES, ENTRIES, st.sampled_from(["0", "1", "infinity"]), st.none() | NUMBERS),
    st.builds(
        c.SetMetadata,
        TAGS,
        NAMES,
        st.lists(st.tuples(ENTRIES.map(lambda entries: entries[0]), st.none() | TEXT.map(str.encode)), min_size=1, max_size=3).map(tuple),
    ),
    st.builds(c.Expunge, TAGS, st.none() | SETS),
    st.builds(c.Copy, TAGS, SETS, NAMES, st.booleans()),
    st.builds(c.Move, TAGS, SETS, NAMES, st.booleans()),
    st.builds(c.Store, TAGS, SETS, st.sampled_from(c.StoreAction), st.booleans(), FLAGS, st.booleans()),
    st.builds(_fetch, TAGS, SETS, st.lists(ITEMS, min_size=1, max_size=5), st.booleans()),
    st.builds(c.Search, TAGS, st.sampled_from([None, "UTF-8"]), KEYS, st.booleans(), RETURNS),
)
