"""Who moved an object is told by its managed fields, as a real API server (1.36) writes them."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.resources import DEPLOYMENT, MANAGER, ROUTE_TABLE, SERVICE
from watcher.compare import Meta
from watcher.writers import edited

Entry = dict[str, Any]
_NOON = "2026-03-01T12:00:0{}Z"


def by(manager: str, second: int, fields: Entry, subresource: str = "") -> Entry:
    entry = {"manager": manager, "operation": "Update", "time": _NOON.format(second), "fieldsV1": fields}
    return entry | ({"subresource": subresource} if subresource else {})


def fields(*spec: str, **metadata: list[str]) -> Entry:
    found: Entry = {"f:spec": {f"f:{name}": {} for name in spec}} if spec else {}
    worn: Entry = {f"f:{field}": {f"f:{key}": {} for key in keys} for field, keys in metadata.items()}
    return found | ({"f:metadata": worn} if worn else {})


def meta(*managed: Entry, kind: str = ROUTE_TABLE.kind, owner: str = "") -> Meta:
    metadata: Entry = {"resourceVersion": "1", "uid": "u", "managedFields": list(managed)}
    if owner:
        metadata["ownerReferences"] = [{"apiVersion": "flagger.app/v1beta1", "kind": owner, "name": "podinfo"}]
    return Meta.of({"metadata": metadata}, kind)


FENCE = ["canarybus.dev/route-step"]
OURS = by(MANAGER, 3, fields("routes", "selector", annotations=FENCE))
LESS = by(MANAGER, 3, fields("selector", annotations=FENCE))
STATUS: Entry = {"f:status": {"f:statuses": {}}}
SIZE: Entry = {"f:spec": {"f:replicas": {}}}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param([OURS], [LESS, by("kubectl-edit", 3, fields("routes"))], True, id="takes what is ours"),
        pytest.param([OURS], [LESS], True, id="removes what is ours, and manages nothing"),
        pytest.param([OURS], [], True, id="takes all"),
        pytest.param([OURS], [OURS, by("kubectl", 5, fields("weight"))], True, id="adds a field"),
        pytest.param(
            [LESS, by("helm", 1, fields("routes"))],
            [LESS, by("helm", 5, fields("routes"))],
            True,
            id="writes its own field again",
        ),
        pytest.param(
            [OURS],
            [by(MANAGER, 3, fields("routes", "selector")), by("kubectl", 4, fields(annotations=FENCE))],
            True,
            id="forges a fence",
        ),
        pytest.param(
            [OURS, by("kubectl", 4, fields("weight"))],
            [OURS, by("kubectl", 4, fields("weight", "host"))],
            False,
            id="writes twice within a second: the first was told",
        ),
        pytest.param([OURS], [by(MANAGER, 5, OURS["fieldsV1"])], False, id="we write"),
        pytest.param([LESS], [OURS], False, id="we write more within the second"),
        pytest.param(
            [LESS, by("kubectl", 4, fields("routes"))], [by(MANAGER, 4, OURS["fieldsV1"])], False, id="repair"
        ),
        pytest.param(
            [OURS, by("kubectl", 4, fields("weight", "host"))],
            [by(MANAGER, 5, OURS["fieldsV1"]), by("kubectl", 4, fields("host"))],
            False,
            id="we take a part of theirs",
        ),
        pytest.param([OURS], [by(MANAGER, 5, LESS["fieldsV1"])], False, id="we set one field and remove another"),
        pytest.param([by("kubectl", 1, fields("routes"))], [OURS], False, id="we write for the first time"),
        pytest.param([by("kubectl", 1, fields("a"))], [by("kubectl", 9, fields("b"))], False, id="is none of ours"),
        pytest.param([OURS], [OURS, by("gloo", 4, STATUS)], False, id="reports"),
        pytest.param([OURS, by("gloo", 4, STATUS)], [OURS, by("gloo", 9, STATUS)], False, id="reports again"),
        pytest.param([OURS, by("gloo", 4, STATUS)], [by(MANAGER, 9, OURS["fieldsV1"])], False, id="we clear a report"),
        pytest.param(
            [OURS, by("gloo", 4, STATUS | fields("weight"))],
            [OURS, by("gloo", 9, STATUS | fields("weight"))],
            False,
            id="reports, and wrote content before",
        ),
        pytest.param(
            [LESS, by("gloo", 4, STATUS | fields("routes", "host"))],
            [by(MANAGER, 5, OURS["fieldsV1"]), by("gloo", 4, STATUS | fields("host"))],
            False,
            id="we take a part of what a reporter wrote",
        ),
        pytest.param(
            [OURS, by("gloo", 4, STATUS)],
            [OURS, by("gloo", 9, STATUS | fields("weight"))],
            True,
            id="reports, and begins to write content",
        ),
        pytest.param([OURS], [OURS, by("argocd", 4, fields(labels=["team"]))], False, id="puts a label of its own"),
    ],
)
def test_an_edit_is_what_somebody_else_does_to_the_content_of_an_object_that_we_wrote(
    before: list[Entry], after: list[Entry], told: bool
) -> None:
    assert edited(meta(*before).written, meta(*after).written) is told


@pytest.mark.parametrize(
    ("after", "told"),
    [
        pytest.param(by("kube-controller-manager", 4, SIZE, "scale"), False, id="an autoscaler scales it"),
        pytest.param(by("kubectl", 4, SIZE), False, id="a person scales it"),
        pytest.param(by("kube-controller-manager", 9, STATUS, "status"), False, id="its status moves"),
        pytest.param(
            by("kube-controller-manager", 4, fields(annotations=["deployment.kubernetes.io/revision"])),
            False,
            id="its controller counts",
        ),
        pytest.param(by("kubectl", 4, SIZE | fields("template", "replicas")), True, id="somebody edits the template"),
    ],
)
def test_the_size_of_a_workload_and_what_its_controller_writes_are_no_edit(after: Entry, told: bool) -> None:
    counted = ["deployment.kubernetes.io/revision"]
    made = meta(by(MANAGER, 3, fields("replicas", "template", annotations=counted)), kind=DEPLOYMENT.kind)
    kept = ["template"] if "f:template" not in after["fieldsV1"].get("f:spec", {}) else []
    now = meta(by(MANAGER, 3, fields(*kept, annotations=[])), after, kind=DEPLOYMENT.kind)
    assert edited(made.written, now.written) is told


def test_nothing_is_kept_of_an_object_that_we_did_not_write() -> None:
    assert meta(by("kubectl", 1, fields("routes")), by("gloo", 2, STATUS)).written is None


PEERS = by("flagger", 1, fields("selector", "ports", annotations=["kept"]))


@pytest.mark.parametrize(
    ("after", "told"),
    [
        pytest.param(
            [by("flagger", 1, fields("ports")), by("kubectl", 5, fields("selector"))], True, id="takes a field"
        ),
        pytest.param([by("flagger", 1, fields("ports", annotations=["kept"]))], True, id="removes a field"),
        pytest.param([PEERS, by("kubectl", 5, fields("weight"))], True, id="adds a field"),
        pytest.param([by("flagger", 5, PEERS["fieldsV1"])], True, id="is the peer, which still runs"),
        pytest.param([PEERS, by("kubectl", 5, fields(labels=["team"]))], False, id="puts a label of its own"),
        pytest.param([PEERS, by("gloo", 5, STATUS)], False, id="reports"),
        pytest.param([PEERS, by(MANAGER, 5, fields(annotations=FENCE))], False, id="we write a mark"),
        pytest.param([by("flagger", 1, fields("ports")), by(MANAGER, 5, fields("selector"))], False, id="we take it"),
        pytest.param([PEERS], False, id="nobody"),
    ],
)
def test_an_edit_of_what_the_peer_made_and_we_never_wrote_is_one_as_well(after: list[Entry], told: bool) -> None:
    before = meta(PEERS, kind=SERVICE.kind, owner="Canary").written
    assert edited(before, meta(*after, kind=SERVICE.kind, owner="Canary").written) is told
    assert meta(PEERS, kind=SERVICE.kind, owner="Deployment").written is None


def test_whoever_takes_all_that_is_ours_from_an_object_of_a_canary_has_edited_it() -> None:
    assert edited(meta(OURS, owner="Canary").written, meta(owner="Canary").written)
