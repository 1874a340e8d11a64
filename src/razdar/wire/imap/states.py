# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which command is allowed in which state and where it leads (RFC 3501 section 3), as data.

A pair that is not in the table is answered BAD. The session moves by the table alone, so the table is also the picture in the documents and
the list of cases in the tests.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from . import commands as c


class State(Enum):
    """RFC 3501 section 3."""

    NOT_AUTHENTICATED = "not authenticated"
    AUTHENTICATED = "authenticated"
    SELECTED = "selected"
    LOGOUT = "logout"


@dataclass(frozen=True, slots=True)
class Transition:
    """The state after the command was answered OK, and after NO or BAD."""

    after_ok: State
    after_no: State


ANY_STATE: tuple[type[c.Command], ...] = (c.Capability, c.Noop, c.Id)
BEFORE_LOGIN: tuple[type[c.Command], ...] = (c.StartTls,)
AFTER_LOGIN: tuple[type[c.Command], ...] = (
    c.Namespace,
    c.Enable,
    c.Create,
    c.Delete,
    c.Rename,
    c.Subscribe,
    c.Unsubscribe,
    c.List,
    c.Status,
    c.Append,
    c.Idle,
    c.Compress,
    c.GetQuota,
    c.GetQuotaRoot,
    c.SetQuota,
    c.GetMetadata,
    c.SetMetadata,
)
WHILE_SELECTED: tuple[type[c.Command], ...] = (c.Check, c.Expunge, c.Search, c.Fetch, c.Store, c.Copy, c.Move)
CHANGES_MAILBOX: frozenset[type[c.Command]] = frozenset({c.Expunge, c.Store, c.Move})
"""Declined after EXAMINE (RFC 3501 section 6.3.2). CLOSE is not: it just expunges nothing then."""


def _table() -> dict[tuple[State, type[c.Command]], Transition]:
    before, after, selected = State.NOT_AUTHENTICATED, State.AUTHENTICATED, State.SELECTED
    table: dict[tuple[State, type[c.Command]], Transition] = {}
    for state, allowed in (
        (before, ANY_STATE + BEFORE_LOGIN),
        (after, ANY_STATE + AFTER_LOGIN),
        (selected, ANY_STATE + AFTER_LOGIN + WHILE_SELECTED),
    ):
        table |= {(state, command): Transition(state, state) for command in allowed}
        table[state, c.Logout] = Transition(State.LOGOUT, state)
    table[before, c.Login] = Transition(after, before)
    # A failed SELECT leaves no mailbox selected, even if one was (section 6.3.1).
    table |= {(state, c.Select): Transition(selected, after) for state in (after, selected)}
    table |= {(selected, command): Transition(after, selected) for command in (c.Close, c.Unselect)}
    return table


TRANSITIONS: Mapping[tuple[State, type[c.Command]], Transition] = _table()
