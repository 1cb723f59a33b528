"""What is checked in is what the models say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from schemas.events import Change, Command, DeadLetter, NoticeMessage, Reply, StepResult, Tick
from schemas.generate import __main__ as generate
from schemas.generate.messages import CHANNELS, asyncapi, event_schemas

COLUMNS = [
    ("Status", 0, ".status.phase"),
    ("Weight", 0, ".status.canaryWeight"),
    ("Suspended", 1, ".spec.suspend"),
    ("FailedChecks", 1, ".status.failedChecks"),
    ("Interval", 1, ".spec.analysis.interval"),
    ("Mirror", 1, ".spec.analysis.mirror"),
    ("StepWeight", 1, ".spec.analysis.stepWeight"),
    ("StepWeights", 1, ".spec.analysis.stepWeights"),
    ("MaxWeight", 1, ".spec.analysis.maxWeight"),
    ("LastTransitionTime", 0, ".status.lastTransitionTime"),
]


def test_the_files_under_deploy_are_in_step_with_the_models() -> None:
    assert generate.stale() == []


def test_a_stale_a_missing_and_a_left_over_file_are_named_and_mended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    generate.write(tmp_path)
    (tmp_path / "crds" / "canary.yaml").write_text("edited by hand")
    (tmp_path / "schemas" / "tick.json").unlink()
    (tmp_path / "schemas" / "forgotten.json").write_text("{}")
    monkeypatch.setattr(generate, "stale", lambda found=generate.stale: found(tmp_path))

    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().err.split("\n") == [
        "deploy/crds/canary.yaml is stale: run make schemas",
        "deploy/schemas/forgotten.json is stale: run make schemas",
        "deploy/schemas/tick.json is stale: run make schemas",
        "",
    ]
    monkeypatch.undo()
    assert len(generate.write(tmp_path)) == 3
    assert generate.stale(tmp_path) == []
    assert not (tmp_path / "schemas" / "forgotten.json").exists()


def test_people_find_the_columns_where_the_peer_has_them() -> None:
    definition = yaml.safe_load((generate.ROOT / "crds" / "canary.yaml").read_text())
    columns = definition["spec"]["versions"][0]["additionalPrinterColumns"]
    assert [(column["name"], column.get("priority", 0), column["jsonPath"]) for column in columns] == COLUMNS
    assert all(column["type"] != "date" for column in columns)


@pytest.mark.parametrize("name", ["canary", "metrictemplate", "alertprovider"])
def test_uninstalling_a_chart_keeps_the_definition(name: str) -> None:
    definition = yaml.safe_load((generate.ROOT / "crds" / f"{name}.yaml").read_text())
    assert definition["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert definition["spec"]["names"]["categories"] == ["all"]
    assert definition["spec"]["versions"][0]["subresources"] == {"status": {}}


def test_every_message_on_the_bus_is_described() -> None:
    described = {channel.payload for channel in CHANNELS}
    assert described >= {Change, Tick, StepResult, NoticeMessage, DeadLetter}
    assert Command.model_construct(verb="abort", namespace="test", name="podinfo").subject == next(
        channel.address.format(verb="abort", namespace="test", name="podinfo")
        for channel in CHANNELS
        if channel.name == "commands"
    )


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = asyncapi()
    for reference in _references(document):
        if reference.startswith("#/"):
            node = document
            for part in reference[2:].split("/"):
                node = node[part]
        else:
            schema = json.loads((generate.ROOT / "schemas" / reference).read_text())
            assert schema["type"] == "object"


def _references(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for child in node.values() for found in _references(child)]
    if isinstance(node, list):
        return [found for child in node for found in _references(child)]
    return []


def test_every_token_of_an_address_is_a_parameter_with_a_meaning() -> None:
    for name, channel in asyncapi()["channels"].items():
        tokens = set(re.findall(r"{(\w+)}", channel["address"] or ""))
        assert set(channel.get("parameters", {})) == tokens, name


def test_the_schema_of_a_reply_names_what_a_reply_carries() -> None:
    carried = set(Reply(accepted=False, message="no such Canary", code=404).to_wire())
    assert set(event_schemas()["reply"]["properties"]) == carried
