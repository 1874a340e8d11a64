# SPDX-License-Identifier: AGPL-3.0-or-later
"""A small network of the test's own: hosts in network namespaces, and between them a wire that can be cut, slowed and made to lose packets.

Each host is a namespace with one TUN device; the wire is a thread that reads the IP packets of all hosts and passes them on, or does not.
So the TCP and the TLS between two relays are real, with the kernel's own retransmission, and neither the `ip` program nor the netem module
is needed. The namespace the test runs in is a host as well: clients, the DNS server and the test itself live there.

Losses come from a seeded generator. Nothing sleeps: the wire waits in `select` for packets, or for the moment the next delayed one is due.
"""

import ctypes
import fcntl
import heapq
import ipaddress
import os
import random
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_SIOCGIFINDEX, _SIOCSIFADDR, _SIOCSIFNETMASK, _SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8933, 0x8916, 0x891C, 0x8913, 0x8914
_IFF_UP = 1
_CLONE_NEWNET = 0x40000000
T = TypeVar("T")
_libc = ctypes.CDLL(None, use_errno=True)

PREFIX_4, PREFIX_6 = "10.77.0.", "fd77::"
PACKET_BYTES = 65_536


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), "the kernel refused")


@dataclass(frozen=True, slots=True)
class Link:
    """What happens to packets from one host to another."""

    is_cut: bool = False
    delay_s: float = 0.0
    """One way."""
    loss: float = 0.0
    """Part of the packets that vanish."""


GOOD = Link()


@dataclass(frozen=True, slots=True)
class Host:
    """A machine of the network. `namespace` is an open descriptor of its network namespace."""

    number: int
    namespace: int = field(repr=False)

    @property
    def address(self) -> str:
        return f"{PREFIX_4}{self.number}"

    @property
    def address_6(self) -> str:
        return f"{PREFIX_6}{self.number:x}"

    def enter(self) -> None:
        """From now on this thread, or a child process that has just been forked, is on that host."""
        _check(_libc.setns(self.namespace, _CLONE_NEWNET))

    def do(self, work: Callable[[], T]) -> T:
        """What `work()` answers or raises when it is done on that host, in a thread of its own."""
        with ThreadPoolExecutor(1, initializer=self.enter) as there:
            return there.submit(work).result()


class Wire:
    """Connects hosts. `set` may be called from any thread, at any time."""

    def __init__(self, seed: int = 0) -> None:
        self._devices: dict[int, int] = {}
        self._links: dict[tuple[int, int], Link] = {}
        self._late: list[tuple[float, int, int, bytes]] = []
        self._order = 0
        self._random = random.Random(f"wire {seed}")
        self._wake_in, self._wake_out = os.pipe()
        self._thread = threading.Thread(target=self._run, name="wire")
        self.carried = 0
        """Packets that arrived."""
        self.lost = 0
        """Those that a bad or cut link kept."""

    def add(self, number: int, device: int) -> None:
        """The host's TUN device; before `start`."""
        self._devices[number] = device

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """The thread has ended and all devices are closed."""
        os.close(self._wake_out)
        self._thread.join()
        for descriptor in [self._wake_in, *self._devices.values()]:
            os.close(descriptor)

    def set(self, one: Host, other: Host, link: Link, *, is_one_way: bool = False) -> None:
        """From now on packets from `one` to `other`, and back unless `is_one_way`, fare like this."""
        self._links = self._links | {(one.number, other.number): link} | ({} if is_one_way else {(other.number, one.number): link})

    def _run(self) -> None:
        numbers = {device: number for number, device in self._devices.items()}
        while True:
            wait_s = max(0.0, self._late[0][0] - time.monotonic()) if self._late else None
            ready, _, _ = select.select([*numbers, self._wake_in], [], [], wait_s)
            if self._wake_in in ready:
                return
            for device in ready:
                self._read(numbers[device], device)
            self._deliver_late()

    def _read(self, source: int, device: int) -> None:
        try:
            packet = os.read(device, PACKET_BYTES)
        except OSError:
            return
        target = _target(packet)
        if target not in self._devices:
            return
        link = self._links.get((source, target), GOOD)
        if link.is_cut or self._random.random() < link.loss:
            self.lost += 1
            return
        if link.delay_s:
            self._order += 1
            heapq.heappush(self._late, (time.monotonic() + link.delay_s, self._order, target, packet))
        else:
            self._write(target, packet)

    def _deliver_late(self) -> None:
        while self._late and self._late[0][0] <= time.monotonic():
            _, _, target, packet = heapq.heappop(self._late)
            self._write(target, packet)

    def _write(self, target: int, packet: bytes) -> None:
        try:
            os.write(self._devices[target], packet)
        except OSError:
            return  # a full queue loses packets, as in life
        self.carried += 1


