# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every command in every state is answered as the table says (RFC 3501 section 3)."""

from itertools import product

import pytest

from razdar.wire.imap import commands as c
from razdar.wire.imap.gate import objection
from razdar.wire.imap.session import Capabilities, ImapSession, State
from razdar.wire.imap.states import TRANSITIONS

LINES: dict[type[c.Command], bytes] = {
    c.Capability: b"CAPABILITY",
    c.Noop: b"NOOP",
    c.Logout: b"LOGOUT",
    c.Id: b"ID NIL",
    c.StartTls: b"STARTTLS",
    c.Login: b"LOGIN u p",
    c.Namespace: b"NAMESPACE",
    c.Enable: b"ENABLE X",
    c.Select: b"SELECT x",
    c.Create: b"CREATE x",
    c.Delete: b"DELETE x",
    c.Rename: b"RENAME x y",
    c.Subscribe: b"SUBSCRIBE x",
    c.Unsubscribe: b"UNSUBSCRIBE x",
    c.List: b'LIST "" *',
    c.Status: b"STATUS x (MESSAGES)",
    c.Append: b"APPEND x {1+}\r\nx",
    c.Idle: b"IDLE",
    c.Compress: b"COMPRESS DEFLATE",
    c.GetQuota: b'GETQUOTA ""',
    c.GetQuotaRoot: b"GETQUOTAROOT x",
    c.SetQuota: b'SETQUOTA "" ()',
    c.GetMetadata: b'GETMETADATA "" /x',
    c.SetMetadata: b"SETMETADATA x (/x NIL)",
    c.Check: b"CHECK",
    c.Close: b"CLOSE",
    c.Unselect: b"UNSELECT",
    c.Expunge: b"EXPUNGE",
    c.Search: b"SEARCH ALL",
    c.Fetch: b"FETCH 1 UID",
    c.Store: b"STORE 1 FLAGS ()",
    c.Copy: b"COPY 1 x",
    c.Move: b"MOVE 1 x",
}
ANSWERED_BY_SESSION = {c.Capability, c.Logout, c.Id, c.Namespace, c.Enable}
STATES = [State.NOT_AUTHENTICATED, State.AUTHENTICATED, State.SELECTED]


def session_in(state: State, *, is_tls: bool = True, select: bytes = b"SELECT x") -> ImapSession:
    session = ImapSession(is_tls=is_tls, capabilities=Capabilities(after_login=("IMAP4rev1", "COMPRESS=DEFLATE")))
    steps = {State.NOT_AUTHENTICATED: [], State.AUTHENTICATED: [b"LOGIN u p"], State.SELECTED: [b"LOGIN u p", select]}[state]
    for line in steps:
        session.receive(b"s " + line + b"\r\n")
        assert session.next_event() is not None
        session.ok()
    session.take_output()
    assert session.state is state
    return session


def test_every_command_is_known_here() -> None:
    every = {value for value in vars(c).values() if isinstance(value, type) and issubclass(value, c.Command)} - {c.Command}
    assert set(LINES) == every
    assert {kind for _, kind in TRANSITIONS} == every


@pytest.mark.parametrize(("state", "kind"), list(product(STATES, LINES)), ids=lambda value: getattr(value, "__name__", str(value)))
@pytest.mark.parametrize("is_ok", [True, False])
def test_table(state: State, kind: type[c.Command], is_ok: bool) -> None:
    session = session_in(state, is_tls=kind is not c.StartTls or state is not State.NOT_AUTHENTICATED)
    session.receive(b"t " + LINES[kind] + b"\r\n")
    event = session.next_event()
    transition = TRANSITIONS.get((state, kind))
    if transition is None:
        assert event is None
        assert session.take_output().startswith(b"t BAD ")
        assert session.state is state
        return
    if kind in ANSWERED_BY_SESSION:
        assert event is None
        assert b"t OK " in session.take_output()
        assert session.state is transition.after_ok
        return
    assert type(event) is kind
    if kind is c.StartTls:
        assert session.take_output() == b"t OK Begin TLS now\r\n"
        return
    assert session.next_event() is None
    session.ok() if is_ok else session.no("no")
    assert session.take_output().startswith(b"t OK" if is_ok else b"t NO no")
    assert session.state is (transition.after_ok if is_ok else transition.after_no)


@pytest.mark.parametrize("line", [b"STORE 1 FLAGS ()", b"UID STORE 1 FLAGS ()", b"EXPUNGE", b"UID EXPUNGE 1", b"MOVE 1 x", b"UID MOVE 1 x"])
def test_examine_changes_nothing(line: bytes) -> None:
    """RFC 3501 section 6.3.2."""
    session = session_in(State.SELECTED, select=b"EXAMINE x")
    assert session.selected_read_only
    session.receive(b"t " + line + b"\r\n")
    assert session.next_event() is None
    assert session.take_output().startswith(b"t NO [READ-ONLY]")
    session.receive(b"u COPY 1 x\r\n")
    assert isinstance(session.next_event(), c.Copy)


def test_read_only_ends_with_the_mailbox() -> None:
    session = session_in(State.SELECTED, select=b"EXAMINE x")
    for line, answer in ((b"UNSELECT", b"OK"), (b"SELECT x", b"OK [READ-WRITE]")):
        session.receive(b"t " + line + b"\r\n")
        assert session.next_event() is not None
        session.ok()
        assert session.take_output().startswith(b"t " + answer)
    assert not session.selected_read_only


def test_nothing_is_let_through_after_logout() -> None:
    assert all(objection(kind, State.LOGOUT, is_tls=True, is_read_only=False) for kind in LINES)
