# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who is at the console: one-time links, short sessions and their form tokens, all in RAM, so that a restart ends them.

A link is random, lives ten minutes and is used up by the button on its page, not by opening it: what a terminal or messenger previews is
harmless. Only digests are kept, so what lies in memory opens nothing. Wrong tries are counted for all together; the right link is never
refused for them, because with 128 bits guessing is no danger and shutting the operator out would be one.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from razdar.policy.rate import RateBook
from razdar.ports.clock import Entropy

LINK_S = 600.0
IDLE_S, LIFE_S = 900.0, 7200.0
LINKS_MAX, SESSIONS_MAX = 8, 16
TRIES_PER_MINUTE = 10
_TOKEN_BYTES = 24


@dataclass(slots=True)
class Session:
    """One browser that was let in."""

    form_token: str
    began_s: float
    used_s: float
    challenge: object = None
    """What a passkey that is being added has to sign (web/console/passkeys.py)."""

    def fits(self, form_token: str) -> bool:
        """Whether a form was made for this session."""
        return hmac.compare_digest(self.form_token.encode(), form_token.encode())


class Sessions:
    """Links that were given out and sessions that are open."""

    def __init__(self, entropy: Entropy, monotonic: Callable[[], float]) -> None:
        self._entropy = entropy
        self._monotonic = monotonic
        self._links: dict[bytes, float] = {}
        self._sessions: dict[bytes, Session] = {}
        self._tries = RateBook(TRIES_PER_MINUTE, TRIES_PER_MINUTE)

    def make_link(self) -> str:
        """A token that lets one browser in, once, within ten minutes. Of too many the oldest is worth nothing any more."""
        token = self._token()
        self._links[_digest(token)] = self._monotonic() + LINK_S
        while len(self._links) > LINKS_MAX:
            del self._links[next(iter(self._links))]
        return token

    def is_link(self, token: str) -> bool:
        """Whether it would let somebody in now. Uses nothing up."""
        return self._links.get(_digest(token), 0.0) > self._monotonic()

    def may_try(self) -> bool:
        """Whether one more wrong try is answered at all."""
        return self._tries.has(b"", self._monotonic())

    def note_failure(self) -> None:
        """Somebody came with a wrong link or passkey."""
        self._tries.take(b"", self._monotonic())

    def enter(self, token: str) -> str | None:
        """The cookie of a new session; the link is used up. None: it was none, or its time is over."""
        until = self._links.pop(_digest(token), 0.0)
        return self.open() if until > self._monotonic() else None

    def open(self) -> str:
        """The cookie of a new session, for somebody who has shown who they are."""
        cookie, now_s = self._token(), self._monotonic()
        self._sessions[_digest(cookie)] = Session(self._token(), now_s, now_s)
        while len(self._sessions) > SESSIONS_MAX:
            del self._sessions[next(iter(self._sessions))]
        return cookie

    def find(self, cookie: str) -> Session | None:
        """The session, which this keeps alive, or None."""
        key, now_s = _digest(cookie), self._monotonic()
        session = self._sessions.get(key)
        if session is None:
            return None
        if now_s - session.used_s > IDLE_S or now_s - session.began_s > LIFE_S:
            del self._sessions[key]
            return None
        session.used_s = now_s
        return session

    def close(self, cookie: str) -> None:
        """The session is over."""
        self._sessions.pop(_digest(cookie), None)

    def _token(self) -> str:
        return self._entropy(_TOKEN_BYTES).hex()


def _digest(token: str) -> bytes:
    return hashlib.blake2b(token.encode("utf-8", "surrogateescape"), digest_size=16, person=b"razdar console").digest()
