# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the driver tells a load generator: which server, which people, which load. Plain values that travel as JSON between the processes.

Any server that speaks IMAP and submission over TLS at once can stand here; the generator knows no more of it than this.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Self


@dataclass(frozen=True, slots=True)
class Server:
    """Where the clients connect, and which processes count as the server's (with all that descend from them).

    `folder` is where its data lies; the device below it is asked how much was written.
    """

    host: str
    imaps: int
    submissions: int
    processes: Sequence[int]
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Spec:
    """One load. `people` are pairs of address and password; `options` are numbers that the case knows."""

    case: str
    server: Server
    people: Sequence[tuple[str, str]]
    options: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        known = json.loads(text)
        people = [(address, password) for address, password in known["people"]]
        return cls(known["case"], Server(**known["server"]), people, known["options"])
