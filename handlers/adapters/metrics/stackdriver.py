"""Google Cloud Monitoring: PromQL, or MQL as older templates have it. google-auth finds and refreshes the login."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, NamedTuple

import httpx
import orjson

from handlers.adapters.hiding import hidden
from handlers.adapters.metrics.extras import missing
from handlers.adapters.metrics.http import Refused, Unreachable, as_json, as_number, name_of, several, url_of
from handlers.adapters.metrics.prometheus import value_of
from handlers.adapters.metrics.question import Question, Reading, Tools
from handlers.adapters.metrics.reach import moment, of_promql

_SCOPES = ("https://www.googleapis.com/auth/monitoring.read",)
_THREADS = 4
_MOST_LOGINS = 32
_PATIENCE = 2.0
"""Seconds for each of the three attempts that google-auth makes to log in: they fit into the time limit."""
_MOST_BYTES = 64 * 1024
_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`")


class _Login(NamedTuple):
    credentials: Any
    project: str


class Stackdriver:
    """A Secret names the ``project`` and may hold a ``serviceAccountKey``; without one the workload's own identity."""

    default_address: ClassVar[str] = "https://monitoring.googleapis.com"
    timeout: ClassVar[float] = 10.0

    def __init__(self, tools: Tools) -> None:
        self._http = tools.http
        self._logins: dict[str, _Login] = {}
        # of its own: a login that hangs must not hold the threads in which everybody looks up names
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="stackdriver")

    async def read(self, question: Question) -> Reading:
        if is_mql(question.query):
            return _mql_reading(await self._mql(question, question.query), question)
        query = " ".join(question.query.split())
        return Reading(value_of(await self._promql(question, query)), reach=of_promql(query))

    async def check(self, question: Question) -> None:
        if value_of(await self._promql(question, "vector(1)")) != 1:
            raise Refused("vector(1) did not give 1")

    async def _promql(self, question: Question, query: str) -> Any:
        return await self._post(question, "location/global/prometheus/api/v1/query", "/v1", {"query": query})

    async def _mql(self, question: Question, query: str) -> Any:
        return await self._post(question, "timeSeries:query", "/v3", {"query": query})

    async def _post(self, question: Question, path: str, version: str, body: dict[str, str]) -> Any:
        url = url_of(question.address, "", "stackdriver")
        if not (question.secret or {}).get("serviceAccountKey", "").strip() and not _is_google(url):
            raise Refused(
                f"the address {url.host} is not Google's own, so that our identity is not used there; "
                "give the template a Secret with project and serviceAccountKey"
            )
        login = await asyncio.get_running_loop().run_in_executor(self._threads, self._login, question.secret)
        token = str(login.credentials.token)
        try:
            answer = await self._http.fetch(
                "POST",
                url_of(question.address, f"{version}/projects/{login.project}/{path}", "stackdriver"),
                headers=[("Authorization", f"Bearer {token}"), ("Content-Type", "application/json")],
                content=orjson.dumps(body),
            )
        except Refused as error:
            # the token is none of the Secret's values, which are hidden for every provider
            error.args = (hidden(str(error), [token]),)
            raise
        return as_json(answer)

    def _login(self, secret: Mapping[str, str] | None) -> _Login:
        """In a thread: google-auth waits for its answers. A token is kept until it is about to expire."""
        if secret is not None and not secret.get("project", "").strip():
            raise ValueError("stackdriver credentials does not contain a project id")
        name = hashlib.sha256(orjson.dumps(dict(secret or {}))).hexdigest()
        login = self._logins.get(name) or _find(secret or {})
        if not login.project:
            raise Refused("no project is known; give the template a Secret with the key project")
        if name not in self._logins and len(self._logins) >= _MOST_LOGINS:
            self._logins.pop(next(iter(self._logins)))
        self._logins[name] = login
        if not login.credentials.valid:
            _refresh(login.credentials)
        return login


def _is_google(url: httpx.URL) -> bool:
    return url.scheme == "https" and url.host.endswith(".googleapis.com")


def is_mql(query: str) -> bool:
    """PromQL has no pipe but in strings; MQL is a chain of them, or one ``fetch``."""
    return "|" in _STRING.sub("", query) or query.lstrip().startswith("fetch")


