"""Stories with watcher and handlers about ConfigMaps and Secrets: whatever happens to them is followed up at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from deploy.sandbox.kube import EmbeddedKubernetes
from schemas.resources import CANARY, CONFIG_MAP, DEPLOYMENT, SECRET
from schemas.status import Phase
from tests.handlers.configured import Configured, reading
from tests.handlers.house import NAMESPACE, House, canary_object
from tests.handlers.test_together import SELDOM, at_rest
from tests.handlers.together import Together, together


@pytest.fixture
async def people(
    house: House, kubernetes: EmbeddedKubernetes, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Together]:
    monkeypatch.setenv("KUBECONFIG", str(kubernetes.kubeconfig))
    async with together(house, kubernetes) as people:
        yield people


@pytest.fixture
def contents(people: Together) -> Configured:
    return Configured(people.house)


async def initialized(people: Together, contents: Configured, **spec: Any) -> None:
    """And from now on nobody ticks."""
    await contents.prepare(analysis={"interval": "1s"}, **spec)
    await people.until(at_rest(Phase.INITIALIZED))
    await people.calm(analysis=SELDOM)


async def test_a_content_starts_a_rollout_and_ends_it_when_it_comes_back(
    people: Together, contents: Configured
) -> None:
    await initialized(people, contents)
    await contents.recolour("green", announce=False)
    await people.until(lambda status: status.phase is Phase.PROGRESSING)
    await contents.recolour("blue", announce=False)
    ended = await people.until(lambda status: status.phase is Phase.SUCCEEDED)
    assert ended.failed_checks == 0
    assert await contents.colour() == "blue"


async def test_contents_that_change_during_the_promotion_are_analysed_after_it(
    people: Together, contents: Configured
) -> None:
    await initialized(people, contents, skipAnalysis=True)
    await contents.recolour("green", announce=False)
    await people.until(lambda status: status.phase is Phase.PROMOTING)
    await people.edit(skipAnalysis=False)
    await contents.recolour("red", announce=False)
    await contents.secret("login", "another")
    promoted = await people.until(lambda status: status.phase is Phase.SUCCEEDED)
    following = await people.until(lambda status: status.phase is Phase.PROGRESSING)
    assert following.promoted_revision == promoted.promoted_revision
    assert await contents.colour() == "green"


async def test_a_canary_begins_when_the_content_that_it_misses_is_there(people: Together, contents: Configured) -> None:
    await people.house.admin.create(DEPLOYMENT, reading(envFrom=[{"configMapRef": {"name": "later"}}]))
    await people.house.admin.create(CANARY, canary_object(analysis=SELDOM))
    await people.until(lambda status: status.invalid)
    await contents.config("later", {"a": "b"})
    begun = await people.until(lambda status: status.phase is Phase.INITIALIZED)
    assert list(begun.tracked_configs) == ["configmap/later"]


async def test_a_rollout_goes_on_when_the_content_that_somebody_took_is_back(
    people: Together, contents: Configured
) -> None:
    await initialized(people, contents)
    await contents.secret("login", "another")
    await people.until(lambda status: status.phase is Phase.PROGRESSING)
    await people.house.admin.delete(SECRET, NAMESPACE, "login")
    await people.until(lambda status: status.invalid)
    await contents.secret("login", "another")
    mended = await people.until(lambda status: not status.invalid)
    assert mended.phase is Phase.PROGRESSING


async def test_a_copy_that_somebody_deletes_is_made_again_while_nothing_runs(
    people: Together, contents: Configured
) -> None:
    await initialized(people, contents)
    lost = await people.house.object(CONFIG_MAP, "colours-primary")
    await people.house.admin.delete(CONFIG_MAP, NAMESPACE, "colours-primary")
    made = await people.exists(
        CONFIG_MAP, "colours-primary", lambda item: item["metadata"]["uid"] != lost["metadata"]["uid"]
    )
    assert made["data"] == lost["data"]
