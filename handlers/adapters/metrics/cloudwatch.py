"""Amazon CloudWatch through boto3, which signs requests and finds credentials (IRSA, environment, instance role)."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, ClassVar, NamedTuple

import httpx
import orjson

from handlers.adapters.hiding import hidden
from handlers.adapters.metrics.extras import missing
from handlers.adapters.metrics.http import Refused, Unreachable, as_number, several, url_of
from handlers.adapters.metrics.question import Question, Reading, Tools

_WINDOWS = 10
"""Intervals that are asked for: CloudWatch is minutes late."""
_POINTS = 20
_THROTTLED = ("Throttling", "ThrottlingException", "RequestLimitExceeded", "InternalServiceFault")
_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_AMAZON = re.compile(
    r"(?:[a-z0-9-]+\.)?monitoring(?:-fips)?\.[a-z0-9-]+(?:\.vpce)?\.(?:amazonaws\.com(?:\.cn)?|api\.aws)"
)
_CONNECT, _READ, _ATTEMPTS = 2, 4, 2
"""Seconds and attempts that fit into the time limit: a thread that hangs longer would be missing afterwards."""
_THREADS = 4
_MOST_CLIENTS = 32


class _Client(NamedTuple):
    """boto3 has no types of its own; the session knows the credentials."""

    asks: Any
    session: Any


class CloudWatch:
    """The query is a JSON array of MetricDataQuery; the newest value of the one that returns data.

    The workload's own identity signs for CloudWatch itself alone: another address needs keys in the template's Secret.
    """

    default_address: ClassVar[str] = ""
    timeout: ClassVar[float] = 15.0

    def __init__(self, tools: Tools) -> None:  # noqa: ARG002 - boto3 speaks for itself
        self._clients: dict[tuple[str, ...], _Client] = {}
        self._making = threading.Lock()
        # of its own: a service that hangs must not hold the threads in which everybody looks up names
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="cloudwatch")

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
        keys = _keys(question.secret)
        if question.address:
            _need_trusted(url_of(question.address, "", "cloudwatch"), keys)
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, question, queries, keys)

    def _ask(self, question: Question, queries: list[Any], keys: tuple[str, ...]) -> dict[str, Any]:
        """In a thread: imports, credentials and the answer are all waited for."""
        try:
            import boto3  # noqa: F401 - whether it is there at all
            from botocore import exceptions
        except ImportError as error:
            raise missing("cloudwatch", "boto3") from error
        shown: tuple[str, ...] = keys
        try:
            client, session = self._client(question.region, question.address, keys)
            shown = _credentials(session)
            answer: dict[str, Any] = client.get_metric_data(
                MetricDataQueries=queries,
                StartTime=datetime.fromtimestamp(question.now - _WINDOWS * question.window, UTC),
                EndTime=datetime.fromtimestamp(question.now, UTC),
                MaxDatapoints=_POINTS,
                ScanBy="TimestampDescending",
            )
        except exceptions.ClientError as error:
            busy = (
                error.response.get("Error", {}).get("Code") in _THROTTLED
                or _status(error) == 429
                or _status(error) >= 500
            )
            raise (Unreachable if busy else Refused)(hidden(str(error), shown)) from error
        except (exceptions.ParamValidationError, exceptions.NoCredentialsError, exceptions.NoRegionError) as error:
            raise Refused(" ".join(str(error).split())) from error
        except (exceptions.BotoCoreError, OSError) as error:
            raise Unreachable(hidden(str(error), shown)) from error
        return answer

    def _client(self, region: str, address: str, keys: tuple[str, ...]) -> _Client:
        """Making one reads files and is slow, asking through it is safe from any thread.

        One without credentials is not kept: they may be there the next time.
        """
        import boto3
        from botocore import exceptions
        from botocore.config import Config

        name = (region, address, *keys)
        if found := self._clients.get(name):
            return found
        session = boto3.session.Session(*keys, region_name=region)
        if session.get_credentials() is None:
            raise exceptions.NoCredentialsError
        retries = {"total_max_attempts": _ATTEMPTS, "mode": "standard"}
        config = Config(connect_timeout=_CONNECT, read_timeout=_READ, retries=retries)
        with self._making:
            if name not in self._clients:
                if len(self._clients) >= _MOST_CLIENTS:
                    self._clients.pop(next(iter(self._clients)))
                asks = session.client("cloudwatch", endpoint_url=address or None, config=config)
                self._clients[name] = _Client(asks, session)
            return self._clients[name]


def _keys(secret: Mapping[str, str] | None) -> tuple[str, ...]:
    """The template's own; empty for the workload's identity."""
    found = {key: (secret or {}).get(key, "").strip() for key in _KEYS}
    if not any(found.values()):
        return ()
    for key in _KEYS[:2]:
        if not found[key]:
            raise ValueError(f"cloudwatch credentials does not contain {key}")
    return tuple(filter(None, found.values()))


def _need_trusted(url: httpx.URL, keys: tuple[str, ...]) -> None:
    if not keys and not (url.scheme == "https" and _AMAZON.fullmatch(url.host)):
        raise Refused(
            f"the address {url.host} is not CloudWatch's own, so that our identity is not used there; "
            f"give the template a Secret with {_KEYS[0]} and {_KEYS[1]}"
        )


def _credentials(session: Any) -> tuple[str, ...]:
    return tuple(value for value in session.get_credentials().get_frozen_credentials() if isinstance(value, str))


def _status(error: Exception) -> int:
    response: dict[str, Any] = getattr(error, "response", {})
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _reading(answer: dict[str, Any], question: Question) -> Reading:
    results = answer.get("MetricDataResults")
    if not isinstance(results, list):
        raise Refused("the answer has no results")
    if len(results) > 1:
        raise several(f"{item.get('Id')} ({item.get('Label')})" for item in results)
    if not results:
        return Reading(None)
    _raise_for(results[0])
    pairs = zip(results[0].get("Timestamps") or (), results[0].get("Values") or (), strict=True)
    known = [pair for pair in pairs if pair[1] is not None]
    if not known:
        return Reading(None)
    at, value = max(known, key=lambda pair: pair[0])
    # the point's own period is in the query
    return Reading(as_number(value, "the newest value"), reach=question.reach_of(at.timestamp()))


def _raise_for(result: dict[str, Any]) -> None:
    """A result has a status of its own: nothing that nobody was allowed to see is no data."""
    code = result.get("StatusCode")
    if code in ("Forbidden", "InternalError"):
        words = "; ".join(str(item.get("Value")) for item in result.get("Messages") or ())
        detail = f"error response: {code}{': ' if words else ''}{words}"
        raise (Unreachable if code == "InternalError" else Refused)(detail)
