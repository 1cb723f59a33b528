"""What upstreams of another controller tell about the names that its Canary had."""

from __future__ import annotations

from typing import Any

from handlers.core.left_names import Primary, Trace, as_asked, traces, under_left_names
from schemas.canary import Canary
from schemas.names import Names
from tests.handlers.core.manifests import weighted
from tests.handlers.core.switched import arrived, left

OURS = {"uid": "u"}


def canary(**spec: Any) -> Canary:
    item = arrived(left("Succeeded", weighted())).item
    return Canary.from_object({**item, "spec": {**item["spec"], **spec}})


def upstream(name: str, primary: str = "podinfo-primary", *, owner: str = "u", made: str = "2026-01-01") -> Any:
    metadata = {"name": name, "ownerReferences": [{"uid": owner}], "creationTimestamp": made}
    return {"metadata": metadata, "spec": {"kube": {"selector": {"app": primary}}}}


def routes(service: str, port: int) -> Any:
    destination = {"upstream": {"name": f"test-{service}-primaryupstream-{port}", "namespace": "test"}}
    return {"spec": {"routes": [{"routeAction": {"multi": {"destinations": [{"destination": destination}]}}}]}}


def named(service: str, port: int, target: str = "podinfo", kind: str = "Deployment") -> Names:
    return Names(kind=kind, target=target, service=service, port=port)


def test_only_upstreams_of_this_canarys_primaries_tell_anything_and_the_youngest_tell_first() -> None:
    found = [
        upstream("test-podinfo-primaryupstream-80", made="2025-01-01"),
        upstream("test-podinfo-primaryupstream-9898"),
        upstream("test-podinfo-canaryupstream-9898", "podinfo"),
        upstream("test-podinfo-primaryupstream-81", owner="another"),
        upstream("other-podinfo-primaryupstream-82"),
        upstream("test-podinfo-primaryupstream-http"),
        {"metadata": {"name": "test-bare-primaryupstream-1", "ownerReferences": [OURS]}},
    ]
    assert traces(canary(), found) == (
        Trace("podinfo", 9898, "podinfo-primary"),
        Trace("podinfo", 80, "podinfo-primary"),
        Trace("bare", 1, ""),
    )


def test_the_names_of_the_spec_are_in_force_where_routes_lead_there_and_others_stay() -> None:
    asked = canary(service={"port": 9898})
    found = (as_asked(asked), Trace("shop", 80, "podinfo-primary"))
    tables = {"podinfo": routes("podinfo", 9898), "shop": routes("shop", 80)}
    known = under_left_names(asked, found, [Primary("Deployment", "podinfo-primary")], tables)
    assert (known.names, known.asked, known.status.former) == (named("podinfo", 9898), None, ())


def test_names_by_which_users_still_come_are_in_force_and_the_spec_asks_for_others() -> None:
    asked = canary(service={"port": 80})
    found = (as_asked(asked), Trace("podinfo", 9898, "podinfo-primary"))
    tables = {"podinfo": routes("podinfo", 9898)}
    known = under_left_names(asked, found, [Primary("Deployment", "podinfo-primary")], tables)
    assert (known.names, known.asked, known.status.former) == (named("podinfo", 9898), named("podinfo", 80), ())


def test_another_target_is_known_by_its_primary_until_that_of_the_spec_has_one() -> None:
    asked = canary(service={"port": 80, "name": "web"}, targetRef={"kind": "DaemonSet", "name": "agent"})
    found, tables = (Trace("web", 80, "podinfo-primary"),), {"web": routes("web", 80)}
    before = [Primary("Deployment", "podinfo-primary")]
    known = under_left_names(asked, found, before, tables)
    assert (known.names, known.asked) == (named("web", 80), named("web", 80, "agent", "DaemonSet"))
    known = under_left_names(asked, found, [*before, Primary("DaemonSet", "agent-primary")], tables)
    assert (known.names, known.asked) == (named("web", 80, "agent", "DaemonSet"), None)


def test_names_without_any_primary_are_not_in_force() -> None:
    asked = canary(service={"port": 80})
    known = under_left_names(asked, (Trace("shop", 9898, "shop-primary"),), [], {"shop": routes("shop", 9898)})
    assert (known.names, known.asked) == (named("podinfo", 80), None)


def test_a_label_that_is_not_the_name_of_the_target_changes_nothing() -> None:
    asked = canary(service={"port": 9898})
    found, tables = (Trace("podinfo", 9898, "frontend-primary"),), {"podinfo": routes("podinfo", 9898)}
    known = under_left_names(asked, found, [Primary("Deployment", "podinfo-primary")], tables)
    assert (known.names, known.asked, known.status.former) == (named("podinfo", 9898), None, ())


def test_another_kind_under_the_same_name_is_another_target() -> None:
    asked = canary(service={"port": 9898}, targetRef={"kind": "DaemonSet", "name": "podinfo"})
    found, tables = (as_asked(asked),), {"podinfo": routes("podinfo", 9898)}
    known = under_left_names(asked, found, [Primary("Deployment", "podinfo-primary")], tables)
    assert (known.names, known.asked) == (named("podinfo", 9898), named("podinfo", 9898, kind="DaemonSet"))
