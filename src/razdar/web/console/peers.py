# SPDX-License-Identifier: AGPL-3.0-or-later
"""Other relays at the console: entered and removed as with `./razdar peer`, in the same file.

Before an entry is asked about, the certificate that answers there is looked at, and the question shows it. What nobody has compared is
written down as seen and not as compared; whoever has compared it types it in.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from razdar.model.trouble import Trouble
from razdar.ports.peer_list import CertificateChanged
from razdar.ports.resolver import Peer
from razdar.web.console.action import Action, Done, Field, Values
from razdar.web.console.desk import Desk
from razdar.web.numerals import ascii_digits

ADDRESSES_MAX = 3
"""A look at one takes up to ten seconds."""
_LINE_MAX = 4000


@dataclass(frozen=True, slots=True)
class PeerActions:
    """The actions of one relay's console."""

    desk: Desk

    def every(self) -> tuple[Action, ...]:
        return (
            Action("peer_add", self._add, self._fields, self._check, self._meet),
            Action("peer_remove", self._remove, _name_field, self._check_name, is_grave=True),
            Action("peer_restore", self._restore, _line_fields, self._check_line),
        )

    def _fields(self, typed: Values) -> tuple[Field, ...]:
        """For a relay that is on the list, filled in."""
        known = self._find(typed.get("name", ""))
        return (
            Field("name", "address", "" if known is None else known.name),
            Field("addresses", "address", "" if known is None else " ".join(known.addresses)),
            Field("https_port", "number", "443" if known is None else str(known.https_port)),
            Field("smtp_port", "number", "25" if known is None else str(known.smtp_port)),
            Field("pin", "address", is_optional=True),
            Field("dkim", "address", is_optional=True, longest=_LINE_MAX),
        )

    def _find(self, name: str) -> Peer | None:
        try:
            return next((each for each in self.desk.peers.all() if each.name == name.strip().lower()), None)
        except Trouble:
            return None

    def _check(self, typed: Values) -> Values | str:
        names = ("name", "addresses", "https_port", "smtp_port", "pin", "dkim", "seen")
        values = {name: ascii_digits(typed.get(name, "")).replace("،", " ").replace(",", " ").strip() for name in names}
        values["dkim"] = typed.get("dkim", "").strip()
        if not 1 <= len(values["addresses"].split()) <= ADDRESSES_MAX:
            return "mistake_addresses"
        try:
            peer = self._read(values)
        except ValueError:
            return "mistake_peer"
        return {**values, "name": peer.name} if peer.name != self.desk.domain else "mistake_ourselves"

    def _read(self, values: Values) -> Peer:
        words = [*values["name"].split(), *values["addresses"].split(), f"https={values['https_port']}", f"smtp={values['smtp_port']}"]
        words += [f"{key}={values[key]}" for key in ("pin", "seen") if values[key]][:1]
        words += [f"dkim={''.join(values['dkim'].split())}"] if values["dkim"] else []
        return self.desk.peers.read(words)

    async def _meet(self, values: Values) -> Values | str:
        try:
            meeting = await asyncio.to_thread(self.desk.peers.meet, self._read(values))
        except CertificateChanged:
            return "mistake_changed"
        except Trouble:
            return "mistake_names"
        pin = "pin" if meeting.peer.is_confirmed else "seen"
        shown = meeting.peer.pin if meeting.found in ("given", "known", "first") else ""
        return {**values, "pin": "", "seen": "", pin: meeting.peer.pin, "found": meeting.found, "print": _pairs(shown)}

    async def _add(self, values: Values) -> Done | str:
        peer = self._read(values)
        return await self._put(peer)

    async def _put(self, peer: Peer) -> Done | str:
        try:
            former = self._find(peer.name)
            kept = peer if peer.dkim or former is None else self.desk.peers.read([*self.desk.peers.line(peer).split(), *_keys(former)])
            await asyncio.to_thread(self.desk.peers.put, kept)
            self.desk.read_names()
        except Trouble:
            return "mistake_names"
        return Done(("peer_restore", {"name": peer.name, "line": "" if former is None else self.desk.peers.line(former)}))

    def _check_name(self, typed: Values) -> Values | str:
        peer = self._find(typed.get("name", ""))
        return "mistake_unlisted" if peer is None else {"name": peer.name}

    async def _remove(self, values: Values) -> Done | str:
        try:
            former = await asyncio.to_thread(self.desk.peers.remove, values["name"])
            self.desk.read_names()
        except Trouble:
            return "mistake_names"
        return Done(None if former is None else ("peer_restore", {"name": former.name, "line": self.desk.peers.line(former)}))

    def _check_line(self, typed: Values) -> Values | str:
        name, line = typed.get("name", ""), typed.get("line", "")[:_LINE_MAX]
        try:
            is_right = not line or self.desk.peers.read(line.split()).name == name
        except ValueError:
            is_right = False
        return {"name": name, "line": line} if is_right and name else "mistake_peer"

    async def _restore(self, values: Values) -> Done | str:
        """The entry is what it was; without a line there was none."""
        try:
            if values["line"]:
                await asyncio.to_thread(self.desk.peers.put, self.desk.peers.read(values["line"].split()))
            else:
                await asyncio.to_thread(self.desk.peers.remove, values["name"])
            self.desk.read_names()
        except Trouble:
            return "mistake_names"
        return Done()


def _keys(peer: Peer) -> list[str]:
    return [f"dkim={selector}:{record.decode()}" for selector, record in peer.dkim]


def _name_field(typed: Values) -> tuple[Field, ...]:
    return (Field("name", "hidden", typed.get("name", "")),)


def _line_fields(typed: Mapping[str, str]) -> tuple[Field, ...]:
    return (Field("name", "hidden", typed.get("name", "")), Field("line", "hidden", typed.get("line", "")))


def _pairs(pin: str) -> str:
    """As browsers and `./razdar up` show it."""
    return bytes.fromhex(pin).hex(":").upper()
