# SPDX-License-Identifier: AGPL-3.0-or-later
"""The server that Razdar is compared with: a chatmail relay of Postfix, Dovecot and OpenDKIM (tests/lab/chatmail_peer), as a `Target`.

It runs on the same disk, in a folder that is removed afterwards. Nothing is installed on the host and nothing is started there: the whole
benchmark runs in a network namespace, the peer also in mount and PID namespaces of its own.
"""

import gzip
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.messages import SIZE_BYTES
from bench.spec import Server
from bench.target import scratch, strangers
from tests.lab.chatmail_peer import PORTS, ChatmailPeer
from tests.mail.make import encrypted_message

NAME = "postfix-dovecot"
BIND = "127.0.0.2"
QUEUE_S = 120.0
LINKS = 50
"""Recipients that share one file: Postfix hands a message to Dovecot for so many at once (lmtp_destination_recipient_limit)."""


@dataclass
class PeerTarget:
    """Postfix and Dovecot. `prompt`: Dovecot tells of new mail at once, as on chatmail relays; Debian's own waits half a second."""

    name: str = NAME
    prompt: bool = True
    domain: str = "peer.test"
    bind: str = BIND

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="run-", dir=scratch()))
        self._folder.chmod(0o755)
        self._peer = ChatmailPeer(self._folder / "peer", domain=self.domain, bind=self.bind, logs=False, prompt=self.prompt)
        assert self._peer.is_prompt == self.prompt, "only x86-64 code of this version is known"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is not None:
                print(self._peer.output()[-2000:], file=sys.stderr)
            self._peer.__exit__(kind, error, trace)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        self._peer.start()

    def stop(self) -> None:
        """Ended, once its queue is empty."""
        end = time.monotonic() + QUEUE_S
        while any(len(files) for _, _, files in self._queues()):
            assert time.monotonic() < end, "Postfix does not get rid of its messages"
            time.sleep(0.1)
        self._peer.stop()

    def _queues(self) -> list[tuple[str, list[str], list[str]]]:
        spool = self._folder / "peer" / "spool"
        return [found for queue in ("incoming", "active", "deferred") for found in os.walk(spool / queue)]

    def server(self) -> Server:
        process = self._peer.process
        assert process is not None, "started"
        return Server(self.bind, PORTS["imaps"], PORTS["submissions"], [process.pid], str(self._folder))

    def name_server(self, name: str, address: str) -> None:
        """Mail to that domain goes to that address from now on."""
        self._peer.name_server(name, address)

    def people(self, count: int) -> Sequence[tuple[str, str]]:
        return strangers(count, self._peer.domain)

    def fill(self, messages: int) -> None:
        """Files as Dovecot's deliveries leave them: compressed, one for fifty mailboxes, linked into each."""
        homes, vmail = sorted(self._peer.mail.iterdir()), self._peer.mail.stat().st_gid
        message = encrypted_message("a@peer.test", ["b@peer.test"], SIZE_BYTES)
        stored, marks = stored_form(message)
        for number in range(messages):
            for start in range(0, len(homes), LINKS):
                first, *others = (
                    home / "new" / f"{1_760_000_000 + number}.M{number}P{start}.peer,{marks}" for home in homes[start : start + LINKS]
                )
                first.write_bytes(stored)
                os.chown(first, vmail, vmail)
                first.chmod(0o660)
                for other in others:
                    os.link(first, other)


def stored_form(message: bytes) -> tuple[bytes, str]:
    """As Dovecot writes it: lines end with LF, compressed; and the two sizes that it puts into the name of the file."""
    lines = message.replace(b"\r\n", b"\n")
    return gzip.compress(lines), f"S={len(lines)},W={len(message)}"
