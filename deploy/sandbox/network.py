"""A pod network on one machine: pod 10.A.B.C listens on 127.A.B.C, and who dials the one reaches the other.

The API server refuses loopback addresses in EndpointSlices, so pods are published under 10.A.B.C; all of 127.0.0.0/8
is loopback on Linux, so every pod still has an address of its own and listens on its real container port.
"""

from __future__ import annotations

import ipaddress
import random
import socket
from collections.abc import Sequence
from contextlib import suppress

_PODS = ipaddress.IPv4Network("10.0.0.0/8")
_SERVICES_OCTET = 96
"""Services' cluster addresses are 10.96.x.x: no pod may meet them."""
_CHANCE = random.SystemRandom()
_LOWEST, _TRIES = 10_000, 200
_CLAIM = 32767
"""The port of the socket that holds a network: the last below those that a kernel hands out."""


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


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port that nobody on ``host`` listened on just now.

    It is below those that a kernel hands out: one of them could be any connection's by the time that it is needed.
    """
    for port in _CHANCE.sample(range(_LOWEST, _CLAIM), _TRIES):
        with suppress(OSError), socket.create_server((host, port)):
            return port
    raise OSError(f"no port of {host} is free")
