"""What is written to Services and upstreams that are there already."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from handlers.core import desired, patches, ports
from schemas.canary import Canary
from tests.handlers.core.cluster import KEYS
from tests.handlers.core.manifests import canary, weighted
from tests.handlers.core.test_workloads import target, with_ports

FLUX = {"kustomize.toolkit.fluxcd.io/reconcile": "disabled", "helm.toolkit.fluxcd.io/driftDetection": "disabled"}


def serving(**service: Any) -> Canary:
    return canary(weighted() | {"service": {"port": 80, "targetPort": 9898, **service}})


def apex(ours: Canary) -> dict[str, Any]:
    return desired.services(ours, target(), KEYS)["apex"]


def stored(made: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """As the API server has it."""
    kept = copy.deepcopy(made)
    kept["metadata"] |= {"resourceVersion": "8", **metadata}
    return kept


# ---- Services


def test_a_service_that_is_as_it_should_be_is_not_written_whatever_the_api_server_added() -> None:
    ours = serving(trafficDistribution="PreferClose", apex={"labels": {"team": "a"}})
    existing = stored(apex(ours))
    existing["spec"] |= {"clusterIP": "10.0.0.1", "sessionAffinity": "None", "ipFamilies": ["IPv4"]}
    existing["spec"]["ports"][0]["nodePort"] = 30080
    assert patches.service_patch(ours, existing, apex(ours)) is None


def test_labels_and_annotations_follow_the_spec_and_those_of_others_stay() -> None:
    before = serving(apex={"labels": {"team": "a", "tier": "web"}, "annotations": {"note": "x"}})
    existing = stored(apex(before))
    existing["metadata"]["labels"]["theirs"] = "kept"
    existing["metadata"]["annotations"]["cloud.example.com/neg"] = "kept"
    after = serving(apex={"labels": {"team": "b"}})
    patch = patches.service_patch(after, existing, apex(after))
    assert patch is not None
    assert patch["metadata"]["labels"] == {"team": "b", "tier": None}
    assert patch["metadata"]["annotations"]["note"] is None
    assert "cloud.example.com/neg" not in patch["metadata"]["annotations"]
    assert "spec" not in patch


def test_unmanaged_keys_keep_what_somebody_else_says() -> None:
    unmanaged = {"labels": ["team"], "annotations": ["note"]}
    ours = serving(apex={"labels": {"team": "a"}, "annotations": {"note": "x"}}, unmanagedMetadata=unmanaged)
    existing = stored(apex(ours))
    existing["metadata"]["labels"]["team"] = "theirs"
    existing["metadata"]["annotations"]["note"] = "theirs"
    assert patches.service_patch(ours, existing, apex(ours)) is None
    del existing["metadata"]["labels"]["team"]
    patch = patches.service_patch(ours, existing, apex(ours))
    assert patch is not None
    assert patch["metadata"]["labels"] == {"team": "a"}, "nobody says anything: the spec does"


def test_a_service_that_was_there_before_keeps_its_metadata_but_flux_must_not_take_it_back() -> None:
    ours = serving(apex={"labels": {"team": "a"}})
    existing: dict[str, Any] = {
        "metadata": {"name": "podinfo", "resourceVersion": "8", "labels": {"app": "theirs"}},
        "spec": {"selector": {"app": "podinfo", "tier": "web"}, "ports": [{"port": 80, "targetPort": 9898}]},
    }
    patch = patches.service_patch(ours, existing, apex(ours))
    assert patch is not None
    assert patch["metadata"] == {"resourceVersion": "8", "annotations": FLUX}
    assert patch["spec"]["selector"] == {"app": "podinfo-primary", "tier": None}
    assert [port["name"] for port in patch["spec"]["ports"]] == ["http"]
    existing["metadata"]["annotations"] = dict(FLUX)
    existing["spec"] = apex(ours)["spec"]
    assert patches.service_patch(ours, existing, apex(ours)) is None


def test_an_address_is_for_ever() -> None:
    existing = stored(apex(serving()))
    existing["spec"]["clusterIP"] = "10.0.0.1"
    headless = serving(headless=True)
    assert apex(headless)["spec"]["clusterIP"] == "None"
    assert patches.service_patch(headless, existing, apex(headless)) is None


def test_how_traffic_is_spread_follows_the_spec_but_is_not_taken_from_others() -> None:
    spread, plain = serving(trafficDistribution="PreferClose"), serving()
    existing = stored(apex(plain))
    patch = patches.service_patch(spread, existing, apex(spread))
    assert patch is not None
    assert patch["spec"] == {"trafficDistribution": "PreferClose"}
    patch = patches.service_patch(plain, stored(apex(spread)), apex(plain))
    assert patch is not None
    assert patch["spec"] == {"trafficDistribution": None}
    existing["spec"]["trafficDistribution"] = "PreferSameNode"
    assert patches.service_patch(plain, existing, apex(plain)) is None


@pytest.mark.parametrize(
    ("have", "want", "kept"),
    [
        ({"name": "http", "port": 80}, {"name": "http", "port": 81}, 30080),
        ({"name": "web", "port": 80}, {"name": "http", "port": 80}, 30080),
        ({"port": 80}, {"name": "http", "port": 80}, 30080),
        ({"name": "web", "port": 80}, {"name": "http", "port": 81}, None),
    ],
    ids=["by its name", "by its number", "one without a name", "another port"],
)
def test_a_node_port_is_kept(have: dict[str, Any], want: dict[str, Any], kept: int | None) -> None:
    (made,) = ports.with_node_ports([{**have, "nodePort": 30080}], [want])
    assert made.get("nodePort") == kept


def test_two_ports_never_get_the_same_node_port() -> None:
    have = [{"name": "http", "port": 80, "nodePort": 30080}]
    made = ports.with_node_ports(have, [{"name": "http", "port": 81}, {"name": "admin", "port": 80}])
    assert [port.get("nodePort") for port in made] == [30080, None]


def test_the_order_of_ports_says_nothing() -> None:
    have = [{"name": "a", "port": 1}, {"name": "b", "port": 2, "protocol": "TCP", "targetPort": 2}]
    want = [{"name": "b", "port": 2}, {"name": "a", "port": 1}]
    assert not ports.differ(have, want)
    assert ports.differ(have, [{"name": "b", "port": 2}, {"name": "a", "port": 1, "targetPort": "web"}])
    assert ports.differ(have, [{"name": "b", "port": 2}, {"name": "a", "port": 1, "appProtocol": "h2c"}])


def test_discovered_ports_have_names_that_a_service_may_have() -> None:
    item = with_ports({"containerPort": 9898, "name": "http"}, {"containerPort": 1}, {"containerPort": 2, "name": "a"})
    containers = item.item["spec"]["template"]["spec"]["containers"]
    containers[0]["name"] = "c" * 63
    containers.append(
        {"name": "second", "ports": [{"containerPort": 3, "name": "a"}, {"containerPort": 3, "name": "b"}]}
    )
    containers.append({"name": "third", "ports": [{"containerPort": 4, "name": "tcp-1"}]})
    made = ports.ports(serving(portDiscovery=True), item)
    assert [(port["name"], port["port"]) for port in made] == [
        ("http", 80),
        ("tcp-1", 1),
        ("a", 2),
        ("tcp-second-0", 3),
        ("tcp-third-0", 4),
    ]


# ---- upstreams


def upstream(settings: dict[str, Any] | None) -> dict[str, Any]:
    source = None if settings is None else {"spec": settings}
    return desired.upstream(canary(weighted()), "primary", {"app": "podinfo-primary"}, source)


SETTINGS: dict[str, Any] = {
    "connectionConfig": {"connectTimeout": "1s", "tcpKeepalive": {"keepaliveProbes": 3, "unknown": 1}},
    "loadBalancerConfig": {"ringHash": {"ringHashConfig": {"minimumRingSize": 8}}},
    "useHttp2": True,
}


def test_settings_are_copied_with_all_that_nobody_here_knows_and_written_once() -> None:
    made = upstream(SETTINGS)
    assert {key: made["spec"][key] for key in SETTINGS} == SETTINGS
    assert patches.upstream_patch(stored(made), made, copying=True) is None


@pytest.mark.parametrize(
    ("later", "patch"),
    [
        ({**SETTINGS, "useHttp2": False}, {"useHttp2": False}),
        ({key: SETTINGS[key] for key in ("connectionConfig", "useHttp2")}, {"loadBalancerConfig": None}),
        (
            {**SETTINGS, "connectionConfig": {"tcpKeepalive": {"keepaliveProbes": 3}}},
            {"connectionConfig": {"connectTimeout": None, "tcpKeepalive": {"unknown": None}}},
        ),
        (
            {**SETTINGS, "loadBalancerConfig": {"maglev": {}}},
            {"loadBalancerConfig": {"ringHash": None, "maglev": {}}},
        ),
    ],
    ids=["a change", "a setting that is gone", "nested ones that are gone", "another of its kind"],
)
def test_what_changes_at_the_source_changes_and_what_is_gone_goes(later: dict[str, Any], patch: Any) -> None:
    found = patches.upstream_patch(stored(upstream(SETTINGS)), upstream(later), copying=True)
    assert found is not None
    assert found["spec"] == patch


def test_what_users_and_gloo_put_on_an_upstream_of_ours_stays() -> None:
    existing = stored(upstream(SETTINGS), labels={"team": "a"})
    existing["spec"] |= {"healthChecks": [{"timeout": "1s"}], "circuitBreakers": {"maxRequests": 9}}
    existing["spec"]["kube"]["serviceSpec"] = {"grpc": {}}
    assert patches.upstream_patch(existing, upstream(SETTINGS), copying=True) is None


def test_without_upstream_ref_only_what_was_copied_once_is_taken_back() -> None:
    existing = stored(upstream({"useHttp2": True}))
    existing["spec"]["connectionConfig"] = {"connectTimeout": "2s"}
    found = patches.upstream_patch(existing, upstream(None), copying=False)
    assert found is not None
    assert found["spec"] == {"useHttp2": None}
    theirs = stored(upstream(None))
    theirs["spec"] |= SETTINGS
    assert patches.upstream_patch(theirs, upstream(None), copying=False) is None


def test_an_upstream_that_another_controller_made_loses_what_its_source_has_lost() -> None:
    peers = stored(upstream(SETTINGS))
    del peers["metadata"]["annotations"]
    found = patches.upstream_patch(peers, upstream({"useHttp2": True}), copying=True)
    assert found is not None
    assert found["spec"] == {"connectionConfig": None, "loadBalancerConfig": None}


def test_an_upstream_whose_source_is_lost_keeps_its_settings_and_leads_to_the_right_pods() -> None:
    existing = stored(upstream(SETTINGS))
    assert patches.lost_upstream_patch(existing, upstream(None)) is None
    existing["spec"]["kube"]["selector"] = {"app": "other", "tier": "web"}
    found = patches.lost_upstream_patch(existing, upstream(None))
    assert found is not None
    assert found["spec"] == {"kube": {"selector": {"app": "podinfo-primary", "tier": None}}}
    assert found["metadata"] == {"resourceVersion": "8"}
