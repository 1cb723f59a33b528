"""What the pages for people name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from schemas.analysis import Analysis, HookType
from schemas.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    path.relative_to(ROOT)
    for folder in (".", "deploy", "handlers", "watcher", "schemas", "tests")
    for path in ((ROOT / folder).glob("*.md") if folder == "." else (ROOT / folder).rglob("*.md"))
)
HOOKS = ROOT / "handlers/adapters/webhooks/README.md"
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


def test_the_page_about_hooks_has_every_type() -> None:
    table = re.findall(r"^\| `([a-z-]+)`", HOOKS.read_text(), re.MULTILINE)
    assert {HookType(name) for name in table if "-" in name or name in ("rollout", "rollback", "event")} == set(
        HookType
    )
