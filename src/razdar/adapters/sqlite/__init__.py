# SPDX-License-Identifier: AGPL-3.0-or-later
"""The store on disk: SQLite inside of this process, one writer thread, one fsync for whatever is waiting.

`store.py` maps the port to jobs; `writer.py` runs them in group commits; `upkeep.py` keeps the files small; `accounts.py`,
`mailboxes.py`, `deliveries.py`, `removals.py`, `expiry.py`, `small.py` hold the SQL that changes something and `reads.py` the rest;
`schema.py` the tables. The data folder has its own three: `lock.py`, `reserve.py`, `lineage.py`. The layout is described in
docs/storage.md.
"""

from .lock import StoreInUse
from .schema import StoreTooNew
from .store import SqliteStore, open_store

__all__ = ["SqliteStore", "StoreInUse", "StoreTooNew", "open_store"]
