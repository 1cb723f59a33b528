"""The embedded API is only worth testing against if it judges as the real one does."""

from __future__ import annotations

import random
from typing import Any

import pytest

from handlers.adapters.errors import Invalid
from handlers.adapters.kube import Kube
from schemas.resources import CANARY
from tests.deploy.api import embedded, own_namespace
from tests.deploy.canaries import mutated

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]

SEEDS = range(500)


async def _verdict(kube: Kube, namespace: str, name: str, spec: dict[str, Any]) -> dict[str, Any] | str:
    """The spec as stored, or "refused"."""
    try:
        created = await kube.create(CANARY, {"metadata": {"name": name, "namespace": namespace}, "spec": spec})
    except Invalid:
        return "refused"
    stored: dict[str, Any] = created["spec"]
    return stored


async def test_mutated_canaries_are_judged_and_stored_alike_by_both_apis(kube: Kube, namespace: str) -> None:
    differing, refused = {}, 0
    async with embedded() as emulated, own_namespace(emulated) as place:
        for seed in SEEDS:
            spec = mutated(random.Random(seed))
            real = await _verdict(kube, namespace, f"c-{seed}", spec)
            refused += real == "refused"
            if real != (own := await _verdict(emulated, place, f"c-{seed}", spec)):
                differing[seed] = (spec, real, own)
    assert differing == {}
    assert len(SEEDS) / 4 < refused < len(SEEDS) * 3 / 4, "too few of one verdict to compare"
