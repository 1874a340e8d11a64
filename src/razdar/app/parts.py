# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the doors, the chores and the pages are made of: one value that is built once and handed around in here."""

from dataclasses import dataclass

from razdar.adapters.apps import AppShelf
from razdar.app.ground import Ground
from razdar.app.mail import Boxes, Mail
from razdar.app.people import People
from razdar.app.push import Push
from razdar.services.statistics import Statistics


@dataclass(frozen=True, slots=True)
class Parts:
    """What the doors and the chores are made of."""

    ground: Ground
    people: People
    push: Push
    mail: Mail
    boxes: Boxes
    statistics: Statistics
    apps: AppShelf

    def waiting(self) -> dict[str, int]:
        """How many jobs wait, by the queue's name."""
        return {
            "store": self.ground.writes_waiting(),
            "logins": self.ground.doorkeeper.pending,
            "desk": self.ground.desk.pending,
            "push": self.push.pusher.pending,
            "relays": self.mail.queue.outgoing.pending,
        }
