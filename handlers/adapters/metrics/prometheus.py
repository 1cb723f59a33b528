"""Prometheus, and whatever speaks its HTTP API (spec metrics-providers)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, ClassVar

from handlers.adapters.metrics.http import Refused, as_json, as_number, name_of, several, url_of
from handlers.adapters.metrics.question import Question, Reading, Tools
from handlers.adapters.metrics.reach import of_promql


class Prometheus:
    """An instant query that gives one number: a scalar, or a vector of one series."""

    default_address: ClassVar[str] = ""
    timeout: ClassVar[float] = 5.0

    def __init__(self, tools: Tools) -> None:
        self._http = tools.http

    async def read(self, question: Question) -> Reading:
        query = " ".join(question.query.split())
        return Reading(await self._query(question, query), reach=of_promql(query))

    async def check(self, question: Question) -> None:
        value = await self._query(question, "vector(1)")
        if value != 1:
            raise Refused(f"vector(1) gave {value}")

    async def _query(self, question: Question, promql: str) -> float | None:
        answer = await self._http.fetch(
            "GET",
            url_of(question.address, "/api/v1/query", "prometheus"),
            params=[("query", promql)],
            headers=_headers(question),
            secret=question.secret,
            insecure_skip_verify=question.insecure_skip_verify,
        )
        return value_of(as_json(answer))


def _headers(question: Question) -> list[tuple[str, str]]:
    """The template's own; a Secret's login replaces an Authorization among them."""
    sent = [(key, value) for key, values in question.headers.items() for value in values]
    if login := authorization(question.secret, "prometheus"):
        sent = [(key, value) for key, value in sent if key.lower() != "authorization"] + [("Authorization", login)]
    return sent


def authorization(secret: Mapping[str, str] | None, provider: str) -> str:
    """The Authorization header: ``token``, else ``username`` and ``password``; empty for none or certificates alone.

    Raises ValueError that names what is missing, in the peer's words.
    """
    if secret is None:
        return ""
    if token := secret.get("token", "").strip():
        return f"Bearer {token}"
    if "username" not in secret and any(key in secret for key in ("ca.crt", "tls.crt")):
        return ""
    for key in ("username", "password"):
        if key not in secret:
            raise ValueError(f"{provider} credentials does not contain a {key}")
    pair = f"{secret['username']}:{secret['password']}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def value_of(parsed: Any) -> float | None:
    """The number in an answer of Prometheus' HTTP API, None when it is empty. Raises Refused for anything else."""
    if not isinstance(parsed, dict) or parsed.get("status") != "success":
        words = parsed.get("error") if isinstance(parsed, dict) else None
        raise Refused(f"query failed: {words or 'the answer has no status success'}")
    match parsed.get("data"):
        case {"resultType": "scalar", "result": [_, sample]}:
            return as_number(sample, "the sample")
        case {"resultType": "vector" | "matrix", "result": []}:
            return None
        case {"resultType": "vector", "result": [item]}:
            if not isinstance(item, dict) or not isinstance(item.get("value"), list) or len(item["value"]) != 2:
                raise Refused("the only series has no value (a native histogram?)")
            return as_number(item["value"][1], "the sample")
        case {"resultType": "vector", "result": [*items]}:
            raise several(map(_series, items))
        case {"resultType": "matrix"}:
            raise Refused("query returned multiple values: a range of samples; remove the range selector")
        case {"resultType": str() as kind}:
            raise Refused(f"query returned a {kind}, not a number")
        case _:
            raise Refused("the answer has no result")


def _series(item: Any) -> str:
    labels = item.get("metric") if isinstance(item, dict) else None
    if not isinstance(labels, dict):
        return name_of(item)
    labels = dict(labels)
    name = str(labels.pop("__name__", ""))
    return name + "{" + ", ".join(f'{key}="{value}"' for key, value in sorted(labels.items())) + "}"
