"""Finding the API server and the credentials for it."""

from __future__ import annotations

import asyncio
import os
import ssl
import stat
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from aiohttp import web

from handlers.adapters.errors import PermanentError, Unavailable
from handlers.adapters.kube import Access, Kube, credentials, find_access
from tests.handlers.adapters.apiserver import serving

TLS = Path(__file__).parent / "tls"


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No kubeconfig and no pod of this machine."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)


def kubeconfig(
    path: Path, server: str, user: dict[str, Any] | None = None, *, name: str = "one", **cluster: Any
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": server, **cluster}}],
        "users": [{"name": name, "user": user or {}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }
    path.write_text(yaml.safe_dump(content))
    return path


async def login(request: web.Request) -> web.StreamResponse:
    return web.json_response({"login": request.headers.get("Authorization", "")})


async def login_at(found: Access) -> str:
    async with Kube(found, user_agent="test") as kube:
        return str((await kube.raw("/login"))["login"])


@asynccontextmanager
async def tls_server(client_certificate: bool = False) -> AsyncIterator[str]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=TLS / "cert.pem")
    context.load_cert_chain(TLS / "cert.pem", TLS / "key.pem")
    context.verify_mode = ssl.CERT_REQUIRED if client_certificate else ssl.CERT_NONE
    async with serving(login, tls=context) as url:
        yield url


async def test_the_kubeconfig_of_the_environment_is_looked_up_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "a", "http://a")))
    assert (await find_access()).url == "http://a"
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "b", "http://b/")))
    assert (await find_access()).url == "http://b"


async def test_an_argument_wins_over_the_environment_and_the_home_directory_comes_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubeconfig(tmp_path / "home" / ".kube" / "config", "http://home")
    assert (await find_access()).url == "http://home"
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "a", "http://a")))
    assert (await find_access(str(kubeconfig(tmp_path / "b", "http://b")))).url == "http://b"


async def test_of_several_files_the_first_says_which_context_is_current(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / "missing", kubeconfig(tmp_path / "a", "http://a", name="a")]
    paths.append(kubeconfig(tmp_path / "b", "http://b", name="b"))
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, paths)))
    assert (await find_access()).url == "http://a"
    assert (await find_access(context="b")).url == "http://b"


async def test_without_kubeconfig_and_pod_it_is_said_what_was_looked_at(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(PermanentError, match=r"KUBECONFIG is not set, there is no ~/\.kube/config"):
        await find_access()
    monkeypatch.setenv("KUBECONFIG", "/none/such")
    with pytest.raises(PermanentError, match="/none/such"):
        await find_access()
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    with pytest.raises(PermanentError, match="no access to Kubernetes"):
        await find_access(service_account=tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "a: [", "current-context: x", "clusters: 3\ncontexts: 3\nusers: 3"])
async def test_a_kubeconfig_that_is_none_is_a_permanent_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    with pytest.raises(PermanentError, match="no access to Kubernetes"):
        await find_access(str(path))


@pytest.mark.parametrize(
    ("user", "sent"),
    [
        ({}, ""),
        ({"token": "secret"}, "Bearer secret"),
        ({"username": "me", "password": "secret"}, "Basic bWU6c2VjcmV0"),
    ],
)
async def test_the_user_of_the_kubeconfig_logs_in(tmp_path: Path, user: dict[str, Any], sent: str) -> None:
    async with serving(login) as url:
        assert await login_at(await find_access(str(kubeconfig(tmp_path / "c", url, user)))) == sent


async def test_tls_trusts_the_named_authority_and_nothing_else(tmp_path: Path) -> None:
    async with tls_server() as url:
        named = kubeconfig(tmp_path / "a", url, {"token": "t"}, **{"certificate-authority": str(TLS / "cert.pem")})
        assert await login_at(await find_access(str(named))) == "Bearer t"
        unnamed = kubeconfig(tmp_path / "b", url, {"token": "t"})
        with pytest.raises(Unavailable, match="certificate"):
            await login_at(await find_access(str(unnamed)))
        no_check: dict[str, Any] = {"insecure-skip-tls-verify": True}
        unchecked = kubeconfig(tmp_path / "c", url, {"token": "t"}, **no_check)
        assert await login_at(await find_access(str(unchecked))) == "Bearer t"


async def test_tls_checks_the_server_name_that_the_kubeconfig_gives(tmp_path: Path) -> None:
    authority: dict[str, Any] = {"certificate-authority": str(TLS / "cert.pem")}
    async with tls_server() as url:
        right = kubeconfig(tmp_path / "a", url, **authority | {"tls-server-name": "api.test"})
        assert await login_at(await find_access(str(right))) == ""
        wrong = kubeconfig(tmp_path / "b", url, **authority | {"tls-server-name": "other.test"})
        with pytest.raises(Unavailable, match=r"other\.test"):
            await login_at(await find_access(str(wrong)))


