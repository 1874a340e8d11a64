# SPDX-License-Identifier: AGPL-3.0-or-later
"""How much of its totals a relay may keep and show.

Who keeps numbers keeps a diary, so nothing finer than an hour is kept, everything that people do is rounded to tens, and with fewer than
fifty accounts nothing of it is kept at all: in a family a total tells who is awake. What strangers try at the doors is not people's
presence, but a phone with an old password looks the same, so with few accounts it is rounded to hundreds.
"""

PEOPLE_FROM = 50
"""Accounts; with fewer, a total tells who is here."""
STEP, FEW_STEP = 10, 100


def of_people(value: int, accounts: int) -> int | None:
    """What may be kept of a count of what people do; None: nothing."""
    return nearest(value, STEP) if accounts >= PEOPLE_FROM else None


def of_strangers(value: int, accounts: int) -> int:
    """What may be kept of a count of refused knocks at the doors."""
    return nearest(value, STEP if accounts >= PEOPLE_FROM else FEW_STEP)


def nearest(value: int, step: int) -> int:
    """The multiple of `step` nearest to `value`, the higher one of two."""
    return (value + step // 2) // step * step


_REASON_OF_CODE = {
    "proof": "sender",
    "523": "encryption",
    "500": "sender",
    "553": "sender",
    "525": "blocked",
    "554": "form",
    "550": "recipient",
    "552": "size",
    "450": "rate",
    "421": "room",
    "451": "room",
    "452": "room",
}
_ATTACKS = {
    "login.refused": "passwords",
    "connection.refused": "connections",
    "connection.gave_way": "connections",
    "visit.refused": "connections",
    "memory.refused": "memory",
    "transfer.refused": "memory",
    "smuggling.refused": "smuggling",
    "protocol.refused": "protocol",
    "proof.refused": "peers",
    "peer.refused": "connections",
    "peer.flood": "flood",
    "peer.guessing": "names",
    "signup.refused": "signups",
    "console.refused": "console",
}
REASONS = (*dict.fromkeys(_REASON_OF_CODE.values()), "other")
"""Why a message was refused, as far as totals tell."""
ATTACKS = tuple(dict.fromkeys(_ATTACKS.values()))
"""What was tried at the doors."""


def total_of(event: str) -> str | None:
    """Under which total an event of the journal is counted: `accepted`, `delivered`, `refused.REASON`, `attack.KIND`; None: under none."""
    kind, _, rest = event.partition(".")
    if kind in ("message", "incoming") and rest in ("accepted", "delivered"):
        return rest
    if kind in ("message", "incoming") and rest.startswith("refused."):
        return f"refused.{_REASON_OF_CODE.get(rest.removeprefix('refused.'), 'other')}"
    return f"attack.{_ATTACKS[event]}" if event in _ATTACKS else None
