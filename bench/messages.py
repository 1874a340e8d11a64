# SPDX-License-Identifier: AGPL-3.0-or-later
"""Messages as a Delta Chat app submits them (tests/mail/make.py), each with a number in its Message-ID by which the receiver knows it."""

import re
from collections.abc import Sequence

from tests.mail.make import encrypted_message

SIZE_BYTES = 3000
_ID = re.compile(rb"(Message-ID: <).{16}")


class Template:
    """One sender's message to some recipients; its bytes are random once, its number is new each time."""

    def __init__(self, sender: str, recipients: Sequence[str], size_bytes: int = SIZE_BYTES) -> None:
        # Readers are hidden, and a large group would make a large message: the size is what counts here.
        message = encrypted_message(sender, recipients[:1], size_bytes)
        found = _ID.search(message)
        assert found, "every message has a Message-ID"
        self._before, self._after = message[: found.end(1)], message[found.end() :]

    def numbered(self, number: int) -> bytes:
        """The message with that number (below 10^16)."""
        return b"%b%016d%b" % (self._before, number, self._after)
