"""A pod network on one machine: pod 10.A.B.C listens on 127.A.B.C, and who dials the one reaches the other.

The API server refuses loopback addresses in EndpointSlices, so pods are published under 10.A.B.C; all of 127.0.0.0/8
is loopback on Linux, so every pod still has an address of its own and listens on its real container port.
"""

from __future__ import annotations

import atexit
import ipaddress
import random
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from itertools import cycle

_PODS = ipaddress.IPv4Network("10.0.0.0/8")
_SERVICES_OCTET = 96
"""Services' cluster addresses are 10.96.x.x: no pod may meet them."""
_CHANCE = random.SystemRandom()
_CLAIM = 32767
"""The port of the socket that holds a network: the last below those that a kernel hands out."""
_BLOCK = 64
_BLOCKS = range(10_000, _CLAIM - _BLOCK, _BLOCK)
"""First ports of the blocks, each but that one for a process."""
_CLAIMS = "127.0.255.254"
"""Where their holders listen: an address that no pod gets."""


def dial(address: str) -> str:
    """Where to connect for a published ``address``: 10.A.B.C becomes 127.A.B.C, anything else stays as it is."""
    try:
        parsed = ipaddress.IPv4Address(address)
    except ValueError:
        return address
    if parsed not in _PODS:
        return address
    return "127." + address.split(".", 1)[1]


OCTETS = tuple(octet for octet in range(1, 255) if octet != _SERVICES_OCTET)


class Network:
    """The pods' second octet, 1..254 and not the Services'. No two sandboxes of a machine have the same one.

    What holds it is a socket on an address that no pod gets: it is free again when that is closed, or its owner ends.
    """

    def __init__(self, octets: Sequence[int] = OCTETS) -> None:
        """One of ``octets``. Raises OSError when all are taken."""
        for octet in _CHANCE.sample(octets, len(octets)):
            try:
                self._held = socket.create_server((f"127.{octet}.255.254", _CLAIM))
            except OSError:
                continue  # somebody has it
            self.octet = octet
            return
        raise OSError("no network is left for the pods of another sandbox; end one of those that run")

    def close(self) -> None:
        self._held.close()


class Ports:
    """Ports that no other process hands out: whole blocks of them, each held for as long as this process lives.

    To find one free is not enough. Parts listen seconds after their ports were chosen, and many other servers of many
    other tests start meanwhile.
    """

    def __init__(self) -> None:
        self._claims = ExitStack()
        self._mine: Iterator[int] = iter(())
        atexit.register(self._claims.close)

    def take(self) -> int:
        """One that nobody listens on just now, at whatever address. Raises OSError when none is left."""
        for _ in range(_BLOCK):
            port = next(self._mine, 0) or self._another_block()
            if _is_free(port):
                return port
        return self._another_block()

    def _another_block(self) -> int:
        """Its first port; the block is gone round again and again, for what was handed out is mostly given back."""
        for base in _CHANCE.sample(_BLOCKS, len(_BLOCKS)):
            with suppress(OSError):
                self._claims.enter_context(socket.create_server((_CLAIMS, base)))
                self._mine = cycle(range(base + 1, base + _BLOCK))
                return next(port for port in self._mine if _is_free(port))
        raise OSError("no ports are left for another sandbox; end one of those that run")


def _is_free(port: int) -> bool:
    with suppress(OSError), socket.create_server(("", port)):
        return True
    return False


_PORTS = Ports()


def free_port() -> int:
    """A TCP port for this process or for one that it starts, at whatever address.

    It is below those that a kernel hands out: one of them could be any connection's by the time that it is needed.
    Raises OSError when none is left.
    """
    return _PORTS.take()
