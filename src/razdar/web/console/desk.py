# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the console may ask of the relay and do to it. app/desk.py fills it in; tests fill in a small one.

There is nothing in here that lists accounts, names an address, tells anybody's IP or who wrote to whom: no such views exist in the code.
The places of other relays are those that the operator typed.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from razdar.model.app_file import AppFile
from razdar.ports.peer_list import PeerList
from razdar.services.action_log import ActionLog
from razdar.services.blocks import Blocks
from razdar.services.invites import Invites
from razdar.services.statistics import Statistics
from razdar.web.console.passkeys import Passkeys
from razdar.web.console.sessions import Sessions
from razdar.wire.statement import Signed


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One relay as its operator sees it."""

    statistics: Statistics
    blocks: Blocks
    invites: Invites
    sessions: Sessions
    passkeys: Passkeys
    log: ActionLog
    statement: Callable[[], Signed]
    """How many accounts are blocked today, signed."""
    page: Callable[[], str]
    """Address of the welcome page, with its last slash."""
    changeable: Callable[[], Mapping[str, bool]]
    """Settings that a reload can change, by name, and whether the console may: it may not where the command line has set it."""
    own_value: Callable[[str], str | None]
    """What the console set, as it is typed; None: nothing."""
    change: Callable[[str, str | None], Awaitable[None]]
    """The setting has this value, or with None the one it has without the console. Raises Trouble or OSError, and nothing has changed."""
    certificate_expires: Callable[[], int]
    """Unix seconds."""
    reload: Callable[[], None]
    """Configuration and certificate are read again. Raises Trouble; then the old ones stay."""
    backup: Callable[[str], Awaitable[bytes]]
    """The file that `./razdar backup --encrypt` would write, under this passphrase. Raises Trouble or OSError."""
    domain: str
    """This relay's own name."""
    peers: PeerList
    """Other relays that were written down by hand."""
    read_names: Callable[[], None]
    """The list of other relays has changed and is in force. Raises Trouble; then the old one stays."""
    apps: Callable[[], Sequence[AppFile]]
    remove_app: Callable[[str], Awaitable[None]]
    """The app of this name is neither on the page nor on the disk. Raises Trouble or OSError."""
    count: Callable[[str], None]
    """Counts an event in the journal."""