def _find(secret: Mapping[str, str]) -> _Login:
    try:
        import google.auth
        from google.oauth2 import service_account
    except ImportError as error:
        raise missing("stackdriver", "google-auth") from error
    key, project = secret.get("serviceAccountKey", "").strip(), secret.get("project", "").strip()
    try:
        if key:
            make: Any = service_account.Credentials.from_service_account_info
            found = make(_account(key), scopes=_SCOPES)
            return _Login(found, project or str(found.project_id or ""))
        default, own = google.auth.default(scopes=_SCOPES)
        return _Login(default, project or own or "")
    except (ValueError, google.auth.exceptions.GoogleAuthError) as error:
        raise Refused(f"no login for Google Cloud: {error}") from error


def _account(key: str) -> dict[str, Any]:
    try:
        found = orjson.loads(key)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Refused("no login for Google Cloud: serviceAccountKey is not the JSON object that Google gave for a key")
    return found


def _refresh(credentials: Any) -> None:
    from google.auth import exceptions

    try:
        credentials.refresh(_fetch)
    except exceptions.TransportError as error:
        raise Unreachable(f"no login for Google Cloud: {error}") from error
    except exceptions.GoogleAuthError as error:
        raise Refused(f"no login for Google Cloud: {error}") from error


class _Fetched(NamedTuple):
    """What google-auth expects of its transport."""

    status: int
    headers: Mapping[str, str]
    data: bytes


def _fetch(
    url: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    **_: Any,
) -> _Fetched:

    from google.auth import exceptions

    failure: Any = exceptions.TransportError
    over, data = time.monotonic() + _PATIENCE, b""
    try:
        with httpx.stream(method, url, content=body, headers=dict(headers or {}), timeout=_PATIENCE) as answer:
            for chunk in answer.iter_bytes():
                data += chunk
                if time.monotonic() > over or len(data) > _MOST_BYTES:
                    raise failure(
                        f"{httpx.URL(url).host} gives no login within {_PATIENCE:g} s and {_MOST_BYTES} bytes"
                    )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise failure(str(error)) from error
    return _Fetched(answer.status_code, answer.headers, data)


def _mql_reading(answer: Any, question: Question) -> Reading:
    match answer:
        case {"timeSeriesData": [{"pointData": [*points]}]}:
            return _newest(points, question)
        case {"timeSeriesData": [_, _, *_] as series}:
            raise several(name_of(item, "labelValues") for item in series)
        case {"error": {"message": words}}:
            raise Refused(f"query failed: {words}")
        case dict():
            return Reading(None)
        case _:
            raise Refused("the answer has no time series")


def _is_null(point: dict[str, Any]) -> bool:
    value = point["values"][0] if isinstance(point["values"], list) else None
    return isinstance(value, dict) and all(part is None for part in value.values())


def _reach(point: dict[str, Any], question: Question) -> float:
    """Back to the start of what the point tells about; a gauge's point is one moment, maybe of a window before it."""
    start, end = (moment(_time(point, which)) for which in ("startTime", "endTime"))
    late = 0.0 if end is None else question.reach_of(end)
    return late if start is None else max(late, question.now - start)


def _time(point: dict[str, Any], which: str) -> str:
    """RFC 3339 in UTC, which compares as text; empty for none."""
    interval = point.get("timeInterval")
    return str(interval.get(which, "")) if isinstance(interval, dict) else ""


def _newest(points: list[Any], question: Question) -> Reading:
    known = [point for point in points if isinstance(point, dict) and point.get("values") and not _is_null(point)]
    if not known:
        return Reading(None)
    newest = max(known, key=lambda point: _time(point, "endTime"))
    value = newest["values"][0] if isinstance(newest["values"], list) else None
    if not isinstance(value, dict):
        raise Refused("the newest point has no value of a known type")
    reach = _reach(newest, question)
    for kind in ("doubleValue", "int64Value"):
        if kind in value:
            return Reading(as_number(value[kind], kind), reach=reach)
    if "boolValue" in value:
        return Reading(float(bool(value["boolValue"])), reach=reach)
    raise Refused(f"the newest point is a {next(iter(value), 'nothing')}, not a number")
