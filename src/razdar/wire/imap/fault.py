# SPDX-License-Identifier: AGPL-3.0-or-later
"""A command that is well-formed but that nobody will carry out."""

from razdar.wire.errors import PeerError


class Declined(PeerError):  # noqa: N818 - read as "the command was declined"
    """Answered NO, with a response code, instead of BAD."""

    def __init__(self, text: str, code: str) -> None:
        super().__init__(text)
        self.code = code
