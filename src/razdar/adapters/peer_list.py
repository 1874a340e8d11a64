# SPDX-License-Identifier: AGPL-3.0-or-later
"""The operator's list of other relays on disk (DIR/names.txt). Implements `ports.peer_list.PeerList`."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from razdar.adapters.certificate_look import Seen, look
from razdar.adapters.names_file import FILE_NAME, put_peer, read_names, read_peer, write_peer
from razdar.ports.peer_list import CertificateChanged, Meeting
from razdar.ports.resolver import Peer


class PeerFile:
    """The file in the data folder `data`; one that is not there is an empty list."""

    def __init__(self, data: Path, look_at: Callable[[str, tuple[str, ...], int], Seen | None] = look) -> None:
        self._path = data / FILE_NAME
        self._look_at = look_at

    def all(self) -> Sequence[Peer]:
        return sorted(read_names(self._path).values(), key=lambda peer: peer.name)

    def read(self, words: Sequence[str]) -> Peer:
        if not words:
            raise ValueError("")
        return read_peer(words)

    def line(self, peer: Peer) -> str:
        return write_peer(peer)

    def meet(self, peer: Peer) -> Meeting:
        """An entry without keys keeps those it had."""
        former = read_names(self._path).get(peer.name)
        if former is not None and not peer.dkim:
            peer = replace(peer, dkim=former.dkim)
        return Meeting(peer, "given") if peer.pin else self._seen(peer, former)

    def _seen(self, peer: Peer, former: Peer | None) -> Meeting:
        seen = self._look_at(peer.name, peer.addresses, peer.https_port)
        if seen is None:
            kept = peer if former is None else replace(peer, pin=former.pin, is_confirmed=former.is_confirmed)
            return Meeting(kept, "nobody")
        if former is not None and former.pin and former.pin != seen.pin:
            raise CertificateChanged(former.pin, seen.pin)
        if seen.is_vouched_for:
            return Meeting(peer, "vouched")
        is_known = former is not None and bool(former.pin) and former.is_confirmed
        return Meeting(replace(peer, pin=seen.pin, is_confirmed=is_known), "known" if is_known else "first")

    def put(self, peer: Peer) -> Peer | None:
        former = read_names(self._path).get(peer.name)
        put_peer(self._path, peer.name, peer)
        return former

    def remove(self, name: str) -> Peer | None:
        former = read_names(self._path).get(name)
        if former is not None:
            put_peer(self._path, name, None)
        return former
