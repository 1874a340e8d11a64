# SPDX-License-Identifier: AGPL-3.0-or-later
"""How long each step to another relay may take: enough for 600 ms there and back with 30 % of the packets lost, and not for ever."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds."""

    connect: float = 20.0
    """TCP: the kernel tries five times in it, and the other side repeats its half as often."""
    hello: float = 90.0
    """TCP, TLS and the first words of one attempt together: eight turns of 600 ms, some of them lost three times in a row."""
    open: float = 150.0
    """All attempts for all hosts of a domain. Whoever waits for it waits alone."""
    reply: float = 120.0
    """RFC 5321 section 4.5.3.2 asks for up to five minutes, of servers of its time; the connection's death is noticed earlier."""
    verdict: float = 600.0
    """For a whole message (RFC 5321 section 4.5.3.2.6): giving up early means sending it twice."""
    write: float = 120.0
    """For each 32 KiB."""
    close: float = 3.0
    next_address: float = 2.0
    """Head start of an address before the next: one lost SYN and a slow line. RFC 8305 says 250 ms, for lines that are not bad."""
    next_way: float = 6.0
    """Head start of `/mxdeliv` before SMTP."""
    second_choice: float = 20.0
    """Head start of SMTP where `/mxdeliv` did not work lately."""
