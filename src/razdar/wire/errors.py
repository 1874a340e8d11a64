# SPDX-License-Identifier: AGPL-3.0-or-later
"""What we say when the other side breaks the protocol.

One family for all protocols of `wire/`: a framer or parser raises it, the session of the same protocol catches it, replies with its
public text and, where the protocol asks for it, closes. It never leaves a session object. A policy's "no" is a `Refusal`
(model/verdict.py), not this.
"""


class PeerError(Exception):
    """The peer broke the protocol.

    `text` is public: printable ASCII, one line, and nothing that the peer sent is repeated in it (it may end up in a log).
    """

    def __init__(self, text: str) -> None:
        if not (text.isascii() and text.isprintable()):
            raise ValueError("the text of a PeerError is printable ASCII on one line")
        super().__init__(text)
        self.text = text
