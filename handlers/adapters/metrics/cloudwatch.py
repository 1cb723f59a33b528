"""Amazon CloudWatch through boto3, which signs requests and finds credentials (IRSA, environment, instance role)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar, NamedTuple

import orjson

from handlers.adapters.hiding import hidden
from handlers.adapters.metrics.extras import missing
from handlers.adapters.metrics.http import Refused, Unreachable, as_number, several
from handlers.adapters.metrics.question import Question, Reading, Tools

_WINDOWS = 10
"""Intervals that are asked for: CloudWatch is minutes late."""
_POINTS = 20
_THROTTLED = ("Throttling", "ThrottlingException", "RequestLimitExceeded", "InternalServiceFault")


class _Client(NamedTuple):
    """boto3 has no types of its own; the session knows the credentials."""

    asks: Any
    session: Any


class CloudWatch:
    """The query is a JSON array of MetricDataQuery; the newest value of the one that returns data."""

    default_address: ClassVar[str] = ""
    timeout: ClassVar[float] = 15.0

    def __init__(self, tools: Tools) -> None:  # noqa: ARG002 - boto3 speaks for itself
        self._clients: dict[tuple[str, str], _Client] = {}

    async def read(self, question: Question) -> Reading:
        try:
            queries = orjson.loads(question.query)
        except ValueError as error:
            raise Refused(f"the query is not a JSON array of MetricDataQuery: {error}") from error
        return _reading(await self._get(question, queries), question)

    async def check(self, question: Question) -> None:
        """A service that refuses an empty request is there."""
        try:
            await self._get(question, [])
        except Unreachable:
            raise
        except Refused as error:
            if not isinstance(error.__cause__, Exception) or _status(error.__cause__) != 400:
                raise

    async def _get(self, question: Question, queries: Any) -> dict[str, Any]:
        if not question.region:
            raise Refused("region not specified")
        if not isinstance(queries, list):
            raise Refused("the query is not a JSON array of MetricDataQuery")
        client, session = self._client(question.region, question.address)
        start = question.now - _WINDOWS * question.window

        def ask() -> dict[str, Any]:
            answer: dict[str, Any] = client.get_metric_data(
                MetricDataQueries=queries,
                StartTime=datetime.fromtimestamp(start, UTC),
                EndTime=datetime.fromtimestamp(question.now, UTC),
                MaxDatapoints=_POINTS,
                ScanBy="TimestampDescending",
            )
            return answer

        return await asyncio.to_thread(_in_words, ask, session)

    def _client(self, region: str, address: str) -> _Client:
        """Making one reads files and is slow, asking through it is safe from any thread."""
        try:
            import boto3
            from botocore.config import Config
        except ImportError as error:
            raise missing("cloudwatch", "boto3") from error
        if (region, address) not in self._clients:
            config = Config(connect_timeout=5, read_timeout=5, retries={"max_attempts": 3, "mode": "standard"})
            session = boto3.session.Session(region_name=region)
            client = session.client("cloudwatch", endpoint_url=address or None, config=config)
            self._clients[region, address] = _Client(client, session)
        return self._clients[region, address]


def _in_words(ask: Callable[[], dict[str, Any]], session: Any) -> dict[str, Any]:
    """Without the credentials, which a text from outside may repeat."""
    from botocore import exceptions

    try:
        return ask()
    except exceptions.ClientError as error:
        busy = error.response.get("Error", {}).get("Code") in _THROTTLED or _status(error) >= 500
        raise (Unreachable if busy else Refused)(hidden(str(error), _credentials(session))) from error
    except (exceptions.ParamValidationError, exceptions.NoCredentialsError, exceptions.NoRegionError) as error:
        raise Refused(" ".join(str(error).split())) from error
    except (exceptions.BotoCoreError, OSError) as error:
        raise Unreachable(str(error)) from error


def _credentials(session: Any) -> tuple[str, ...]:
    found = session.get_credentials()
    return tuple(value for value in found.get_frozen_credentials() if isinstance(value, str)) if found else ()


def _status(error: Exception) -> int:
    response: dict[str, Any] = getattr(error, "response", {})
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _reading(answer: dict[str, Any], question: Question) -> Reading:
    results = answer.get("MetricDataResults") or []
    if len(results) > 1:
        raise several(f"{item.get('Id')} ({item.get('Label')})" for item in results)
    if not results or not results[0].get("Values"):
        return Reading(None)
    pairs = zip(results[0]["Timestamps"], results[0]["Values"], strict=True)
    at, value = max(pairs, key=lambda pair: pair[0])
    # the point's own period is in the query
    return Reading(as_number(value, "the newest value"), reach=question.reach_of(at.timestamp()))
