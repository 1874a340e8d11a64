# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an answered event does to the dialogue: a function for each kind of event that waits for one.

Every answer is exactly one reply. A refused sender or recipient leaves the transaction as it was (RFC 5321 section 4.1.4), a
refused DATA or message ends it.
"""

from razdar.model.verdict import Refusal, Verdict
from razdar.wire.smtp import replies
from razdar.wire.smtp.content import ContentReader
from razdar.wire.smtp.dialogue import Dialogue
from razdar.wire.smtp.events import ContentOffered, Event, LoginOffered, MessageReceived, RecipientOffered, SenderOffered
from razdar.wire.smtp.states import State


def settle(dialogue: Dialogue, event: Event, verdict: Verdict) -> None:
    """The event is answered; a refusal with code 421 also closes (RFC 5321 section 3.8)."""
    if not isinstance(verdict, Refusal):
        return _accept(dialogue, event)
    if verdict.code == 421:
        return dialogue.close(verdict)
    if isinstance(event, LoginOffered):
        return dialogue.refuse_login(verdict)
    if isinstance(event, (ContentOffered, MessageReceived)):
        dialogue.reset()
    dialogue.idle_commands += 1  # trying names is not what a message needs
    return dialogue.say(verdict)


def _accept(dialogue: Dialogue, event: Event) -> None:
    if isinstance(event, LoginOffered):
        _log_in(dialogue, event)
    elif isinstance(event, SenderOffered):
        _begin(dialogue, event)
    elif isinstance(event, RecipientOffered):
        _add(dialogue, event)
    elif isinstance(event, ContentOffered):
        _open(dialogue)
    else:
        dialogue.reset()
        dialogue.idle_commands = 0
        dialogue.say(replies.MESSAGE_ACCEPTED)


def _log_in(dialogue: Dialogue, event: LoginOffered) -> None:
    dialogue.login = event.user
    dialogue.state = dialogue.home
    dialogue.say(replies.LOGGED_IN)


def _begin(dialogue: Dialogue, event: SenderOffered) -> None:
    dialogue.sender = event.address
    dialogue.state = State.SENDER
    dialogue.say(replies.SENDER_OK)


def _add(dialogue: Dialogue, event: RecipientOffered) -> None:
    dialogue.recipients.append(event.address)
    dialogue.state = State.RECIPIENTS
    dialogue.say(replies.RECIPIENT_OK)


def _open(dialogue: Dialogue) -> None:
    dialogue.content = ContentReader(dialogue.limits.message_bytes, dialogue.limits.discard_bytes)
    dialogue.state = State.CONTENT
    dialogue.say(replies.SEND_CONTENT)
