"""What the pages for people name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from deploy.sandbox.kube import EmbeddedKubernetes
from handlers.adapters.kube import Access, Kube
from schemas.alerts import AlertType
from schemas.analysis import Analysis, HookType
from schemas.metrics import ProviderType
from schemas.resources import ALERT_PROVIDER, CUSTOM_RESOURCE_DEFINITION, METRIC_TEMPLATE
from schemas.settings import Settings
from tests.handlers.adapters.metrics.wires import SECRETS

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    path.relative_to(ROOT)
    for folder in (".", "deploy", "handlers", "watcher", "schemas", "tests")
    for path in ((ROOT / folder).glob("*.md") if folder == "." else (ROOT / folder).rglob("*.md"))
)
HOOKS = ROOT / "handlers/adapters/webhooks/README.md"
METRICS, ALERTS = ROOT / "handlers/adapters/metrics/README.md", ROOT / "handlers/adapters/alerts/README.md"
pages = pytest.mark.parametrize("page", PAGES, ids=str)


def text_of(page: Path) -> str:
    return (ROOT / page).read_text()


@pages
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", text_of(page))
    assert [link for link in links if "://" not in link and not (ROOT / page.parent / link).exists()] == []


@pages
def test_files_and_folders_that_are_named_exist(page: Path) -> None:
    named = re.findall(r"`((?:handlers|watcher|schemas|tests|deploy)/[\w./-]+)`", text_of(page))
    assert [name for name in named if not (ROOT / name).exists()] == []


@pages
def test_make_targets_that_are_named_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"`make ([a-z][a-z0-9-]*)", text_of(page))
    for block in re.findall(r"^```\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL):
        named += re.findall(r"^make ([a-z][a-z0-9-]*)", block, re.MULTILINE)
    assert [name for name in named if name not in targets] == []


@pages
def test_settings_that_are_named_exist(page: Path) -> None:
    known = {f"CANARYBUS_{name.upper()}" for name in Settings.model_fields} | {"CANARYBUS_TEST_CLUSTER"}
    named = re.findall(r"`(CANARYBUS_[A-Z_]+[A-Z])(?![A-Z_…])", text_of(page))
    assert [name for name in named if name not in known] == []


@pages
def test_parts_of_a_canary_can_be_read(page: Path) -> None:
    for part in re.findall(r"^```yaml canary\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL):
        analysis = Analysis.model_validate(yaml.safe_load(part))
        assert analysis.metrics or analysis.webhooks or analysis.alerts
        assert all(hook.hook_type for hook in analysis.webhooks)


def rows_of(page: Path) -> dict[str, str]:
    """Of tables whose first column is a name."""
    return {line.split("`")[1]: line for line in page.read_text().splitlines() if line.startswith("| `")}


def test_the_pages_about_metrics_and_alerts_have_every_type_and_the_keys_of_its_secret() -> None:
    rows = rows_of(METRICS)
    assert set(ProviderType) <= rows.keys()
    assert [(kind, key) for kind, secret in SECRETS.items() for key in secret if f"`{key}`" not in rows[kind]] == []
    assert set(AlertType) <= rows_of(ALERTS).keys()


@pytest.mark.parametrize("page", [METRICS, ALERTS], ids=["metrics", "alerts"])
async def test_the_manifests_of_a_page_are_accepted_by_the_installed_definitions(page: Path) -> None:
    manifests = re.findall(r"^```yaml\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL)
    assert manifests
    async with EmbeddedKubernetes() as api, Kube(Access(api.url), user_agent="test") as kube:
        for path in (ROOT / "deploy/crds").glob("*.yaml"):
            await kube.create(CUSTOM_RESOURCE_DEFINITION, yaml.safe_load(path.read_text()))
        for manifest in map(yaml.safe_load, manifests):
            resource = {"MetricTemplate": METRIC_TEMPLATE, "AlertProvider": ALERT_PROVIDER}[manifest["kind"]]
            manifest["metadata"]["namespace"] = "default"
            await kube.create(resource, manifest)
            kept = await kube.get(resource, "default", manifest["metadata"]["name"])
            assert kept["spec"] == manifest["spec"], "no field was dropped"


def test_the_page_about_hooks_has_every_type() -> None:
    table = re.findall(r"^\| `([a-z-]+)`", HOOKS.read_text(), re.MULTILINE)
    assert {HookType(name) for name in table if "-" in name or name in ("rollout", "rollback", "event")} == set(
        HookType
    )
