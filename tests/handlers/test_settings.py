"""What is set in the environment reaches what it is for."""

from __future__ import annotations

import pytest

from handlers.addressees import Addressees
from handlers.alerting import _of_settings
from handlers.app import App
from handlers.observe import Observer
from schemas.alerts import AlertType
from schemas.resources import CANARY
from schemas.settings import Settings
from tests.handlers.house import NAMESPACE, REF, House


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "SELECTOR_LABELS": "tier, app",
        "GATEWAY_SETTLE": "7s",
        "DRAIN": "1m",
        "MIN_INTERVAL": "2s",
        "NO_DATA": "pass",
        "INCLUDE_LABEL_PREFIX": "team",
        "NO_CROSS_NAMESPACE_REFS": "true",
        "REGEX_MAX_PROGRAM_SIZE": "100",
    }.items():
        monkeypatch.setenv(f"CANARYBUS_{name}", value)


async def test_every_decision_is_made_under_the_rules_that_are_set(house: House, environment: None) -> None:
    await house.prepare()
    await house.initialized()
    sight = await Observer(house.admin, Settings()).look(REF, house.slot())
    assert sight is not None
    rules = sight.seen.rules
    assert (rules.selector_labels, rules.include_label_prefix) == (("tier", "app"), ("team",))
    assert (rules.gateway_settle, rules.drain, rules.min_interval) == (7, 60, 2)
    assert (rules.no_data, rules.no_cross_namespace_refs, rules.regex_max_program_size) == ("pass", True, 100)


def test_a_process_takes_the_messages_of_the_handlers_that_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARYBUS_HANDLERS", "command, notify")
    assert App(Settings()).durables == ("command", "notify", "notices")


async def test_canaries_that_name_no_provider_are_ours_if_the_one_that_is_set_is(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.prepare()
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"spec": {"provider": None}})
    for provider, ours in (("istio", 0), ("gloo", 1)):
        monkeypatch.setenv("CANARYBUS_PROVIDER", provider)
        assert len(await Addressees(house.admin, Settings()).of(REF)) == ours


def test_alerts_of_nobody_in_particular_go_where_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLACK_URL", "SLACK_CHANNEL", "SLACK_USER", "SLACK_PROXY_URL", "SLACK_TOKEN"):
        monkeypatch.setenv(f"CANARYBUS_{name}", name.lower())
    found = _of_settings(Settings())
    assert (found.type, found.address, found.channel) == (AlertType.SLACK, "slack_url", "slack_channel")
    assert (found.username, found.proxy, found.token) == ("slack_user", "slack_proxy_url", "slack_token")
    monkeypatch.setenv("CANARYBUS_MSTEAMS_URL", "teams")
    monkeypatch.setenv("CANARYBUS_MSTEAMS_PROXY_URL", "proxy")
    found = _of_settings(Settings())
    assert (found.type, found.address, found.proxy) == (AlertType.MSTEAMS, "teams", "proxy")
