# SPDX-License-Identifier: AGPL-3.0-or-later
"""The (state, verb) table is complete, and the session does in every cell what the table says."""

import base64
from collections.abc import Iterator
from itertools import product

import pytest
from tests.transcripts.smtp_driver import PASSWORD, SmtpDriver

from razdar.model.verdict import Refusal
from razdar.wire.smtp import events
from razdar.wire.smtp.replies import render
from razdar.wire.smtp.session import Role, SmtpSession
from razdar.wire.smtp.states import ENDS_CONNECTION, NOT_COUNTED, TABLE, VERBS, State, Verb
from razdar.wire.smtp.verbs import ACTIONS

WITHOUT_COMMANDS = {State.SASL, State.CONTENT, State.HANDSHAKE, State.CLOSED}
LOGIN = b"AUTH PLAIN " + base64.b64encode(b"\0alice@relay.example\0" + PASSWORD.encode())
MAIL = b"MAIL FROM:<alice@relay.example>"
RCPT = b"RCPT TO:<bob@relay.example>"
EHLO = b"EHLO c.example"

WAY_TO: dict[State, tuple[Role, bool, list[bytes]]] = {
    State.START: (Role.SUBMISSION, True, []),
    State.CLEAR: (Role.SUBMISSION, False, [EHLO]),
    State.LOCKED: (Role.SUBMISSION, True, [EHLO]),
    State.OPEN: (Role.RELAY, False, [EHLO]),
    State.READY: (Role.SUBMISSION, True, [EHLO, LOGIN]),
    State.SENDER: (Role.SUBMISSION, True, [EHLO, LOGIN, MAIL]),
    State.RECIPIENTS: (Role.SUBMISSION, True, [EHLO, LOGIN, MAIL, RCPT]),
}
COMMAND: dict[Verb, bytes] = {
    Verb.EHLO: EHLO,
    Verb.HELO: b"HELO c.example",
    Verb.AUTH: LOGIN,
    Verb.MAIL: MAIL,
    Verb.RCPT: RCPT,
    Verb.HTTP: b"GET / HTTP/1.1",
    Verb.BDAT: b"BDAT 5 LAST",
}
ACCEPTED: dict[Verb, tuple[bytes, type[events.Event] | None]] = {
    Verb.EHLO: (b"250-relay.example\r\n", None),
    Verb.HELO: (b"250 relay.example\r\n", None),
    Verb.STARTTLS: (b"220 2.0.0 ", events.TlsRequested),
    Verb.AUTH: (b"235 2.7.0 ", events.LoginOffered),
    Verb.MAIL: (b"250 2.1.0 ", events.SenderOffered),
    Verb.RCPT: (b"250 2.1.5 ", events.RecipientOffered),
    Verb.DATA: (b"354 ", events.ContentOffered),
    Verb.RSET: (b"250 2.0.0 ", None),
    Verb.NOOP: (b"250 2.0.0 ", None),
    Verb.HELP: (b"214 2.0.0 ", None),
    Verb.VRFY: (b"252 2.5.2 ", None),
    Verb.QUIT: (b"221 2.0.0 ", events.Closed),
}
AFTER: dict[Verb, State] = {
    Verb.STARTTLS: State.HANDSHAKE,
    Verb.AUTH: State.READY,
    Verb.MAIL: State.SENDER,
    Verb.RCPT: State.RECIPIENTS,
    Verb.DATA: State.CONTENT,
    Verb.QUIT: State.CLOSED,
}
HOME: dict[State, State] = {State.SENDER: State.READY, State.RECIPIENTS: State.READY}


def state_of(session: SmtpSession) -> State:
    return session._dialogue.state


def driver_in(state: State) -> SmtpDriver:
    role, is_tls, lines = WAY_TO[state]
    driver = SmtpDriver(role=role, is_tls=is_tls)
    for line in lines:
        driver.receive(line + b"\r\n")
    driver.take_output()
    driver.seen.clear()
    assert state_of(driver.session) is state
    return driver


def cells() -> Iterator[tuple[State, Verb]]:
    return product(TABLE, Verb)


def test_the_table_is_complete() -> None:
    assert set(TABLE) == set(State) - WITHOUT_COMMANDS
    assert all(set(row) == set(Verb) for row in TABLE.values())
    assert set(VERBS.values()) == set(Verb)


def test_every_accepted_verb_has_a_function_and_no_other() -> None:
    assert {verb for state, verb in cells() if not isinstance(TABLE[state][verb], Refusal)} == set(ACTIONS) == set(ACCEPTED)


@pytest.mark.parametrize(("state", "verb"), list(cells()), ids=lambda value: value.name)
def test_every_cell(state: State, verb: Verb) -> None:
    driver = driver_in(state)
    driver.receive(COMMAND.get(verb, verb.name.encode()) + b"\r\n")
    said = driver.take_output()
    verdict = TABLE[state][verb]
    if isinstance(verdict, Refusal):
        assert said == render(verdict)
        assert driver.seen == []
        assert state_of(driver.session) is (State.CLOSED if verdict in ENDS_CONNECTION else state)
        return
    prefix, event = ACCEPTED[verb]
    assert said.startswith(prefix)
    assert [type(seen) for seen in driver.seen] == ([event] if event else [])
    assert state_of(driver.session) is expected_after(state, verb)


def expected_after(state: State, verb: Verb) -> State:
    if verb in (Verb.EHLO, Verb.HELO) and state is State.START:
        return State.LOCKED
    if verb in (Verb.EHLO, Verb.HELO, Verb.RSET):
        return HOME.get(state, state)
    return AFTER.get(verb, state)


@pytest.mark.parametrize("state", TABLE, ids=lambda state: state.name)
def test_unknown_commands(state: State) -> None:
    driver = driver_in(state)
    driver.receive(b"XYZZY now\r\n\r\n")
    assert driver.take_output().count(b"500 5.5.1 ") == 2
    assert state_of(driver.session) is state


@pytest.mark.parametrize("name", [name for name, verb in VERBS.items() if verb is Verb.HTTP])
def test_every_http_method_ends_the_connection(name: bytes) -> None:
    driver = driver_in(State.READY)
    driver.receive(name.lower() + b" / HTTP/1.1\r\nNOOP\r\n")
    assert driver.take_output().count(b"\r\n") == 1
    assert driver.session.is_closing


def test_only_refusals_of_the_session_are_excused() -> None:
    assert all(isinstance(refusal, Refusal) for refusal in NOT_COUNTED | ENDS_CONNECTION)
    assert not NOT_COUNTED & ENDS_CONNECTION
