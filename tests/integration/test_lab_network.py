# SPDX-License-Identifier: AGPL-3.0-or-later
"""The network of the federation tests does what it says: it carries, cuts one way and both, delays and loses."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from tests.lab.network import Host, Link, Network, network

pytestmark = [pytest.mark.namespace, pytest.mark.slow]

ECHO = """
import socket, sys
server = socket.create_server((sys.argv[1], 7), family=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
print("ready", flush=True)
while True:
    connection, _ = server.accept()
    with connection:
        while data := connection.recv(65536):
            connection.sendall(data)
"""


@pytest.fixture
def net() -> Iterator[Network]:
    with network(2) as made:
        yield made


def echo(host: Host, address: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", ECHO, address], stdout=subprocess.PIPE, preexec_fn=host.enter)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.stdout.close()
    return process


@pytest.fixture
def server(net: Network) -> Iterator[Host]:
    process = echo(net.hosts[1], net.hosts[1].address)
    yield net.hosts[1]
    process.kill()
    process.wait()


def round_trip(host: Host, payload: bytes = b"hello", timeout_s: float = 5.0) -> float:
    began = time.monotonic()
    with socket.create_connection((host.address, 7), timeout_s) as connection:
        connection.sendall(payload)
        received = b""
        while len(received) < len(payload):
            received += connection.recv(65_536)
    assert received == payload
    return time.monotonic() - began


def test_hosts_hear_each_other(net: Network, server: Host) -> None:
    round_trip(server, bytes(range(256)) * 4_000)
    assert net.wire.carried > 500


def test_hosts_hear_each_other_over_ipv6(net: Network) -> None:
    process = echo(net.hosts[2], net.hosts[2].address_6)
    try:
        with socket.create_connection((net.hosts[2].address_6, 7), 5) as connection:
            connection.sendall(b"hello")
            assert connection.recv(10) == b"hello"
    finally:
        process.kill()
        process.wait()


def test_a_cut_link_carries_nothing_until_it_is_mended(net: Network, server: Host) -> None:
    net.cut(net.here, server)
    with pytest.raises(TimeoutError):
        round_trip(server, timeout_s=0.3)
    net.mend(net.here, server)
    round_trip(server)


def test_a_link_may_be_cut_one_way(net: Network, server: Host) -> None:
    net.wire.set(server, net.here, Link(is_cut=True), is_one_way=True)
    before = net.wire.carried
    with pytest.raises(TimeoutError):
        round_trip(server, timeout_s=0.3)
    assert net.wire.carried > before  # the question arrived


def test_a_slow_link_takes_its_time(net: Network, server: Host) -> None:
    net.worsen(net.here, server, delay_s=0.1)
    assert round_trip(server) >= 0.4  # two round trips: the handshake and the echo


def test_a_bad_link_loses_packets_and_tcp_makes_good_for_it(net: Network, server: Host) -> None:
    net.worsen(net.here, server, loss=0.1)
    round_trip(server, b"x" * 100_000, timeout_s=30)
    assert net.wire.lost > 0


def test_other_hosts_do_not_suffer(net: Network, server: Host) -> None:
    net.isolate(net.hosts[2])
    round_trip(server)
