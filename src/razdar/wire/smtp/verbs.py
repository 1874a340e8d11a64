# SPDX-License-Identifier: AGPL-3.0-or-later
"""One small function for each SMTP command, run where the table (states.py) allows it.

A verb parses its argument and then replies, blames the client, or offers an event and leaves the rest to the answer (answers.py).
"""

from collections.abc import Callable, Mapping

from razdar.model.verdict import Refusal
from razdar.wire.smtp import replies, sasl, syntax
from razdar.wire.smtp.dialogue import Dialogue, Role
from razdar.wire.smtp.events import Closed, ContentOffered, LoginOffered, RecipientOffered, SenderOffered, TlsRequested
from razdar.wire.smtp.states import ENDS_CONNECTION, TABLE, State, Verb

Action = Callable[[Dialogue, str], None]

SMALL_TALK = frozenset({Verb.EHLO, Verb.HELO, Verb.RSET, Verb.NOOP, Verb.HELP, Verb.VRFY})
"""Counted since the last message. A client that keeps a connection warm sends one of them for each message."""


def obey(dialogue: Dialogue, line: bytes) -> None:
    """The command line is dealt with according to the table."""
    verb, argument = syntax.split_command(line)
    if not dialogue.count_command(is_idle=verb in SMALL_TALK):
        return
    verdict = replies.UNKNOWN_COMMAND if verb is None else TABLE[dialogue.state][verb]
    if not isinstance(verdict, Refusal):
        assert verb is not None
        ACTIONS[verb](dialogue, argument)
    elif verdict in ENDS_CONNECTION:
        dialogue.close(verdict)
    else:
        dialogue.blame(verdict)


def without_argument(action: Callable[[Dialogue], None]) -> Action:
    """Refuses an argument where RFC 5321 has none."""

    def checked(dialogue: Dialogue, argument: str) -> None:
        if argument:
            dialogue.blame(replies.NO_ARGUMENT)
        else:
            action(dialogue)

    return checked


def ehlo(dialogue: Dialogue, argument: str) -> None:
    """RFC 5321 section 4.1.1.1: also the end of any transaction."""
    if not syntax.is_host(argument):
        return dialogue.blame(replies.BAD_HELLO)
    dialogue.reset()
    dialogue.output += replies.render_lines(250, [dialogue.hostname, *extensions(dialogue)])
    return None


def extensions(dialogue: Dialogue) -> list[str]:
    """What EHLO announces. AUTH only where a password may be sent (RFC 4954 section 4)."""
    limits = dialogue.limits
    announced = ["PIPELINING", f"SIZE {limits.message_bytes}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"]
    announced.append(f"LIMITS RCPTMAX={limits.recipients}")
    if not dialogue.is_tls:
        announced.append("STARTTLS")
    elif dialogue.state is State.LOCKED:
        announced.append("AUTH PLAIN LOGIN")
    return announced


def helo(dialogue: Dialogue, argument: str) -> None:
    """As EHLO, without extensions."""
    if not syntax.is_host(argument):
        return dialogue.blame(replies.BAD_HELLO)
    dialogue.reset()
    dialogue.output += replies.render_lines(250, [dialogue.hostname])
    return None


def starttls(dialogue: Dialogue) -> None:
    """RFC 3207: what the client sent behind the line is dropped with the HANDSHAKE state (session.py)."""
    dialogue.say(replies.GO_AHEAD_TLS)
    dialogue.state = State.HANDSHAKE
    dialogue.offer(TlsRequested())


def auth(dialogue: Dialogue, argument: str) -> None:
    """RFC 4954 section 4, with or without an initial response."""
    name, _, initial = argument.partition(" ")
    mechanism = sasl.start(name)
    if mechanism is None:
        return dialogue.blame(replies.AUTH_MECHANISM if name else replies.BAD_AUTH_SYNTAX)
    dialogue.mechanism = mechanism
    if initial:
        return respond(dialogue, "" if initial == "=" else initial)
    dialogue.state = State.SASL
    return dialogue.say(mechanism.challenge)


def respond(dialogue: Dialogue, text: str) -> None:
    """The client's line within an authentication; `*` cancels it."""
    mechanism = dialogue.mechanism
    assert mechanism is not None
    response = sasl.decode(text)
    outcome = replies.AUTH_MALFORMED if response is None else mechanism.respond(response)
    if text == "*":
        outcome = replies.AUTH_CANCELLED
    if isinstance(outcome, replies.Reply):
        dialogue.state = State.SASL
        return dialogue.say(outcome)
    dialogue.mechanism, dialogue.state = None, dialogue.home
    if isinstance(outcome, LoginOffered):
        return dialogue.offer(outcome)
    return dialogue.refuse_login(outcome) if outcome is replies.AUTH_FAILED else dialogue.blame(outcome)


def mail(dialogue: Dialogue, argument: str) -> None:
    """RFC 5321 section 4.1.1.2. A size announced above the limit is refused before anything is sent (RFC 1870 section 6.1)."""
    said = syntax.parse_mail(argument)
    if isinstance(said, Refusal):
        dialogue.blame(said)
    elif said.size_bytes is not None and said.size_bytes > dialogue.limits.message_bytes:
        dialogue.blame(replies.TOO_BIG)
    else:
        dialogue.offer(SenderOffered(said.sender, said.size_bytes))


def rcpt(dialogue: Dialogue, argument: str) -> None:
    """RFC 5321 section 4.1.1.3; too many are refused one by one, the others stay (section 4.5.3.1.10)."""
    recipient = syntax.parse_rcpt(argument, dialogue.hostname, keeps_unfit=dialogue.role is Role.SUBMISSION)
    if isinstance(recipient, Refusal):
        dialogue.blame(recipient)
    elif len(dialogue.recipients) >= dialogue.limits.recipients:
        dialogue.blame(replies.TOO_MANY_RECIPIENTS)
    else:
        dialogue.offer(RecipientOffered(recipient))


def data(dialogue: Dialogue) -> None:
    """RFC 5321 section 4.1.1.4."""
    dialogue.offer(ContentOffered(dialogue.envelope))


def rset(dialogue: Dialogue) -> None:
    """RFC 5321 section 4.1.1.5; before EHLO there is nothing to reset and nothing is gained."""
    if dialogue.state is not State.START:
        dialogue.reset()
    dialogue.say(replies.DONE)


def noop(dialogue: Dialogue, _argument: str) -> None:
    """RFC 5321 section 4.1.1.9."""
    dialogue.say(replies.DONE)


def help_(dialogue: Dialogue, _argument: str) -> None:
    """RFC 5321 section 4.1.1.8."""
    dialogue.say(replies.HELP)


def vrfy(dialogue: Dialogue, _argument: str) -> None:
    """The same for everybody (RFC 5321 section 7.3)."""
    dialogue.say(replies.NOT_VERIFIED)


def quit_(dialogue: Dialogue) -> None:
    """RFC 5321 section 4.1.1.10."""
    dialogue.close(replies.BYE)
    dialogue.offer(Closed())


ACTIONS: Mapping[Verb, Action] = {
    Verb.EHLO: ehlo,
    Verb.HELO: helo,
    Verb.STARTTLS: without_argument(starttls),
    Verb.AUTH: auth,
    Verb.MAIL: mail,
    Verb.RCPT: rcpt,
    Verb.DATA: without_argument(data),
    Verb.RSET: without_argument(rset),
    Verb.NOOP: noop,
    Verb.HELP: help_,
    Verb.VRFY: vrfy,
    Verb.QUIT: without_argument(quit_),
}
"""A function for every verb that the table accepts anywhere."""
