# SPDX-License-Identifier: AGPL-3.0-or-later
"""One message as it waits for other relays: a line that says from whom and to whom, then the message, signed and ready to go.

One body serves all relays that the message goes to; each finds its own recipients in it. The line is JSON, so that a later version can add
to it. It names the sender's account and a part of its public key, because a report must reach whoever sent the message and nobody who took
the name afterwards.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from razdar.model.address import Address, parse_address
from razdar.model.ids import AccountId

VERSION = 1
KEY_BYTES = 8
"""So much of the sender's public key tells one account from the next of the same name."""


class QueuedBroken(Exception):  # noqa: N818 - a state of the record, named like one
    """Not written by a version that we know."""


@dataclass(frozen=True, slots=True)
class Author:
    """Whom to tell what becomes of it."""

    address: Address
    account: AccountId
    key: bytes
    """The first `KEY_BYTES` of the public key."""


@dataclass(frozen=True, slots=True)
class Queued:
    """`author` None: a delivery report, which is sent with the null sender and never reported about."""

    author: Author | None
    recipients: Mapping[str, tuple[Address, ...]]
    """By domain."""
    message: bytes

    def to(self, domain: str) -> tuple[Address, ...]:
        """Whoever of this domain is to get it."""
        return self.recipients.get(domain, ())


def by_domain(addresses: Sequence[Address]) -> dict[str, tuple[Address, ...]]:
    """Each domain's, in the order given."""
    groups: dict[str, list[Address]] = {}
    for address in addresses:
        groups.setdefault(address.domain, []).append(address)
    return {domain: tuple(group) for domain, group in groups.items()}


def wrap(queued: Queued) -> bytes:
    """What the body holds."""
    head = {"v": VERSION, "to": {domain: [each.local for each in group] for domain, group in queued.recipients.items()}}
    if queued.author is not None:
        head |= {"from": str(queued.author.address), "account": queued.author.account.hex(), "key": queued.author.key.hex()}
    return json.dumps(head, separators=(",", ":")).encode("ascii") + b"\n" + queued.message


def unwrap(content: bytes) -> Queued:
    """What was wrapped; raises `QueuedBroken`."""
    end = content.find(b"\n")
    try:
        head = json.loads(content[: max(end, 0)])
        if head["v"] != VERSION:
            raise QueuedBroken
        recipients = {str(domain): tuple(_address(f"{local}@{domain}") for local in group) for domain, group in head["to"].items()}
        author = _author(head) if "from" in head else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):  # whoever holds the disk can seal anything
        raise QueuedBroken from None
    return Queued(author, recipients, content[end + 1 :])


def _author(head: Mapping[str, str]) -> Author:
    return Author(_address(head["from"]), AccountId(bytes.fromhex(head["account"])), bytes.fromhex(head["key"]))


def _address(text: str) -> Address:
    address = parse_address(text)
    if address is None:
        raise QueuedBroken
    return address
