"""Faults over HTTP, for tests that talk to a server in another process."""

from __future__ import annotations

from dataclasses import asdict

import orjson
from aiohttp import web

from . import errors
from .faults import Faults


async def handle(asked: web.BaseRequest, path: str, faults: Faults) -> web.Response:
    """`/faults`: see faults.py. Raises StatusError 400 for a fault that does not exist."""
    match asked.method, path:
        case "POST", "/faults":
            try:
                faults.add(**orjson.loads(await asked.read()))
            except (TypeError, ValueError) as error:
                raise errors.bad_request(str(error)) from error
        case "DELETE", "/faults":
            faults.clear()
            faults.requests.clear()
        case "POST", "/faults/drop-watches":
            faults.drop_watches()
        case "POST", "/faults/compact":
            faults.compact()
        case "GET", "/faults":
            pass
        case _:
            raise errors.method_not_allowed()
    requests = [
        {"agent": agent, "verb": verb, "resource": resource, "count": count}
        for (agent, verb, resource), count in sorted(faults.requests.items())
    ]
    body = {"pending": [asdict(fault) for fault in faults.pending], "requests": requests}
    return web.Response(body=orjson.dumps(body), content_type="application/json")
