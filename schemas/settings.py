"""Settings from the environment, prefix ``CANARYBUS_`` (design: interfaces). Durations as in manifests: ``10m``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from schemas.duration import format_duration, parse_duration


def _seconds(value: Any) -> Any:
    return parse_duration(value) if isinstance(value, str) else value


def _words(value: Any) -> Any:
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


def _at_least(shortest: float) -> Callable[[float], float]:
    def checked(seconds: float) -> float:
        if not seconds >= shortest:
            raise ValueError(f"{seconds:g}s is too short; give {format_duration(shortest)} or more")
        return seconds

    return checked


Wait = Annotated[float, BeforeValidator(_seconds), AfterValidator(_at_least(0.0))]
Period = Annotated[float, BeforeValidator(_seconds), AfterValidator(_at_least(0.1))]
"""What is done again and again: without a lower bound it would be done all the time."""
Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]


class Settings(BaseSettings):
    """Everything that can be set; ``python -m watcher --help`` and ``python -m handlers --help`` print this list."""

    model_config = SettingsConfigDict(env_prefix="CANARYBUS_", frozen=True, env_ignore_empty=True)

    nats_url: Words = Field(default=("nats://127.0.0.1:4222",), description="servers of the bus, comma-separated")
    nats_creds: str = Field(default="", description="path of a NATS credentials file")
    nats_nkey_seed: str = Field(default="", description="path of a NATS nkey seed file")
    nats_ca: str = Field(default="", description="path of the CA certificate of the bus")
    nats_cert: str = Field(default="", description="path of the client certificate for the bus")
    nats_key: str = Field(default="", description="path of the client key for the bus")
    nats_replicas: int = Field(default=1, ge=1, le=5, description="copies of each stream; 3 in production")
    metrics_server: str = Field(
        default="http://prometheus:9090", description="Prometheus for built-in checks and inline queries"
    )
    namespaces: Words = Field(default=(), description="namespaces to work in, comma-separated; empty: all")
    handlers: Words = Field(
        default=(), description="which handlers run here (analysis, bootstrap, command, notify); empty: all"
    )
    cluster_name: str = Field(default="", description="named in alerts")
    selector_labels: Words = Field(
        default=("app", "name", "app.kubernetes.io/name"), description="label keys that may select pods"
    )
    include_label_prefix: Words = Field(
        default=(), description="label and annotation prefixes copied to generated objects"
    )
    provider: str = Field(default="gloo", description="provider of Canaries that name none")
    resync: Period = Field(default=600.0, description="how often everything around a Canary is compared all the same")
    drain: Wait = Field(
        default=5.0, description="wait between routes that no longer name the canary and scaling it to zero"
    )
    gateway_settle: Wait = Field(default=5.0, description="wait after a route change when the gateway never reports")
    regex_max_program_size: int = Field(
        default=1024,
        ge=1,
        description="size up to which the gateway takes a regex, as in Gloo's Settings; 100 if they name none",
    )
    revision_history: int = Field(default=3, ge=1, description="newest revisions kept, beside those in use")
    config_tracking: bool = Field(default=True, description="ConfigMaps and Secrets are part of a revision")
    no_cross_namespace_refs: bool = Field(
        default=False, description="refuse templates, alert providers, upstreams elsewhere"
    )
    event_webhook: str = Field(default="", description="URL that hears of Canaries without an event hook")
    slack_url: str = Field(default="", description="webhook of Slack, or its chat.postMessage, that hears every alert")
    slack_token: str = Field(default="", repr=False, description="token of a Slack app, for a URL of Slack's API")
    slack_channel: str = Field(default="", description="channel of Slack that is written to")
    slack_user: str = Field(default="flagger", description="name under which Slack is written to")
    slack_proxy_url: str = Field(default="", description="HTTP proxy on the way to Slack")
    msteams_url: str = Field(default="", description="webhook of Microsoft Teams that hears every alert")
    msteams_proxy_url: str = Field(default="", description="HTTP proxy on the way to Microsoft Teams")
    no_data: Literal["hold", "fail", "pass"] = Field(
        default="hold", description="what an empty answer of a metric means"
    )
    min_interval: Period = Field(default=10.0, description="shortest analysis interval")
    workers: int = Field(default=16, ge=1, description="messages that one process works on at a time, per handler")
    port: int = Field(default=8080, description="of /metrics, /healthz, /readyz; 0: any free port")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least severe line that is logged: debug, info, warning or error"
    )
    log_format: Literal["json", "console"] = Field(
        default="json", description="json: an object a line; console: for people"
    )


def describe() -> str:
    """One line a setting: name, meaning, default as it is written in the environment."""
    fields = Settings.model_fields.items()
    return "\n".join(
        f"  CANARYBUS_{name.upper():<24} {field.description} [{_written(field)}]" for name, field in fields
    )


def _written(field: FieldInfo) -> str:
    match field.default:
        case tuple() as words:
            return ",".join(words)
        case float() as seconds:
            return format_duration(seconds).removesuffix("m0s") + "m" * (seconds >= 60 and seconds % 60 == 0)
        case bool() as switch:
            return str(switch).lower()
        case other:
            return str(other)
