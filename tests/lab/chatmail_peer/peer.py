# SPDX-License-Identifier: AGPL-3.0-or-later
"""A chatmail relay of Postfix, Dovecot and OpenDKIM on an address of its own, as a context manager.

It runs in mount and PID namespaces of its own and in the network namespace of whoever starts it; so a test of ours can reach it, and it can
reach the test. Ports are the standard ones (25, 465, 587, 143, 993) on `bind`. Nothing of it is left when it has ended but its folder.

    with ChatmailPeer(tmp_path / "peer", domain="chatmail.test", bind="127.0.0.2") as peer:
        peer.name_server("razdar.test", "127.0.0.1")     # its /etc/hosts, at once
        address = peer.address("somebody")               # comes into being at the first login
        peer.dkim_record()                               # what would stand in DNS

Mail to other domains goes to port 25 of the address that /etc/hosts gives, with STARTTLS. With a `resolver` what comes in must be signed,
as opendkim sees it; whether it is encrypted nobody asks: the filter of a chatmail relay is left out.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.lab.chatmail_peer import configuration
from tests.lab.chatmail_peer.packages import Unavailable, unpacked
from tests.lab.tls import self_signed

PORTS = {"smtp": 25, "submissions": 465, "submission": 587, "imap": 143, "imaps": 993}
READY_S, END_S = 30.0, 90.0
INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
ENOUGH_INSTANCES = 10_000
_HERE = Path(__file__).parent


def require() -> Path:
    """The unpacked packages. Raises Unavailable where the peer cannot run."""
    tree = unpacked()
    if subprocess.run([*_namespaces(), "true"], capture_output=True, check=False).returncode != 0:
        raise Unavailable("the peer needs namespaces of its own, which this system does not allow")
    return tree


def _namespaces() -> list[str]:
    """The words before the first program. Postfix and Dovecot change between several users: more than one id must be there to have."""
    own = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    if os.getuid() != 0:
        return [*own, "--user", "--map-root-user", "--map-auto"]
    if len(Path("/proc/self/uid_map").read_text().splitlines()) == 1 and Path("/proc/self/uid_map").read_text().split()[2] == "1":
        raise Unavailable("the peer needs several user ids, and this user namespace has one: run as root")
    return own


def first_id() -> int:
    """See `configuration.ACCOUNT_IDS`; 0 where the limit is as high as a chatmail relay sets it."""
    return configuration.ACCOUNT_IDS if int(INOTIFY.read_text()) < ENOUGH_INSTANCES else 0


@dataclass
class ChatmailPeer:
    """`domain` is that of its addresses, `bind` an IPv4 address.

    `trusted`: PEM certificates by which it verifies other servers (None: any will do). `logs`: its programs write what they do, not
    only errors. `prompt`: Dovecot tells of new mail at once, as the build that chatmail relays run, where packages.py knows how. The others
    are those of `configuration.Wishes`.
    """

    folder: Path
    domain: str = "chatmail.test"
    bind: str = "127.0.0.2"
    trusted: Path | None = None
    logs: bool = True
    prompt: bool = True
    resolver: str = ""
    unsigned_ok: tuple[str, ...] = ()
    signs_bounces: bool = True
    retry_s: int = 300
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._tree = require()
        self._wishes = configuration.Wishes(
            self.domain,
            self.bind,
            self.trusted is not None,
            self.logs,
            resolver=self.resolver,
            unsigned_ok=self.unsigned_ok,
            signs_bounces=self.signs_bounces,
            retry_s=self.retry_s,
        )
        self._make_folder()

    @property
    def mail(self) -> Path:
        """Where the maildirs are, one for each address."""
        return self.folder / "mail"

    @property
    def certificate(self) -> Path:
        return self.folder / "keys" / "certificate.pem"

    def address(self, local: str) -> str:
        return f"{local}@{self.domain}"

    def link(self, local: str, password: str) -> str:
        """A `dclogin:` code for an account here, new or not: TLS at once, any certificate."""
        options = {"p": password, "v": 1, "ih": self.bind, "ip": PORTS["imaps"], "is": "ssl"}
        options |= {"sh": self.bind, "sp": PORTS["submissions"], "ss": "ssl", "ic": 3}
        return f"dclogin:{self.address(local)}?{urllib.parse.urlencode(options)}"

    def name_server(self, name: str, address: str) -> None:
        """From now on `name` leads to `address` alone, for the peer."""
        hosts = self.folder / "hosts"
        lines = [line for line in hosts.read_text().splitlines() if line.split()[1] != name]
        hosts.write_text("\n".join([*lines, f"{address} {name}", ""]))  # written in place: the mount shows this very file

    def dkim_record(self) -> tuple[str, str]:
        """Name and value of the TXT record that publishes its key."""
        key = serialization.load_pem_private_key((self.folder / "keys" / "dkim.pem").read_bytes(), None)
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        public = b64encode(key.public_key().public_bytes(serialization.Encoding.DER, form)).decode()
        return f"{configuration.SELECTOR}._domainkey.{self.domain}", f"v=DKIM1; k=rsa; p={public}"

    def start(self) -> Self:
        """All ports greet."""
        program = [
            sys.executable,
            "-S",
            "-E",
            str(_HERE / "inside.py"),
            *map(str, self._trees()),
            str(self.folder),
            str(_HERE / "accounts.py"),
        ]
        program += [self.domain, str(first_id())]
        with (self.folder / "output.txt").open("ab") as output:
            self.process = subprocess.Popen([*_namespaces(), *program], stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT)
        end = time.monotonic() + READY_S
        for port in PORTS.values():
            while not self._greets(port):
                if self.process.poll() is not None or time.monotonic() > end:
                    self.kill()
                    raise AssertionError(f"the peer was not ready within {READY_S} s:\n{self.output()}")
                time.sleep(0.02)  # ports of other processes; nothing announces them
        return self

    def _trees(self) -> list[Path]:
        return [self._tree / "prompt", self._tree] if self.is_prompt else [self._tree]

    @property
    def is_prompt(self) -> bool:
        """Whether Dovecot tells of new mail at once; Debian's own waits half a second."""
        return self.prompt and (self._tree / "prompt").exists()

    def _greets(self, port: int) -> bool:
        """Whether somebody accepts; where TLS comes first nobody says anything."""
        try:
            with socket.create_connection((self.bind, port), 5) as link:
                return port in (PORTS["submissions"], PORTS["imaps"]) or bool(link.recv(1))
        except OSError:
            return False

    def stop(self) -> None:
        """Every process has been asked to end, and has ended."""
        if self.process is None or self.process.stdin is None:
            return
        self.process.stdin.close()
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the peer did not end within {END_S} s:\n{self.output()}") from None

    def kill(self) -> None:
        """All processes are gone at once, as by a power cut."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            if self.process.stdin is not None:
                self.process.stdin.close()

    def output(self) -> str:
        """What its programs printed and logged, over all starts."""
        files = [self.folder / "output.txt", *sorted((self.folder / "log").glob("*.log"))]
        return "\n".join(file.read_text(errors="replace") for file in files if file.exists())

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.stop()
        else:
            self.kill()

    def _make_folder(self) -> None:
        """Everything but what the programs write. Keys and accounts of an earlier start stay."""
        keys = self.folder / "keys"
        keys.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.folder / "etc", ignore_errors=True)
        for name, text in configuration.files(self._wishes).items():
            file = self.folder / "etc" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        (self.folder / "etc" / "hosts").touch()
        if not (keys / "dkim.pem").exists():
            self_signed(keys, self.domain, self.bind)
            (keys / "dkim.pem").write_bytes(_dkim_key())
            (self.folder / "hosts").write_text(f"127.0.0.1 localhost\n{self.bind} {self.domain}\n")
        if self.trusted is not None:
            (keys / "trusted.pem").write_bytes(self.trusted.read_bytes())


def _dkim_key() -> bytes:
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
