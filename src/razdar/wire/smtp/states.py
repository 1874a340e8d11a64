# SPDX-License-Identifier: AGPL-3.0-or-later
"""What may be said when: the (state, verb) table of SMTP as data.

`ACCEPT` in a cell means that the verb's function runs (verbs.py), a refusal is the whole answer. Everything that depends on the
role of the server, on TLS and on the login is a state of its own, so that no verb has to ask for it. The table does not know the
events that wait for an answer: while one does, no command is read at all (session.py). RFC 5321 section 4.1.4 is the order of
commands, RFC 3207 section 4 and RFC 4954 section 4 add STARTTLS and AUTH.
"""

from collections.abc import Mapping
from enum import Enum, auto

from razdar.model.verdict import ACCEPT, Refusal, Verdict
from razdar.wire.smtp import replies


class Verb(Enum):
    """Every command we know, and one name for all commands of HTTP."""

    EHLO = auto()
    HELO = auto()
    LHLO = auto()
    STARTTLS = auto()
    AUTH = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    BDAT = auto()
    RSET = auto()
    NOOP = auto()
    HELP = auto()
    VRFY = auto()
    EXPN = auto()
    QUIT = auto()
    HTTP = auto()


class State(Enum):
    """Where the dialogue is. The last four read no commands."""

    START = auto()
    """No EHLO yet, or none since the handshake."""
    CLEAR = auto()
    """Submission without TLS: nothing but STARTTLS helps."""
    LOCKED = auto()
    """Submission with TLS, nobody is logged in."""
    OPEN = auto()
    """Port 25 without TLS: nothing but STARTTLS helps, because the envelope is in clear; all peers can (docs/federation.md)."""
    READY = auto()
    """Logged in, or port 25 with TLS: MAIL may come."""
    SENDER = auto()
    """In a transaction, no recipient so far."""
    RECIPIENTS = auto()
    """In a transaction with at least one recipient."""
    SASL = auto()
    """The next line belongs to the authentication."""
    CONTENT = auto()
    """Between 354 and the end mark."""
    HANDSHAKE = auto()
    """After STARTTLS: what arrives in clear is dropped."""
    CLOSED = auto()
    """Nothing is read any more; what is queued may still be sent."""


_HTTP_METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH", b"PRI")

VERBS: Mapping[bytes, Verb] = {
    **{verb.name.encode(): verb for verb in Verb if verb is not Verb.HTTP},
    **dict.fromkeys(_HTTP_METHODS, Verb.HTTP),
}

_EVERYWHERE: Mapping[Verb, Verdict] = {
    Verb.EHLO: ACCEPT,
    Verb.HELO: ACCEPT,
    Verb.LHLO: replies.NOT_IMPLEMENTED,
    Verb.RSET: ACCEPT,
    Verb.NOOP: ACCEPT,
    Verb.HELP: ACCEPT,
    Verb.VRFY: ACCEPT,
    Verb.EXPN: replies.NOT_IMPLEMENTED,
    Verb.BDAT: replies.CHUNKING_UNSUPPORTED,
    Verb.QUIT: ACCEPT,
    Verb.HTTP: replies.NOT_SMTP,
}


def _state(*, starttls: Verdict, auth: Verdict, mail: Verdict, rcpt: Verdict, data: Verdict) -> Mapping[Verb, Verdict]:
    differing = {Verb.STARTTLS: starttls, Verb.AUTH: auth, Verb.MAIL: mail, Verb.RCPT: rcpt, Verb.DATA: data}
    return {**_EVERYWHERE, **differing}


_GREET, _TLS, _LOGIN, _MAIL, _ORDER = (
    replies.HELLO_FIRST,
    replies.TLS_REQUIRED,
    replies.AUTH_REQUIRED,
    replies.MAIL_FIRST,
    replies.BAD_SEQUENCE,
)

TABLE: Mapping[State, Mapping[Verb, Verdict]] = {
    State.START: _state(starttls=_GREET, auth=_GREET, mail=_GREET, rcpt=_GREET, data=_GREET),
    State.CLEAR: _state(starttls=ACCEPT, auth=replies.AUTH_NEEDS_TLS, mail=_TLS, rcpt=_TLS, data=_TLS),
    State.LOCKED: _state(starttls=replies.TLS_ACTIVE, auth=ACCEPT, mail=_LOGIN, rcpt=_LOGIN, data=_LOGIN),
    State.OPEN: _state(starttls=ACCEPT, auth=_ORDER, mail=_TLS, rcpt=_TLS, data=_TLS),
    State.READY: _state(starttls=replies.TLS_ACTIVE, auth=_ORDER, mail=ACCEPT, rcpt=_MAIL, data=_MAIL),
    State.SENDER: _state(starttls=_ORDER, auth=_ORDER, mail=_ORDER, rcpt=ACCEPT, data=replies.NO_VALID_RECIPIENT),
    State.RECIPIENTS: _state(starttls=_ORDER, auth=_ORDER, mail=_ORDER, rcpt=ACCEPT, data=ACCEPT),
}

ENDS_CONNECTION: frozenset[Refusal] = frozenset({replies.NOT_SMTP, replies.CHUNKING_UNSUPPORTED})
"""What follows would be a body, and a body must never be read as commands."""

NOT_COUNTED: frozenset[Refusal] = frozenset(
    {
        replies.MAIL_FIRST,
        replies.NO_VALID_RECIPIENT,
        replies.TOO_MANY_RECIPIENTS,
        replies.TOO_BIG,
        replies.BAD_SENDER_ADDRESS,
        replies.BAD_RECIPIENT_ADDRESS,
    }
)
"""No signs of a broken or hostile client: after a refused MAIL, one of these follows for every pipelined RCPT (RFC 2920 section 3.1)."""
