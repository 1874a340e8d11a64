# SPDX-License-Identifier: AGPL-3.0-or-later
"""Everything this relay ever says in SMTP, in one table.

Named positive replies for the session, named refusals for the session, the policies and the services. A text tells a person what
happened and an attacker nothing: no configuration, no address, no exception. Codes are those of RFC 5321 section 4.2.3, enhanced
codes those of RFC 3463 and RFC 4954. `tests/unit/test_smtp_replies.py` checks the table itself.

Two facts about the Delta Chat core shape it: a permanent refusal is shown to the person word for word, and `550 5.5.0` is taken for
a temporary failure and tried again, so that pair is never used.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from razdar.model.verdict import Refusal


@dataclass(frozen=True, slots=True)
class Reply:
    """A positive reply. `enhanced` is empty where RFC 2034 section 4 forbids the code: greeting, EHLO, HELO and 3xx."""

    code: int
    enhanced: str
    text: str


# --- positive

GREETING = Reply(220, "", "ESMTP ready")
GO_AHEAD_TLS = Reply(220, "2.0.0", "Ready to start TLS")
BYE = Reply(221, "2.0.0", "Bye")
HELP = Reply(214, "2.0.0", "See RFC 5321")
LOGGED_IN = Reply(235, "2.7.0", "Authentication succeeded")
DONE = Reply(250, "2.0.0", "OK")
SENDER_OK = Reply(250, "2.1.0", "Sender OK")
RECIPIENT_OK = Reply(250, "2.1.5", "Recipient OK")
MESSAGE_ACCEPTED = Reply(250, "2.6.0", "Message accepted")
NOT_VERIFIED = Reply(252, "2.5.2", "Cannot verify anybody, but will try to deliver")
ASK_NOTHING = Reply(334, "", "")
ASK_USER = Reply(334, "", "VXNlcm5hbWU6")  # base64 of "Username:"
ASK_PASSWORD = Reply(334, "", "UGFzc3dvcmQ6")  # base64 of "Password:"
SEND_CONTENT = Reply(354, "", "Send the message, end it with <CRLF>.<CRLF>")

# --- login and encryption of the connection

AUTH_FAILED = Refusal(535, "5.7.8", "Wrong user name or password")
BLOCKED = Refusal(525, "5.7.13", "The operator of this relay has blocked the account")
AUTH_REQUIRED = Refusal(530, "5.7.0", "Log in first")
AUTH_CANCELLED = Refusal(501, "5.7.0", "Authentication cancelled")
AUTH_MALFORMED = Refusal(501, "5.5.2", "Authentication data cannot be decoded")
AUTH_MECHANISM = Refusal(504, "5.5.4", "Authentication mechanism not supported")
AUTH_NEEDS_TLS = Refusal(538, "5.7.11", "Start TLS before authentication")
BUSY = Refusal(454, "4.7.0", "Too many logins at this moment, try again soon")
TLS_REQUIRED = Refusal(530, "5.7.0", "Start TLS first")
TLS_ACTIVE = Refusal(503, "5.5.1", "TLS is active already")

# --- rates, sizes, space

RATE_EXCEEDED = Refusal(450, "4.7.1", "Too many messages in a short time, try again soon")
TOO_MANY_UNKNOWN = Refusal(450, "4.7.1", "Too many unknown recipients in a short time, try again soon")
TOO_MANY_UNPROVEN = Refusal(450, "4.7.1", "Too many messages that proved nothing came from there, try again later")
TOO_BIG = Refusal(552, "5.3.4", "The message is too big")
TOO_MANY_RECIPIENTS = Refusal(452, "4.5.3", "Too many recipients, send the rest in another message")
MAILBOX_BLOCKED = Refusal(550, "5.2.1", "The mailbox is blocked")
MAILBOX_FULL = Refusal(552, "5.2.2", "The mailbox is full")
MAILBOX_FULL_NOW = Refusal(452, "4.2.2", "The mailbox is full, try again later")
OVERLOADED = Refusal(452, "4.3.1", "Too many large messages at this moment, try again soon")
OVERLOADED_CLOSING = Refusal(421, "4.3.1", "Too many large messages at this moment, closing the connection")
STORE_FULL = Refusal(452, "4.3.1", "Out of disk space, try again later")
STORE_UNAVAILABLE = Refusal(451, "4.3.0", "The message could not be stored, try again later")

# --- who may send what to whom

NO_SUCH_USER = Refusal(550, "5.1.1", "There is no such user")
NO_RECIPIENT = Refusal(550, "5.1.1", "None of the recipients can receive messages")
NOT_REACHABLE = Refusal(550, "5.4.4", "That domain cannot be reached from here")
NO_SUCH_DOMAIN = Refusal(550, "5.1.2", "There is no relay of that name")
DOMAIN_TAKES_NO_MAIL = Refusal(556, "5.1.10", "That domain takes no mail")
DOMAIN_IS_OURS = Refusal(550, "5.4.6", "That domain leads back to this relay")
NOT_IN_TIME = Refusal(550, "5.4.7", "The other relay could not be reached for too long")
STILL_TRYING = Refusal(451, "4.4.7", "The other relay cannot be reached now, this relay keeps trying")
QUEUE_FULL = Refusal(452, "4.3.1", "Too much mail waits for other relays, try again later")
NOT_LOCAL = Refusal(550, "5.7.1", "Relaying denied")
NOT_YOUR_ADDRESS = Refusal(553, "5.7.1", "The sender must be the address that is logged in")
# The words that chatmail relays use; the Delta Chat core of today does not look for them.
INVALID_FROM = Refusal(500, "5.7.1", "Invalid FROM")
# The core looks for "invalid unencrypted mail" (any case) and then explains to the person what happened.
UNENCRYPTED = Refusal(523, "5.7.1", "Encryption Needed: Invalid Unencrypted Mail")
NO_DKIM = Refusal(554, "5.7.1", "No valid DKIM signature found")
DKIM_LATER = Refusal(451, "4.7.5", "The DKIM key cannot be looked up now, try again later")
NOT_CONFIRMED = Refusal(554, "5.7.1", "This does not come from the address in From, and nothing there confirms it")
CONFIRM_LATER = Refusal(451, "4.7.1", "The address in From cannot be asked now whether this is from there, try again later")
OWN_DOMAIN = Refusal(550, "5.7.1", "Mail from this domain is not taken from elsewhere")
LOOP = Refusal(554, "5.4.6", "Too many relays on the way, this is a loop")
MALFORMED_MESSAGE = Refusal(554, "5.6.0", "The message is not well formed")

# --- protocol

UNKNOWN_COMMAND = Refusal(500, "5.5.1", "Command not recognized")
NOT_IMPLEMENTED = Refusal(502, "5.5.1", "Command not implemented")
NOT_SMTP = Refusal(500, "5.5.1", "This is SMTP, closing the connection")
LINE_TOO_LONG = Refusal(500, "5.5.2", "Line too long")
BARE_NEWLINE = Refusal(554, "5.5.2", "Lines must end with CRLF, without NUL or single CR or LF")
CHUNKING_UNSUPPORTED = Refusal(502, "5.5.1", "Chunking is not supported, closing the connection")
NO_ARGUMENT = Refusal(501, "5.5.4", "This command takes no argument")
BAD_HELLO = Refusal(501, "5.5.4", "A host name is missing or malformed")
BAD_MAIL_SYNTAX = Refusal(501, "5.5.4", "The syntax is MAIL FROM:<address>")
BAD_RCPT_SYNTAX = Refusal(501, "5.5.4", "The syntax is RCPT TO:<address>")
BAD_AUTH_SYNTAX = Refusal(501, "5.5.4", "The syntax is AUTH mechanism")
BAD_PARAMETER = Refusal(501, "5.5.4", "A parameter has a malformed value")
UNKNOWN_PARAMETER = Refusal(555, "5.5.4", "A parameter is not supported")
BAD_SENDER_ADDRESS = Refusal(553, "5.1.7", "The sender address is malformed")
BAD_RECIPIENT_ADDRESS = Refusal(553, "5.1.3", "The recipient address is malformed")
HELLO_FIRST = Refusal(503, "5.5.1", "Say EHLO first")
MAIL_FIRST = Refusal(503, "5.5.1", "Say MAIL first")
BAD_SEQUENCE = Refusal(503, "5.5.1", "This command is not possible now")
NO_VALID_RECIPIENT = Refusal(554, "5.5.1", "No recipient was accepted")

# --- our own

INTERNAL_ERROR = Refusal(451, "4.3.0", "Something went wrong here, try again later")
TOO_MANY_ERRORS = Refusal(421, "4.7.0", "Too many errors, closing the connection")
TOO_MANY_COMMANDS = Refusal(421, "4.7.0", "Too many commands without a message, closing the connection")
TOO_MANY_CONNECTIONS = Refusal(421, "4.7.0", "Too many connections of other relays, try again soon")
TOO_MANY_LOGINS = Refusal(421, "4.7.0", "Too many failed logins, closing the connection")
TIMED_OUT = Refusal(421, "4.4.2", "Nothing heard for too long, closing the connection")
FULL_FOR_NOW = Refusal(421, "4.3.1", "Out of disk space for now, try again later")
SHUTTING_DOWN = Refusal(421, "4.3.2", "The relay is shutting down, try again soon")


def render(reply: Reply | Refusal) -> bytes:
    """The reply line, CRLF included."""
    enhanced = f"{reply.enhanced} " if reply.enhanced else ""
    return f"{reply.code} {enhanced}{reply.text}\r\n".encode("ascii")


def render_lines(code: int, lines: Sequence[str]) -> bytes:
    """One reply of several lines without enhanced codes, as EHLO is answered (RFC 5321 section 4.2.1)."""
    last = len(lines) - 1
    return "".join(f"{code}{' ' if i == last else '-'}{line}\r\n" for i, line in enumerate(lines)).encode("ascii")
