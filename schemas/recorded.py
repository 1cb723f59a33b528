"""A status that travels with a result, for whoever wants to replay the step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from schemas.status import CanaryStatus


def _read(status: Any) -> Any:
    """A newer release may have written what nobody here can read; who hears of the step can do without."""
    try:
        return CanaryStatus.known(status) if isinstance(status, Mapping) else status
    except ValueError:
        return None


Recorded = Annotated[CanaryStatus | None, BeforeValidator(_read)]
