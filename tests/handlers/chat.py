"""A chat service that alerts are posted to."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web


class Chat:
    """Slack's webhook, or its bot, as a test says."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 200
        self.body: Any = "ok"
        self.heard: list[tuple[str, dict[str, Any]]] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.heard.append((request.path, json.loads(await request.read())))
        return web.Response(status=self.status, text=self.body if isinstance(self.body, str) else json.dumps(self.body))

    @property
    def texts(self) -> list[str]:
        return [body["attachments"][0]["text"] for _, body in self.heard]

    def fields(self, number: int) -> dict[str, str]:
        found = self.heard[number][1]["attachments"][0]["fields"]
        return {field["title"]: field["value"] for field in found}
