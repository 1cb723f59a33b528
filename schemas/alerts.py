"""AlertProvider, ``flagger.app/v1beta1`` (spec 1.3)."""

from __future__ import annotations

from enum import StrEnum

from schemas.base import Wire
from schemas.canary import Metadata
from schemas.metrics import SecretRef


class AlertType(StrEnum):
    SLACK = "slack"
    MSTEAMS = "msteams"
    DISCORD = "discord"
    ROCKET = "rocket"
    GCHAT = "gchat"


class AlertProviderSpec(Wire):
    """``address`` or a Secret with the key ``address`` (and ``token``, used by Slack only).

    Without words of its own ``channel`` is general and ``username`` flagger.
    """

    type: AlertType
    channel: str = ""
    username: str = ""
    address: str = ""
    proxy: str = ""
    secret_ref: SecretRef | None = None


class AlertProvider(Wire):
    metadata: Metadata
    spec: AlertProviderSpec
