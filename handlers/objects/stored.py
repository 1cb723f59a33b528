"""What the API server has made of an object that we wrote: defaults and admission webhooks may make it another one."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from handlers.adapters.errors import Conflict
from handlers.adapters.kube import Kube
from handlers.core import primary
from schemas.resources import Resource


async def note(kube: Kube, resource: Resource, answer: Mapping[str, Any]) -> None:
    """``answer`` to a write of a copy. One that has moved on since then is written, and noted, by the next wake."""
    patch, metadata = primary.as_stored(answer), answer["metadata"]
    if patch is not None:
        with suppress(Conflict):
            await kube.patch(resource, metadata["namespace"], metadata["name"], patch)
