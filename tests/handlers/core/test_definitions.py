from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from handlers.core.definitions import definition_problem

OURS: dict[str, Any] = yaml.safe_load((Path(__file__).parents[3] / "deploy" / "crds" / "canary.yaml").read_text())


def test_our_own_definition_keeps_every_field_that_we_write() -> None:
    assert definition_problem(OURS) == ""


def test_a_definition_that_would_drop_our_fields_is_reported_with_the_remedy() -> None:
    theirs = copy.deepcopy(OURS)
    del theirs["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["routeStep"]
    problem = definition_problem(theirs)
    assert "routeStep" in problem
    assert "kubectl apply --server-side -f deploy/crds" in problem


def test_a_definition_that_keeps_unknown_fields_is_fine() -> None:
    theirs = copy.deepcopy(OURS)
    status = theirs["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
    status.pop("properties")
    status["x-kubernetes-preserve-unknown-fields"] = True
    assert definition_problem(theirs) == ""


def test_no_definition_at_all_and_another_version_are_reported() -> None:
    assert "there is no CustomResourceDefinition" in definition_problem(None)
    other = copy.deepcopy(OURS)
    other["spec"]["versions"][0]["name"] = "v1alpha1"
    assert "has no version v1beta1" in definition_problem(other)
