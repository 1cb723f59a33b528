"""Credentials and TLS of the bus, on real servers, for the plain client and for FastStream."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nats
import nkeys  # type: ignore[import-untyped]  # it has no types
import pytest
from faststream.nats import NatsBroker

from handlers.adapters.bus import connection_options
from handlers.adapters.settling import broker_options
from schemas.settings import Settings
from tests.handlers.adapters.natsserver import NatsServer

TLS = Path(__file__).parent / "tls"
_CERTIFICATES = f"""
tls {{ cert_file: "{TLS}/cert.pem", key_file: "{TLS}/key.pem", ca_file: "{TLS}/cert.pem", verify: true }}
"""


@contextmanager
def serving(directory: Path, config: str) -> Iterator[NatsServer]:
    server = NatsServer(directory, config)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def new_user() -> tuple[str, str]:
    """Seed and public key of an nkey."""
    seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
    return seed.decode(), nkeys.from_seed(seed).public_key.decode()


async def both_connect(settings: Settings) -> None:
    """The first connection waits for the server to listen."""
    options = {**connection_options(settings, "test"), "reconnect_time_wait": 0.02}
    client = await nats.connect(**options)
    assert client.is_connected
    await client.close()
    broker = NatsBroker(**broker_options(options))
    await broker.connect()
    assert await broker.ping(timeout=2)
    await broker.stop()


async def test_an_nkey_logs_in(tmp_path: Path) -> None:
    seed, public = new_user()
    path = tmp_path / "user.nk"
    path.write_text(seed)
    with serving(tmp_path, f"authorization {{ users: [{{nkey: {public}}}] }}") as server:
        await both_connect(Settings(nats_url=(server.url,), nats_nkey_seed=str(path)))


async def test_a_client_certificate_and_the_named_authority_make_a_tls_connection(tmp_path: Path) -> None:
    with serving(tmp_path, _CERTIFICATES) as server:
        settings = Settings(
            nats_url=(server.url,),
            nats_ca=str(TLS / "cert.pem"),
            nats_cert=str(TLS / "cert.pem"),
            nats_key=str(TLS / "key.pem"),
        )
        await both_connect(settings)


async def test_an_nkey_logs_in_over_tls(tmp_path: Path) -> None:
    seed, public = new_user()
    path = tmp_path / "user.nk"
    path.write_text(seed)
    config = _CERTIFICATES.replace("verify: true", "verify: false")
    with serving(tmp_path, f"authorization {{ users: [{{nkey: {public}}}] }}{config}") as server:
        ca = str(TLS / "cert.pem")
        await both_connect(Settings(nats_url=(server.url,), nats_nkey_seed=str(path), nats_ca=ca))


def test_a_credentials_file_is_given_to_both_clients(tmp_path: Path) -> None:
    settings = Settings(nats_creds=str(tmp_path / "user.creds"))
    options = connection_options(settings, "test")
    assert options["user_credentials"] == str(tmp_path / "user.creds")
    assert broker_options(options)["security"].credentials == str(tmp_path / "user.creds")


def test_a_certificate_that_is_missing_is_told_at_once() -> None:
    with pytest.raises(FileNotFoundError):
        connection_options(Settings(nats_cert="/none/such"), "test")
