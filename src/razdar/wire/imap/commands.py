# SPDX-License-Identifier: AGPL-3.0-or-later
"""The commands of IMAP4rev1 and of the extensions we know, as values.

They come out of `ImapSession.next_event`, already parsed and already allowed in the session's state. Mailbox names are decoded from
modified UTF-7 and INBOX is in capitals. Nothing here knows who is logged in or what is stored.
"""

from dataclasses import dataclass, field
from enum import Enum

from .fetch_items import FetchItem
from .search_keys import SearchKey
from .sequence import SequenceSet


@dataclass(frozen=True, slots=True)
class Command:
    """What every command has: the tag that its answer repeats."""

    tag: str


# any state (RFC 3501 section 6.1)


@dataclass(frozen=True, slots=True)
class Capability(Command):
    """CAPABILITY. Answered by the session."""


@dataclass(frozen=True, slots=True)
class Noop(Command):
    """NOOP."""


@dataclass(frozen=True, slots=True)
class Logout(Command):
    """LOGOUT. Answered by the session."""


@dataclass(frozen=True, slots=True)
class Id(Command):
    """ID (RFC 2971). Answered by the session, which keeps nothing of it."""

    parameters: tuple[tuple[str, str | None], ...] = ()


# not authenticated (section 6.2)


@dataclass(frozen=True, slots=True)
class StartTls(Command):
    """STARTTLS. The `OK` is already queued: send it, shake hands, call `tls_started`."""


@dataclass(frozen=True, slots=True)
class Login(Command):
    """LOGIN or AUTHENTICATE PLAIN; never seen before TLS."""

    user: str
    password: str = field(repr=False)


# authenticated (section 6.3)


@dataclass(frozen=True, slots=True)
class Namespace(Command):
    """NAMESPACE (RFC 2342). Answered by the session."""


@dataclass(frozen=True, slots=True)
class Enable(Command):
    """ENABLE (RFC 5161). Answered by the session: there is nothing to enable."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Select(Command):
    """SELECT, or EXAMINE if read only."""

    mailbox: str
    is_read_only: bool = False


@dataclass(frozen=True, slots=True)
class Create(Command):
    """CREATE."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class Delete(Command):
    """DELETE."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class Rename(Command):
    """RENAME."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Subscribe(Command):
    """SUBSCRIBE."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class Unsubscribe(Command):
    """UNSUBSCRIBE."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class List(Command):
    """LIST or LSUB. `selection`, `returns` and `status_items` (RFC 5258, 5819) are in capitals and empty for a plain LIST."""

    reference: str
    patterns: tuple[str, ...]
    is_lsub: bool = False
    selection: frozenset[str] = frozenset()
    returns: frozenset[str] = frozenset()
    status_items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Status(Command):
    """STATUS. `items` in capitals, all of them of RFC 3501 or SIZE (RFC 8438)."""

    mailbox: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Append(Command):
    """APPEND. `internal_date` in unix seconds."""

    mailbox: str
    flags: tuple[str, ...]
    internal_date: int | None
    message: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Idle(Command):
    """IDLE (RFC 2177). Answer with `idle_started`, or with `no`."""


@dataclass(frozen=True, slots=True)
class Compress(Command):
    """COMPRESS (RFC 4978), only if announced. After the tagged OK both directions are compressed."""

    mechanism: str


@dataclass(frozen=True, slots=True)
class GetQuota(Command):
    """GETQUOTA (RFC 9208)."""

    root: str


@dataclass(frozen=True, slots=True)
class GetQuotaRoot(Command):
    """GETQUOTAROOT."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class SetQuota(Command):
    """SETQUOTA. Nobody may, so what was asked for is not kept."""

    root: str


@dataclass(frozen=True, slots=True)
class GetMetadata(Command):
    """GETMETADATA (RFC 5464). An empty `mailbox` means the server. `depth` is "0", "1" or "infinity"; entry names in lower case."""

    mailbox: str
    entries: tuple[str, ...]
    depth: str = "0"
    max_size: int | None = None


@dataclass(frozen=True, slots=True)
class SetMetadata(Command):
    """SETMETADATA. None removes the entry."""

    mailbox: str
    values: tuple[tuple[str, bytes | None], ...] = field(repr=False)


# selected (section 6.4)


@dataclass(frozen=True, slots=True)
class Check(Command):
    """CHECK."""


@dataclass(frozen=True, slots=True)
class Close(Command):
    r"""CLOSE: expunges \Deleted silently unless the mailbox is read only."""


@dataclass(frozen=True, slots=True)
class Unselect(Command):
    """UNSELECT (RFC 3691): CLOSE without expunging."""


@dataclass(frozen=True, slots=True)
class Expunge(Command):
    """EXPUNGE, or UID EXPUNGE (RFC 4315) if `uids` are given."""

    uids: SequenceSet | None = None


@dataclass(frozen=True, slots=True)
class Search(Command):
    """SEARCH. `charset` is None, "US-ASCII" or "UTF-8"; others have been refused. `returns` as in RETURN (RFC 4731)."""

    charset: str | None
    key: SearchKey
    by_uid: bool = False
    returns: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Fetch(Command):
    """FETCH. Items are distinct; with `by_uid` UID is among them, as the answer must name it."""

    ids: SequenceSet
    items: tuple[FetchItem, ...]
    by_uid: bool = False


class StoreAction(Enum):
    """What happens to the flags named."""

    ADD = "+FLAGS"
    REMOVE = "-FLAGS"
    REPLACE = "FLAGS"


@dataclass(frozen=True, slots=True)
class Store(Command):
    """STORE. Silent means that no FETCH answer is wanted."""

    ids: SequenceSet
    action: StoreAction
    is_silent: bool
    flags: tuple[str, ...]
    by_uid: bool = False


@dataclass(frozen=True, slots=True)
class Copy(Command):
    """COPY."""

    ids: SequenceSet
    mailbox: str
    by_uid: bool = False


@dataclass(frozen=True, slots=True)
class Move(Command):
    """MOVE (RFC 6851)."""

    ids: SequenceSet
    mailbox: str
    by_uid: bool = False


@dataclass(frozen=True, slots=True)
class IdleEnded:
    """Not a command: the DONE that ends an IDLE. Answer with `ok`."""
