# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the pages need to know of the relay and may ask of it. app/doors.py fills it in; tests fill in a small relay of their own.

Values that a reload can change are functions. The pages learn nothing else: no store, no vault, no connection.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from razdar.model.address import Address
from razdar.model.app_file import AppFile
from razdar.model.verdict import Refusal
from razdar.settings import Settings
from razdar.wire.links import Server

Credentials = tuple[Address, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One relay as its pages see it."""

    settings: Callable[[], Settings]
    domain: str
    """What addresses end in; an IP literal keeps its brackets."""
    ports: Mapping[str, int]
    """Ports as the outside reaches them: smtp http imap https submissions submission imaps."""
    is_self_signed: Callable[[], bool]
    """Whether browsers will warn."""
    fingerprint: Callable[[], str]
    """SHA-256 of the certificate, as browsers show it."""
    server_for: Callable[[str], Server]
    """What a login link carries for somebody who reached us at this address of ours (the socket's own, never the Host header)."""
    new_credentials: Callable[[], Awaitable[Credentials | Refusal]]
    """A fresh name and password; the account is made by the first login. A refusal where registration is not open."""
    fresh_ticket: Callable[[], str]
    """For a form: whoever sends it twice gets the same account (services/signups.py)."""
    credentials_for: Callable[[str], Awaitable[Credentials | Refusal]]
    """As `new_credentials`, the same for the same ticket; `services.invites.STALE` for one that is too old."""
    may_join: Callable[[], bool]
    """Whether somebody could join now without an invitation: registration is open and no flood has shut it."""
    invite_uses: Callable[[str], Awaitable[int]]
    """How many accounts the token can still make; 0 for an unknown one."""
    claim_invite: Callable[[str, str], Awaitable[Credentials | Refusal]]
    """Makes the account at once, for a token and a ticket or "". May raise CrewBusy or StoreUnavailable; then nothing happened."""
    new_password: Callable[[Address, str, bytes], Awaitable[str | Refusal]]
    """Address, password, the opaque network: the new password, or why not (services/leaving.py). Raises as `claim_invite`."""
    leave: Callable[[Address, str, bytes], Awaitable[bool]]
    """The same: the account is gone, or address or password is wrong. Raises as `claim_invite`."""
    apps: Callable[[], Sequence[AppFile]]
    """What the relay hands out itself."""
    app_path: Callable[[str], Path | None]
    """Where a listed app lies; None if it is not there."""
    report: Callable[[BaseException], str]
    """Journals a bug without its text and returns the reference number."""
    now: Callable[[], int]
    """Unix seconds."""
