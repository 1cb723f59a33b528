"""Alerting: a step's alert goes to one AlertProvider, or to the one of the settings, once."""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Callable

from pydantic import ValidationError

from handlers.adapters.alerts import Alert, Alerts, Destination, Posted
from handlers.adapters.errors import AdapterError, NotFound, PermanentError
from handlers.adapters.kube import Kube
from handlers.core.alerting import EVERYWHERE, Told, entries, fields, told
from handlers.core.heard import Heard
from schemas.alerts import AlertProvider, AlertType
from schemas.canary import Canary
from schemas.events import StepResult
from schemas.resources import ALERT_PROVIDER, CANARY, SECRET
from schemas.settings import Settings

log = logging.getLogger("canarybus.alerting")


def everywhere(settings: Settings) -> bool:
    """Whether the settings name a receiver of all alerts."""
    return bool(settings.slack_url or settings.msteams_url)


class Alerting:
    """``count`` hears of each alert: the provider's type, and what came of it in a word."""

    def __init__(self, kube: Kube, alerts: Alerts, settings: Settings, count: Callable[[str, str], None]) -> None:
        self._kube = kube
        self._alerts = alerts
        self._settings = settings
        self._count = count

    async def tell(self, canary: Canary, result: StepResult, receiver: str) -> None:
        """Raises :class:`AdapterError` in words without addresses: transient ones are worth another try."""
        about = told(canary, result, receiver)
        heard = Heard.read(canary.status.alerts.get(receiver, ""))
        if about is None or result.step in heard.steps:
            return
        kind = "unknown"
        try:
            destination = await self._destination(canary, receiver)
            kind = destination.type.value
            posted = await self._send(canary, result, about, destination, heard)
        except AdapterError:
            self._count(kind, "failed")
            raise
        self._count(kind, "sent")
        await self._remember(canary, receiver, heard.after(result.began, result.step, posted))

    async def _send(
        self, canary: Canary, result: StepResult, about: Told, destination: Destination, heard: Heard
    ) -> Posted | None:
        if heard.overtaken(result.began, result.step):
            return None
        alert = Alert(
            author=str(canary.ref),
            text=about.text,
            severity=about.severity,
            fields=fields(canary, result, about, self._settings.cluster_name),
        )
        known = heard.of(result.began)
        return await self._alerts.send(destination, alert, Posted(*known) if known else None)

    async def _remember(self, canary: Canary, receiver: str, heard: Heard) -> None:
        """So that nothing is told twice, and the next alert edits the message. Forgetting costs one more message."""
        body = {"metadata": {"uid": canary.metadata.uid}, "status": {"alerts": {receiver: heard.line}}}
        try:
            await self._kube.patch(CANARY, canary.ref.namespace, canary.ref.name, body, subresource="status")
        except AdapterError as error:
            # it was sent all the same: telling it again would not mend this
            log.warning("an alert is not remembered", extra={"canary": str(canary.ref), "error": str(error)})

    async def _destination(self, canary: Canary, receiver: str) -> Destination:
        if receiver == EVERYWHERE:
            return _of_settings(self._settings)
        ref = next(iter(entries(canary, receiver))).provider_ref
        assert ref is not None  # noqa: S101 - entries have one
        namespace = ref.namespace or canary.metadata.namespace
        place = f"alert provider {ref.name}.{namespace}"
        try:
            provider = AlertProvider.model_validate(await self._kube.get(ALERT_PROVIDER, namespace, ref.name))
        except NotFound as error:
            raise PermanentError(f"{place} error: not found; create it or mend providerRef") from error
        except ValidationError as error:
            raise PermanentError(f"{place} error: {error.errors()[0]['msg']}") from error
        return await self._of_provider(provider, place)

    async def _of_provider(self, provider: AlertProvider, place: str) -> Destination:
        spec = provider.spec
        found = Destination(
            type=spec.type,
            address=spec.address,
            channel=spec.channel or "general",
            username=spec.username or "flagger",
            proxy=spec.proxy,
        )
        if spec.secret_ref is None:
            return found
        try:
            secret = await self._kube.get(SECRET, provider.metadata.namespace, spec.secret_ref.name)
        except NotFound as error:
            raise PermanentError(f"{place} secretRef error: Secret {spec.secret_ref.name} not found") from error
        data = {key: _plain(value) for key, value in (secret.get("data") or {}).items() if key in ("address", "token")}
        if not data.get("address"):
            raise PermanentError(f"{place} secret does not contain an address")
        return Destination(**(vars(found) | {"address": data["address"], "token": data.get("token", "")}))


def _of_settings(settings: Settings) -> Destination:
    """Teams if its URL is set, else Slack, as with the peer."""
    if settings.msteams_url:
        return Destination(AlertType.MSTEAMS, settings.msteams_url.strip(), proxy=settings.msteams_proxy_url)
    return Destination(
        AlertType.SLACK,
        settings.slack_url.strip(),
        token=settings.slack_token.strip(),
        channel=settings.slack_channel or "general",
        username=settings.slack_user,
        proxy=settings.slack_proxy_url,
    )


def _plain(value: str) -> str:
    """White space around a pasted address or token is no part of it."""
    try:
        return base64.b64decode(value).decode().strip()
    except (binascii.Error, UnicodeDecodeError):
        return ""
