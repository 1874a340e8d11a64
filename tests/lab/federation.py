# SPDX-License-Identifier: AGPL-3.0-or-later
"""Relays that can meet: hosts on a network of the test's own, a DNS server that publishes them, an authority that vouches for them.

The DNS server and the clients live where the test runs. Relays may have a domain in DNS, a name that only their peers' operators entered,
or nothing but an address; and a peer may be Postfix and Dovecot set up as a chatmail relay.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.lab.authority import Authority, make_authority
from tests.lab.chatmail_peer.peer import ChatmailPeer
from tests.lab.hosted import HostedRelay
from tests.lab.namespace import Names, own_names
from tests.lab.network import Host, Network, network
from tests.lab.relay import REPOSITORY

from razdar.adapters.identity import published_key
from razdar.services.dkim_signing import SELECTOR


class Dns:
    """The DNS of the small world, a process on the test's own host. What was published can be changed at any time."""

    def __init__(self, folder: Path, host: Host) -> None:
        self._zone: dict[str, dict[str, list[str]]] = {}
        self._file = folder / "zone.json"
        self._host = host
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def server(self) -> str:
        return f"{self._host.address}:53"

    def publish(self, name: str, kind: str, *values: str) -> None:
        """These are the records of this name and type from now on."""
        self._zone.setdefault(name, {})[kind] = list(values)
        self._write()
        if self._process is not None:
            self._process.send_signal(signal.SIGHUP)

    def _write(self) -> None:
        draft = self._file.with_suffix(".new")
        draft.write_text(json.dumps(self._zone))
        draft.replace(self._file)

    def die(self) -> None:
        """Nobody answers any more."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        self._write()
        line = [sys.executable, "-m", "tests.lab.dns_server", "--listen", self._host.address, "--zone", str(self._file)]
        self._process = subprocess.Popen(line, stdout=subprocess.PIPE, cwd=REPOSITORY)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"
        self._process.stdout.close()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.die()


@dataclass
class World:
    """Starts relays; all end with it."""

    folder: Path
    net: Network
    dns: Dns
    authority: Authority
    names: Names
    _stack: ExitStack = field(repr=False)

    def relay(self, number: int, domain: str = "", settings: Mapping[str, object] | None = None, *, in_dns: bool = True) -> HostedRelay:
        """A running relay of ours on host `number`. A domain gets a good certificate, and records unless `in_dns` is false."""
        relay = self.idle_relay(number, domain, settings)
        self._stack.enter_context(relay)
        if domain and in_dns:
            self.publish(relay)
        return relay

    def idle_relay(self, number: int, domain: str = "", settings: Mapping[str, object] | None = None) -> HostedRelay:
        """The same, not started."""
        host = self.net.hosts[number - 1]
        chosen: dict[str, object] = {"dns_servers": self.dns.server, "push": "false", **(settings or {})}
        if domain and not domain.startswith("["):
            certificate, key = self.authority.issue(domain, host.address)
            chosen |= {"certificate": certificate, "certificate_key": key}
            self.names.add(domain, host.address)  # for clients
        folder = self.folder / f"relay{number}"
        return HostedRelay(folder, domain=domain, settings=chosen, host=host, authority=self.authority.file)

    def publish(self, relay: HostedRelay) -> None:
        """DNS knows the relay: address, MX and key."""
        self.dns.publish(relay.domain, "A", relay.host.address)
        self.dns.publish(relay.domain, "MX", f"10 {relay.domain}.")
        domain, key = published_key(relay.data)
        self.dns.publish(f"{SELECTOR}._domainkey.{domain}", "TXT", quoted(key))

    def chatmail_peer(
        self, number: int, domain: str = "chatmail.test", servers: Sequence[tuple[str, str]] = (), **wishes: Any
    ) -> ChatmailPeer:
        """A running Postfix and Dovecot on host `number`, which finds `servers` (name, address) by its hosts file.

        `wishes`: see `ChatmailPeer`. Raises Unavailable where it cannot run.
        """
        host = self.net.hosts[number - 1]
        certificate = self.authority.issue(domain, host.address)
        peer = ChatmailPeer(self.folder / f"peer{number}", domain=domain, bind=host.address, trusted=self.authority.file, **wishes)
        for target, source in zip(("certificate.pem", "key.pem"), certificate, strict=True):
            (peer.folder / "keys" / target).write_bytes(source.read_bytes())
        host.do(peer.start)
        self._stack.callback(peer.stop)
        for name, address in servers:
            peer.name_server(name, address)
        self.dns.publish(domain, "A", host.address)
        self.dns.publish(domain, "MX", f"10 {domain}.")
        record, value = peer.dkim_record()
        self.dns.publish(record, "TXT", quoted(value))
        self.names.add(domain, host.address)
        return peer

    def introduce(self, relay: HostedRelay, name: str, address: str, *options: str) -> None:
        """The operator of `relay` enters another relay by hand."""
        line = relay.other_command("peer", "add", name, address, *options)
        done = subprocess.run(line, env=relay.environment(), capture_output=True, text=True, check=False, preexec_fn=relay.host.enter)
        assert done.returncode == 0, done.stdout + done.stderr


def quoted(text: str) -> str:
    """A TXT record's value in zone-file form, in strings of at most 255 characters (RFC 1035 section 3.3.14)."""
    return " ".join(f'"{text[start : start + 250]}"' for start in range(0, len(text), 250))


@contextmanager
def world(folder: Path, hosts: int, seed: int = 0) -> Iterator[World]:
    """A network of `hosts` machines besides the test's own, numbered from 2. Needs the namespace of `./razdar test`."""
    with ExitStack() as stack:
        folder.mkdir(parents=True)
        names = stack.enter_context(own_names(folder))
        net = stack.enter_context(network(hosts, seed))
        dns = stack.enter_context(Dns(folder, net.here))
        authority = make_authority(folder / "authority")
        yield World(folder, net, dns, authority, names, stack.enter_context(ExitStack()))
