"""Pod templates for tests of what they refer to."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

_names = st.sampled_from(["name", "secretName", "optional", "configMap", "secret", "projected", "sources", "env"])
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=4),
    max_leaves=12,
)

NAMES = ("a", "b", "c")


def template(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"labels": {"app": "podinfo"}}, "spec": {"containers": [{"name": "app"}], **spec}}


def _ref(draw: st.DrawFn) -> dict[str, Any]:
    return {"name": draw(st.sampled_from(NAMES)), "optional": draw(st.booleans())}


@st.composite
def _containers(draw: st.DrawFn) -> list[dict[str, Any]]:
    env = [
        {
            "name": "V",
            "valueFrom": {draw(st.sampled_from(["configMapKeyRef", "secretKeyRef"])): {**_ref(draw), "key": "k"}},
        }
        for _ in range(draw(st.integers(0, 2)))
    ]
    whole = [{draw(st.sampled_from(["configMapRef", "secretRef"])): _ref(draw)} for _ in range(draw(st.integers(0, 2)))]
    return [{"name": "app", "image": draw(st.sampled_from(NAMES)), "env": env, "envFrom": whole}]


@st.composite
def templates(draw: st.DrawFn) -> dict[str, Any]:
    """With references of every kind to objects of few names."""
    name = draw(st.sampled_from(NAMES))
    volumes: list[dict[str, Any]] = [
        {"name": "v1", "configMap": _ref(draw)},
        {"name": "v2", "secret": {"secretName": name}},
        {"name": "v3", "projected": {"sources": [{"configMap": _ref(draw)}, {"secret": _ref(draw)}]}},
        {"name": name, "csi": {"nodePublishSecretRef": {"name": name}}},
    ]
    return template(
        volumes=draw(st.lists(st.sampled_from(volumes), max_size=4)),
        containers=draw(_containers()),
        initContainers=draw(_containers()),
        imagePullSecrets=[{"name": name}],
    )
