# SPDX-License-Identifier: AGPL-3.0-or-later
r"""A message on its way out: checked and written anew, never passed on as it lies there.

A single CR or LF in it would let its writer put commands into our dialogue with the next relay (SMTP smuggling out, CVE-2023-51764 and
its family), so such a message is not sent at all. Dots are stuffed (RFC 5321 section 4.5.2) at the beginnings of lines, and after the
check there is only one thing that a line can begin after.
"""


def is_strict(message: bytes) -> bool:
    """Whether every CR and LF is part of a CRLF and there is no NUL."""
    pairs = message.count(b"\r\n")
    return message.count(b"\n") == pairs and message.count(b"\r") == pairs and b"\0" not in message


def stuff(message: bytes) -> bytes:
    """What is sent after 354, end mark included. ValueError if the message is not strict."""
    if not is_strict(message):
        raise ValueError("a message with a bare CR, a bare LF or a NUL")
    body = message.replace(b"\r\n.", b"\r\n..")
    first = b"." if body.startswith(b".") else b""
    last = b"" if not body or body.endswith(b"\r\n") else b"\r\n"
    return b"".join((first, body, last, b".\r\n"))


def has_eight_bit(message: bytes) -> bool:
    """Whether BODY=8BITMIME must be said (RFC 6152)."""
    return not message.isascii()


def has_utf8_header(message: bytes) -> bool:
    """Whether the header needs SMTPUTF8 (RFC 6531 section 3.4)."""
    return not message.partition(b"\r\n\r\n")[0].isascii()
