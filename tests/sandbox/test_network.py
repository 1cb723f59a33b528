from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from deploy.sandbox.network import OCTETS, Network, Ports, dial, free_port


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


def test_a_free_port_can_be_listened_on_at_any_address() -> None:
    with socket.create_server(("127.7.0.12", free_port())) as pod:
        taken = pod.getsockname()[1]
        others = {free_port() for _ in range(200)}
    assert taken not in others


def test_no_two_processes_are_given_the_same_ports_even_if_nobody_listens_there_yet() -> None:
    first, second = Ports(), Ports()
    assert {first.take() for _ in range(300)}.isdisjoint(second.take() for _ in range(300))


def test_who_uses_all_ports_of_a_block_gets_those_of_another() -> None:
    ports = Ports()
    with ExitStack() as servers:
        taken = [servers.enter_context(socket.create_server(("", ports.take()))).getsockname()[1] for _ in range(100)]
    assert len(set(taken)) == 100
