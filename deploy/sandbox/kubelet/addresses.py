"""Pod addresses 10.A.B.C, each used by one pod only for as long as the sandbox lives."""

from __future__ import annotations

import ipaddress


class Addresses:
    """Hands out addresses of network 10.A.0.0/16 in order. A late packet for a pod that is gone meets nobody."""

    def __init__(self, network: int) -> None:
        if not 1 <= network <= 254:
            raise ValueError(f"--network is between 1 and 254, not {network}")
        self._block = ipaddress.IPv4Network(f"10.{network}.0.0/16")
        self._free = (str(host) for host in self._block.hosts() if host.packed[3] not in (0, 255))
        self._used: set[str] = set()

    def claim(self, wanted: str | None) -> str:
        """``wanted`` (what the pod had before a restart of the kubelet) if it is ours and free, else a new one."""
        if wanted and wanted not in self._used and ipaddress.IPv4Address(wanted) in self._block:
            self._used.add(wanted)
            return wanted
        address = next(free for free in self._free if free not in self._used)
        self._used.add(address)
        return address
