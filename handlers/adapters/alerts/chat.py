"""Slack, and the two that take Slack's payload: Discord and Rocket.Chat."""

from __future__ import annotations

from typing import Any

from handlers.adapters.alerts.alert import Alert, Destination, Posted, Request

_BLUE, _RED = "#0076D7", "#FF0000"
_POST, _UPDATE = "/chat.postMessage", "/chat.update"


class Slack:
    """An incoming webhook; with a token the bot's ``chat.postMessage``, whose messages can be edited."""

    label = "Slack"

    def request(self, destination: Destination, alert: Alert, edited: Posted | None) -> Request:
        if _POST in destination.address and not destination.token:
            raise ValueError(
                "Slack's chat.postMessage needs a token: key token of the provider's Secret, or CANARYBUS_SLACK_TOKEN"
            )
        body = _payload(self.label, destination, alert, "danger" if alert.bad else "good")
        headers = {"Authorization": f"Bearer {destination.token}"} if destination.token else {}
        if edited is None or not is_bot(destination):
            return Request(destination.address, body, headers)
        url = destination.address.replace(_POST, _UPDATE)
        return Request(url, {**body, "channel": edited.channel, "ts": edited.message}, headers)


class Discord:
    """Discord takes Slack's payload at ``/slack`` below its webhook."""

    label = "Discord"

    def request(self, destination: Destination, alert: Alert, edited: Posted | None) -> Request:  # noqa: ARG002 - cannot be edited
        address = destination.address.rstrip("/")
        url = address if address.endswith("/slack") else f"{address}/slack"
        return Request(url, _payload(self.label, destination, alert, "danger" if alert.bad else "good"), {})


class Rocket:
    label = "Rocket"

    def request(self, destination: Destination, alert: Alert, edited: Posted | None) -> Request:  # noqa: ARG002 - cannot be edited
        return Request(destination.address, _payload(self.label, destination, alert, _RED if alert.bad else _BLUE), {})


def is_bot(destination: Destination) -> bool:
    return bool(destination.token) and _POST in destination.address


def _payload(label: str, destination: Destination, alert: Alert, colour: str) -> dict[str, Any]:
    for what, value in (("username", destination.username), ("channel", destination.channel)):
        if not value:
            raise ValueError(f"empty {label} {what}")
    return {
        "channel": destination.channel,
        "username": destination.username,
        "icon_url": "",
        "icon_emoji": ":rocket:",
        "attachments": [
            {
                "color": colour,
                "author_name": alert.author,
                "text": alert.text,
                "mrkdwn_in": ["text"],
                "fields": [{"title": name, "value": value, "short": False} for name, value in alert.fields],
            }
        ],
    }
