"""Google Chat: one card, a section for the message and one for each field."""

from __future__ import annotations

from typing import Any

from handlers.adapters.alerts.alert import Alert, Destination, Posted, Request

_IMAGE = "https://flagger.app/favicon.png"


class GoogleChat:
    label = "Google Chat"

    def request(self, destination: Destination, alert: Alert, edited: Posted | None) -> Request:  # noqa: ARG002 - cannot be edited
        header = {"title": "Flagger", "subtitle": alert.author, "imageUrl": _IMAGE}
        sections = [_section(_strong(alert.text))]
        sections += [_section(f"{name}<br>{_strong(value)}") for name, value in alert.fields]
        return Request(destination.address, {"cards": [{"header": header, "sections": sections}]}, {})


def _strong(text: str) -> str:
    return f"<font color=#848484><strong>{text}</strong></font>"


def _section(text: str) -> dict[str, Any]:
    return {"widgets": [{"textParagraph": {"text": text}}]}
