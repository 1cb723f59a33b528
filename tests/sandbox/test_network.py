from __future__ import annotations

import socket
from pathlib import Path

import pytest

from deploy.sandbox.network import OCTETS, Network, dial, free_port


@pytest.mark.parametrize(
    ("published", "dialled"),
    [
        ("10.7.0.12", "127.7.0.12"),
        ("10.254.3.1", "127.254.3.1"),
        ("127.0.0.1", "127.0.0.1"),
        ("192.168.1.10", "192.168.1.10"),
        ("100.1.2.3", "100.1.2.3"),
        ("podinfo.test", "podinfo.test"),
        ("::1", "::1"),
    ],
)
def test_a_published_pod_address_is_dialled_on_loopback_and_nothing_else_changes(published: str, dialled: str) -> None:
    assert dial(published) == dialled


def test_no_two_sandboxes_have_the_same_network_and_one_that_is_given_back_can_be_had_again() -> None:
    held = Network()
    with pytest.raises(OSError, match="no network is left"):
        Network([held.octet])
    held.close()
    again = Network([held.octet])
    assert again.octet == held.octet
    again.close()


def test_no_sandbox_has_the_network_of_the_services() -> None:
    assert set(OCTETS) == set(range(1, 255)) - {96}


def test_a_free_port_is_none_that_a_connection_may_get() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(free_port() < min(lowest, 32768) for _ in range(50))


def test_a_free_port_can_be_listened_on_at_a_pods_address() -> None:
    port = free_port("127.7.0.12")
    with socket.create_server(("127.7.0.12", port)) as listening:
        assert listening.getsockname() == ("127.7.0.12", port)
