# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a policy answers. A refusal is a value that is returned, never an exception thrown through the stack."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Accept:
    """Nothing speaks against it."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """No, and why, in words for the person (`text`) and codes for the program.

    `code` is the SMTP reply code (4xx: try again later, 5xx: do not), `enhanced` the RFC 3463 code. `text` is public: ASCII, one line, it
    never names configuration, other people's addresses or an exception.
    """

    code: int
    enhanced: str
    text: str

    @property
    def is_temporary(self) -> bool:
        return 400 <= self.code < 500


Verdict = Accept | Refusal
ACCEPT = Accept()
