# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which names LIST and LSUB answer with, and with which attributes (RFC 3501 sections 6.3.8 and 6.3.9, RFC 5258, RFC 6154). Pure.

A name is a mailbox, or a subscription to a mailbox that is gone, or only a place above others in the hierarchy. Uses are told from the
names that mail programs give such folders, so nothing about them is stored.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from . import commands as c
from .list_match import matches
from .responses import DELIMITER

USES: Mapping[str, str] = {"Archive": "\\Archive", "Drafts": "\\Drafts", "Junk": "\\Junk", "Sent": "\\Sent", "Trash": "\\Trash"}
"""RFC 6154 section 2."""
NO_MAILBOX = ("\\NonExistent", "\\Noselect")
"""The first means the second too; clients that know no RFC 5258 understand the second."""
CHILD_INFO = frozenset({"SUBSCRIBED", "SPECIAL-USE"})


@dataclass(frozen=True, slots=True)
class Name:
    """What the account has: a mailbox, or (`exists` is false) a subscription alone."""

    name: str
    exists: bool
    is_subscribed: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One LIST or LSUB response. `child_info`: the selection options that a name below meets and that is not listed itself."""

    name: str
    attributes: tuple[str, ...]
    exists: bool
    child_info: tuple[str, ...] = ()


def listing(command: c.List, names: Iterable[Name]) -> Iterator[Row]:
    """The answer, INBOX first, then each name after those above it."""
    known = _Known(names)
    patterns = [command.reference + pattern for pattern in command.patterns]
    selected = known.selected(command)
    matching = {name for name in known.everything | selected | _above(selected) if any(matches(pattern, name) for pattern in patterns)}
    above = _above(selected - matching) if command.is_lsub or "RECURSIVEMATCH" in command.selection else frozenset()
    for name in sorted(matching & (selected | above), key=lambda name: (name != "INBOX", name.split(DELIMITER))):
        if command.is_lsub:
            yield Row(name, () if name in selected and name in known.mailboxes else ("\\Noselect",), exists=True)
        else:
            info = sorted(command.selection & CHILD_INFO) if name in above else ()
            yield Row(name, tuple(known.attributes(name, command)), name in known.mailboxes, tuple(info))


def _above(names: Iterable[str]) -> frozenset[str]:
    """All places above these names."""
    return frozenset(name[:end] for name in names for end in range(len(name)) if name[end] == DELIMITER)


class _Known:
    def __init__(self, names: Iterable[Name]) -> None:
        names = list(names)
        self.mailboxes = {name.name for name in names if name.exists}
        self.subscribed = {name.name for name in names if name.is_subscribed}
        self._parents = _above(self.mailboxes)
        self.everything = self.mailboxes | self._parents

    def selected(self, command: c.List) -> set[str]:
        """Those that the selection options name; several options must all be met (RFC 5258 section 3)."""
        selected = self.everything
        if command.is_lsub or "SUBSCRIBED" in command.selection:
            selected = self.subscribed
        if "SPECIAL-USE" in command.selection:
            selected = {name for name in selected if name in USES and name in self.mailboxes}
        return set(selected)

    def attributes(self, name: str, command: c.List) -> Iterator[str]:
        if name not in self.mailboxes:
            yield from NO_MAILBOX
        yield "\\HasChildren" if name in self._parents else "\\HasNoChildren"
        if name in self.subscribed and "SUBSCRIBED" in command.selection | command.returns:
            yield "\\Subscribed"
        if name in USES and name in self.mailboxes:
            yield USES[name]