async def test_a_certificate_that_is_none_is_a_permanent_error(tmp_path: Path) -> None:
    (tmp_path / "ca").write_text("nothing")
    authority: dict[str, Any] = {"certificate-authority": str(tmp_path / "ca")}
    with pytest.raises(PermanentError, match="certificates"):
        await find_access(str(kubeconfig(tmp_path / "a", "https://127.0.0.1:1", {"token": "t"}, **authority)))


async def test_a_client_certificate_is_shown(tmp_path: Path) -> None:
    authority: dict[str, Any] = {"certificate-authority": str(TLS / "cert.pem")}
    user = {"client-certificate": str(TLS / "cert.pem"), "client-key": str(TLS / "key.pem")}
    async with tls_server(client_certificate=True) as url:
        assert await login_at(await find_access(str(kubeconfig(tmp_path / "a", url, user, **authority)))) == ""
        with pytest.raises(Unavailable):
            await login_at(await find_access(str(kubeconfig(tmp_path / "b", url, **authority))))


def plugin(directory: Path, **status: str) -> dict[str, Any]:
    """A credentials plugin whose token counts how often it was asked."""
    script = directory / "plugin"
    script.write_text(
        f"""#!{sys.executable}
import json, pathlib
asked = pathlib.Path({str(directory / "asked")!r})
count = int(asked.read_text()) + 1 if asked.exists() else 1
asked.write_text(str(count))
status = {{"token": f"token{{count}}", **{status!r}}}
print(json.dumps({{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}}))
"""
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return {"exec": {"command": str(script), "apiVersion": "client.authentication.k8s.io/v1"}}


async def test_a_plugin_is_asked_once_until_its_token_expires(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expiry = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    user = plugin(tmp_path, expirationTimestamp=expiry)
    async with serving(login) as url:
        found = await find_access(str(kubeconfig(tmp_path / "c", url, user)))
        assert [await login_at(found) for _ in range(2)] == ["Bearer token1"] * 2
        began = time.monotonic()
        monkeypatch.setattr(credentials, "time", SimpleNamespace(time=time.time, monotonic=lambda: began + 3600))
        assert await login_at(found) == "Bearer token2"


async def test_a_plugin_is_asked_again_when_its_token_is_refused(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.headers["Authorization"] != "Bearer token2":
            return web.json_response({"code": 401}, status=401)
        return await login(request)

    async with serving(answer) as url:
        found = await find_access(str(kubeconfig(tmp_path / "c", url, plugin(tmp_path))))
        assert await login_at(found) == "Bearer token2"


async def test_a_plugin_that_fails_is_named(tmp_path: Path) -> None:
    user = {"exec": {"command": "/bin/false", "apiVersion": "client.authentication.k8s.io/v1"}}
    with pytest.raises(PermanentError, match="/bin/false gave no credentials"):
        await find_access(str(kubeconfig(tmp_path / "c", "http://a", user)))


async def test_in_a_pod_the_service_account_logs_in_and_its_token_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ca.crt").write_bytes((TLS / "cert.pem").read_bytes())
    token = tmp_path / "token"
    token.write_text("first\n")
    async with tls_server() as url:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", url.rpartition(":")[2])
        found = await find_access(service_account=tmp_path)
        assert (await login_at(found)).lower() == "bearer first"
        token.write_text("second\n")
        assert (await login_at(found)).lower() == "bearer first"
        began = time.monotonic()
        monkeypatch.setattr(credentials, "time", SimpleNamespace(time=time.time, monotonic=lambda: began + 61))
        assert (await login_at(found)).lower() == "bearer second"


async def test_a_refused_service_account_token_is_read_again_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("first")
    (tmp_path / "ca.crt").write_bytes((TLS / "cert.pem").read_bytes())
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
    found = await find_access(service_account=tmp_path)
    (tmp_path / "token").write_text("second")
    await found.refresh()
    assert dict(await found.headers())["Authorization"].lower() == "bearer second"


async def test_calls_that_are_refused_together_load_the_credentials_once(tmp_path: Path) -> None:
    together = asyncio.Barrier(5)

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.headers["Authorization"] == "Bearer token1":
            await together.wait()
            return web.json_response({"code": 401}, status=401)
        return await login(request)

    async with serving(answer) as url:
        found = await find_access(str(kubeconfig(tmp_path / "c", url, plugin(tmp_path))))
        assert await asyncio.gather(*(login_at(found) for _ in range(5))) == ["Bearer token2"] * 5
