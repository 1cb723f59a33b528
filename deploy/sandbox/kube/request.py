"""What an HTTP request asks of the API: the resource in the path, the form in `Accept`, the object in the body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import yaml

from . import errors, protobuf
from .admission import Options
from .resources import Resource, Resources, Version

JSON, YAML = "application/json", "application/yaml"
MERGE, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"
STRATEGIC, APPLY = "application/strategic-merge-patch+json", "application/apply-patch+yaml"


class _JsonLikeLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML as Kubernetes reads it: a date stays text."""


_JsonLikeLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:timestamp"]
    for first, rules in getattr(yaml, "CSafeLoader", yaml.SafeLoader).yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class Target:
    """The resource that a path names. `name` is empty for a collection."""

    resource: Resource
    version: Version
    namespace: str
    name: str
    subresource: str

    @property
    def key(self) -> tuple[str, str]:
        return (self.namespace if self.resource.namespaced else "", self.name)


def locate(resources: Resources, path: str) -> Target | None:
    """The target of a path such as `/apis/apps/v1/namespaces/test/deployments/podinfo/status`.

    None when nothing is served there at all. Raises StatusError 404 for an unknown resource of a known group.
    """
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and not (group == "" and rest[2] in ("status", "finalize")):
        namespace, rest = rest[1], rest[2:]
    resource = resources.at(group, rest[0])
    served = resource.version(version) if resource is not None else None
    if resource is None or served is None:
        known = [one for one in resources if one.group == group]
        if not known or all(one.custom for one in known):
            return None
        raise errors.StatusError(404, "NotFound", "the server could not find the requested resource")
    if len(rest) > 3:
        return None
    name, subresource = (*rest[1:], "", "")[:2]
    return Target(resource, served, namespace, name, subresource)


def form(accept: str) -> str:
    """`json`, `table`, `metadata` or `discovery`: the first form in `Accept` that is spoken here.

    Raises StatusError 406 when there is none.
    """
    for offer in accept.split(",") if accept else ("*/*",):
        media, *parameters = (part.strip() for part in offer.split(";"))
        wanted = dict(part.split("=", 1) for part in parameters if "=" in part)
        if media not in (JSON, "*/*", "application/*", YAML):
            continue
        match wanted.get("as", ""):
            case "":
                return "json"
            case "Table" if wanted.get("v", "v1") == "v1":
                return "table"
            case "PartialObjectMetadata" | "PartialObjectMetadataList" if wanted.get("v", "v1") == "v1":
                return "metadata"
            case "APIGroupDiscoveryList" if wanted.get("v") == "v2":
                return "discovery"
    raise errors.StatusError(406, "NotAcceptable", "only the following media types are accepted: application/json")


def parse_yaml(text: bytes | str) -> Any:
    return yaml.load(text, Loader=_JsonLikeLoader)  # noqa: S506 (a safe loader without dates)


def decode(body: bytes, content_type: str, kind: str) -> Any:
    """The object in a request's body. Raises StatusError 400 or 415."""
    media = content_type.partition(";")[0].strip() or JSON
    if media == protobuf.MEDIA:
        return protobuf.decode(body)
    if media not in (JSON, YAML):
        raise errors.unsupported_media((JSON, YAML))
    return _load(
        body, media, f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; "
    )


def _load(body: bytes, media: str, what: str) -> Any:
    try:
        return orjson.loads(body) if media.endswith("json") else parse_yaml(body)
    except (orjson.JSONDecodeError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise errors.bad_request(f"{what}json parse error: {error}") from error


def decode_patch(body: bytes, media: str) -> Any:
    patch = _load(body, "yaml" if media == APPLY else "json", "error decoding patch: ")
    if not isinstance(patch, list if media == JSON_PATCH else dict):
        raise errors.bad_request("error decoding patch: wrong kind of document")
    return patch


def options(query: Mapping[str, str], agent: str, kind: str = "PatchOptions") -> Options:
    """The options of a write. Raises StatusError 422 for a dryRun other than All."""
    dry_run = query.get("dryRun", "")
    if dry_run not in ("", "All"):
        cause = errors.unsupported_value("dryRun", [dry_run], ["All"])
        raise errors.invalid("meta.k8s.io", kind, "", [cause])
    return Options(
        manager=query.get("fieldManager") or agent.partition("/")[0] or "unknown",
        dry_run=dry_run == "All",
        strict=query.get("fieldValidation") or "Warn",
        force=query.get("force", "").lower() in ("true", "1"),
    )


def is_true(text: str) -> bool:
    return text.lower() in ("true", "1")
