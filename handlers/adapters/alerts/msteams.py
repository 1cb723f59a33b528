"""Microsoft Teams: the connector's MessageCard, or an Adaptive Card for a workflow of Power Automate."""

from __future__ import annotations

from typing import Any

import httpx

from handlers.adapters.alerts.alert import Alert, Destination, Posted, Request

_WORKFLOWS = (".logic.azure.com", ".powerplatform.com", ".powerautomate.com", ".logic.azure.us", ".logic.azure.cn")


class MsTeams:
    label = "MS Teams"

    def request(self, destination: Destination, alert: Alert, edited: Posted | None) -> Request:  # noqa: ARG002 - cannot be edited
        host = httpx.URL(destination.address).host
        card = _adaptive_card if host.endswith(_WORKFLOWS) else _message_card
        return Request(destination.address, card(alert), {})


def _message_card(alert: Alert) -> dict[str, Any]:
    return {
        "@type": "MessageCard",
        "@context": "http://schema.org/extensions",
        "themeColor": "FF0000" if alert.bad else "0076D7",
        "summary": alert.author,
        "sections": [
            {
                "activityTitle": alert.text,
                "activitySubtitle": alert.author,
                "facts": [{"name": name, "value": value} for name, value in alert.fields],
            }
        ],
    }


def _adaptive_card(alert: Alert) -> dict[str, Any]:
    colour = "attention" if alert.bad else "accent"
    body: list[dict[str, Any]] = [
        {"type": "TextBlock", "text": alert.text, "wrap": True, "weight": "bolder", "size": "medium", "color": colour},
        {"type": "TextBlock", "text": alert.author, "wrap": True, "isSubtle": True, "spacing": "none"},
    ]
    if alert.fields:
        body.append({"type": "FactSet", "facts": [{"title": name, "value": value} for name, value in alert.fields]})
    content = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": content,
    }
    return {"type": "message", "attachments": [attachment]}
