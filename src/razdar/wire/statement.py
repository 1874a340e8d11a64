# SPDX-License-Identifier: AGPL-3.0-or-later
"""The signed sentence that says how many accounts a relay blocks: four lines of text, made and read here.

It is signed as it stands, line ends included, with the relay's Ed25519 key (RFC 8032). The first line keeps the signature from being taken
for one of another kind. The day is the relay's own; its clock may be wrong.
"""

import re
from dataclasses import dataclass

_LINES = re.compile(r"razdar statement 1\nrelay ([\x21-\x7e]{1,255})\nblocks (0|[1-9][0-9]{0,8})\nday ([0-9]{4}-[0-9]{2}-[0-9]{2})\n")


@dataclass(frozen=True, slots=True)
class Statement:
    """What a relay says of itself."""

    relay: str
    """What its addresses end in."""
    blocks: int
    day: str
    """YYYY-MM-DD, Gregorian, UTC."""

    def text(self) -> str:
        """What is signed."""
        return f"razdar statement 1\nrelay {self.relay}\nblocks {self.blocks}\nday {self.day}\n"


def parse_statement(text: str) -> Statement | None:
    """The statement, or None if the text is none."""
    found = _LINES.fullmatch(text)
    return None if found is None else Statement(found[1], int(found[2]), found[3])


@dataclass(frozen=True, slots=True)
class Signed:
    """A statement and what proves it."""

    text: str
    signature: bytes
    """Ed25519 over the text as ASCII."""
    key: bytes
    """32 bytes, the relay's public key; its name for life is made from it."""
