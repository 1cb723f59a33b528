"""A pod network on one machine: pod 10.A.B.C listens on 127.A.B.C, and who dials the one reaches the other.

The API server refuses loopback addresses in EndpointSlices, so pods are published under 10.A.B.C; all of 127.0.0.0/8
is loopback on Linux, so every pod still has an address of its own and listens on its real container port.
"""

from __future__ import annotations

import ipaddress
import random
import socket

_PODS = ipaddress.IPv4Network("10.0.0.0/8")
_SERVICES_OCTET = 96
"""Services' cluster addresses are 10.96.x.x: no pod may meet them."""


def dial(address: str) -> str:
    """Where to connect for a published ``address``: 10.A.B.C becomes 127.A.B.C, anything else stays as it is."""
    try:
        parsed = ipaddress.IPv4Address(address)
    except ValueError:
        return address
    if parsed not in _PODS:
        return address
    return "127." + address.split(".", 1)[1]


def draw_network(chance: random.Random | None = None) -> int:
    """The second octet of a sandbox's pods: 1..254 and not the Services', so that two sandboxes rarely meet."""
    chosen = (chance or random.SystemRandom()).randrange(1, 254)
    return chosen if chosen < _SERVICES_OCTET else chosen + 1


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port that nobody on ``host`` listened on just now."""
    with socket.create_server((host, 0)) as held:
        return int(held.getsockname()[1])
