"""The external metrics API of Kubernetes, or a server that speaks it (spec metrics-providers, defect B21)."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import quote

import httpx

from handlers.adapters.errors import AdapterError, TransientError
from handlers.adapters.metrics.http import Refused, Unreachable, as_json, name_of, several, url_of
from handlers.adapters.metrics.quantity import as_quantity
from handlers.adapters.metrics.question import Question, Reading, Tools

_API = "/apis/external.metrics.k8s.io/v1beta1"


class ExternalMetrics:
    """``<namespace>/<metric>?labelSelector=…``: without an address at our own API server, with our own account.

    Another address gets the token of the template's Secret, or none: never ours.
    """

    default_address: ClassVar[str] = ""
    timeout: ClassVar[float] = 5.0

    def __init__(self, tools: Tools) -> None:
        self._http = tools.http
        self._cluster = tools.cluster

    async def read(self, question: Question) -> Reading:
        return _reading(await self._get(question, _path(question.query)))

    async def check(self, question: Question) -> None:
        """The API itself: a metric of that name need not be there yet."""
        await self._get(question, _API)

    async def _get(self, question: Question, path: str) -> Any:
        if not question.address:
            try:
                return await self._cluster.raw(path)
            except TransientError as error:
                raise Unreachable(str(error), error.delay or 0.0) from error
            except AdapterError as error:
                raise Refused(str(error)) from error
        token = (question.secret or {}).get("token", "").strip()
        base, _, selector = path.partition("?")
        answer = await self._http.fetch(
            "GET",
            _with_query(url_of(question.address, base, "externalmetrics"), selector),
            headers=[("Authorization", f"Bearer {token}")] if token else [],
            secret=question.secret,
            insecure_skip_verify=question.insecure_skip_verify,
        )
        return as_json(answer)


def _with_query(url: httpx.URL, selector: str) -> httpx.URL:
    try:
        return url.copy_with(query=selector.encode() or None)
    except httpx.InvalidURL as error:
        raise Refused(f"the label selector cannot be sent: {error}") from error


def _path(query: str) -> str:
    place, _, selector = query.strip().partition("?")
    parts = place.removeprefix("/").split("/")
    if len(parts) > 2:
        raise Refused(f"malformed query string, too many slashes: {query.strip()}; write it as namespace/metric")
    if not parts[-1]:
        raise Refused("metric name cannot be empty")
    namespace = parts[0] if len(parts) == 2 else "default"
    path = f"{_API}/namespaces/{quote(namespace, safe='')}/{quote(parts[-1], safe='')}"
    return f"{path}?{selector}" if selector else path


def _reading(answer: Any) -> Reading:
    match answer:
        case {"items": [] | None}:
            return Reading(None)
        case {"items": [{"value": value}]}:
            return Reading(as_quantity(value))
        case {"items": [_, _, *_] as items}:
            raise several(_labels(item) for item in items)
        case _:
            raise Refused("the answer has no items")


def _labels(item: Any) -> str:
    labels = item.get("metricLabels") if isinstance(item, dict) else None
    if not isinstance(labels, dict):
        return name_of(item, "metricName")
    inside = ", ".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    return f"{item.get('metricName', '')}{{{inside}}}"