def _target(packet: bytes) -> int | None:
    """The number of the host that the packet is for; None: nobody here."""
    if packet[0] >> 4 == 4 and packet[16:19] == bytes([10, 77, 0]):
        return packet[19]
    if packet[0] >> 4 == 6 and packet[24:39] == ipaddress.IPv6Address(PREFIX_6).packed[:15]:
        return packet[39]
    return None


@dataclass
class Network:
    """Hosts with numbers from 1 up; number 1 is where the test runs."""

    wire: Wire
    hosts: list[Host]

    @property
    def here(self) -> Host:
        return self.hosts[0]

    def cut(self, one: Host, other: Host) -> None:
        self.wire.set(one, other, Link(is_cut=True))

    def mend(self, one: Host, other: Host) -> None:
        self.wire.set(one, other, GOOD)

    def worsen(self, one: Host, other: Host, *, delay_s: float = 0.0, loss: float = 0.0) -> None:
        """In both directions."""
        self.wire.set(one, other, replace(GOOD, delay_s=delay_s, loss=loss))

    def isolate(self, host: Host) -> None:
        """Cut from everybody but the test's own host."""
        for other in self.hosts[1:]:
            if other is not host:
                self.cut(host, other)


@contextmanager
def network(count: int, seed: int = 0) -> Iterator[Network]:
    """This namespace and `count` more hosts. Needs the namespace of `./razdar test`."""
    with ExitStack() as closing:
        wire = Wire(seed)
        hosts = []
        for number in range(1, count + 2):
            namespace, device = _made(number, is_own=number > 1)
            closing.callback(os.close, namespace)
            wire.add(number, device)
            hosts.append(Host(number, namespace))
        wire.start()
        closing.callback(wire.stop)
        yield Network(wire, hosts)


def _made(number: int, *, is_own: bool) -> tuple[int, int]:
    """Descriptors of the namespace and of its TUN device; the device has the host's addresses and is up."""
    made: list[tuple[int, int] | BaseException] = []

    def make() -> None:  # a namespace is entered by one thread alone, so this one comes back to nobody
        try:
            if is_own:
                _check(_libc.unshare(_CLONE_NEWNET))
            made.append((os.open("/proc/thread-self/ns/net", os.O_RDONLY), _device(number)))
        except BaseException as error:
            made.append(error)

    _in_thread(make)
    answer = made[0]
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _in_thread(work: Callable[[], None]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def _device(number: int) -> int:
    name = b"wire"
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", name, _IFF_TUN | _IFF_NO_PI))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        for request, text in ((_SIOCSIFADDR, f"{PREFIX_4}{number}"), (_SIOCSIFNETMASK, "255.255.255.0")):
            fcntl.ioctl(asker, request, struct.pack("16sHH4s8x", name, socket.AF_INET, 0, socket.inet_aton(text)))
        for each in (b"lo", name):
            _, flags = struct.unpack_from("16sH", fcntl.ioctl(asker, _SIOCGIFFLAGS, struct.pack("16sH14x", each, 0)))
            fcntl.ioctl(asker, _SIOCSIFFLAGS, struct.pack("16sH14x", each, flags | _IFF_UP))
        index = struct.unpack_from("16si", fcntl.ioctl(asker, _SIOCGIFINDEX, struct.pack("16si12x", name, 0)))[1]
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as asker:
        packed = ipaddress.IPv6Address(f"{PREFIX_6}{number:x}").packed
        fcntl.ioctl(asker, _SIOCSIFADDR, struct.pack("16sIi", packed, 64, index))  # struct in6_ifreq
    return device
