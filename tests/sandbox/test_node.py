"""Several programs as tasks of one process."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.sandbox.network import free_port
from deploy.sandbox.node import programs
from tests.sandbox.processes import program


def test_each_program_has_its_own_arguments() -> None:
    found = programs(["gateway", "--port", "1", "--", "servicenet", "--", "kubelet", "--env", "A=b"])
    assert {each.name: arguments for each, arguments in found.items()} == {
        "gateway": ["--port", "1"],
        "servicenet": [],
        "kubelet": ["--env", "A=b"],
    }


@pytest.mark.e2e
async def test_when_one_cannot_go_on_it_says_why_and_all_end(tmp_path: Path) -> None:
    together = ("servicenet", "--port", str(free_port()), "--", "kubelet", "--state", str(tmp_path))
    async with program("-m", "deploy.sandbox.node", *together, environment={"KUBECONFIG": "nowhere"}) as node:
        assert "no access to Kubernetes" in await node.says("servicenet: ")
        assert await node.ends() == 1
