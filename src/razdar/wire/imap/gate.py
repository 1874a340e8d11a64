# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether a command is let through: by the table of states, by TLS, by EXAMINE. Pure, asked before anything else looks at a command."""

from razdar.wire.errors import PeerError

from . import commands as c
from .fault import Declined
from .states import CHANGES_MAILBOX, TRANSITIONS, State


def objection(kind: type[c.Command], state: State, *, is_tls: bool, is_read_only: bool) -> PeerError | None:
    """What speaks against a command of this kind, or None."""
    if (state, kind) not in TRANSITIONS:
        return PeerError(f"Not now: the connection is {state.value}")
    if kind is c.Login and not is_tls:
        return Declined("Start TLS first", "PRIVACYREQUIRED")
    if kind is c.StartTls and is_tls:
        return PeerError("TLS is on already")
    if kind in CHANGES_MAILBOX and is_read_only:
        return Declined("The mailbox is read only", "READ-ONLY")
    return None
