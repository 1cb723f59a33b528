"""Which groups, versions and resources there are: the classic documents and the aggregated one."""

from __future__ import annotations

from typing import Any

from .resources import VERBS, Resource, Resources, Version

Object = dict[str, Any]
VERSION = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.0-embedded",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "",
}
_OTHER_VERBS = {"binding": ["create"], "eviction": ["create"], "finalize": ["update"]}
_OTHER_KINDS = {
    "binding": ("", "v1", "Binding"),
    "eviction": ("policy", "v1", "Eviction"),
    "scale": ("autoscaling", "v1", "Scale"),
}


def _subresources(resource: Resource, version: Version) -> list[str]:
    names = {name for name in resource.subresources if name not in ("status", "scale")}
    names |= {name for name, has in (("status", version.status), ("scale", version.scale)) if has}
    return sorted(names)


class Documents:
    """Discovery documents of the resources that exist at the moment."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources

    def find(self, path: str, form: str) -> Object | None:
        """The document at a path; None when there is none."""
        parts = path.strip("/").split("/")
        match parts:
            case [""]:
                return {"paths": ["/api", "/api/v1", "/apis", "/healthz", "/openapi/v2", "/openapi/v3", "/version"]}
            case ["version"]:
                return VERSION
            case ["api"]:
                if form == "discovery":
                    return self._aggregated([""])
                return {"kind": "APIVersions", "apiVersion": "v1", "versions": ["v1"], "serverAddressByClientCIDRs": []}
            case ["apis"]:
                groups = sorted(group for group in self.resources.group_versions() if group)
                if form == "discovery":
                    return self._aggregated(groups)
                found = [self._group(group) for group in groups]
                return {"kind": "APIGroupList", "apiVersion": "v1", "groups": found}
            case ["apis", group] if group in self.resources.group_versions():
                return {"kind": "APIGroup", "apiVersion": "v1", **self._group(group)}
            case ["api", version]:
                return self._resource_list("", version)
            case ["apis", group, version]:
                return self._resource_list(group, version)
        return None

    def _group(self, group: str) -> Object:
        versions = [
            {"groupVersion": f"{group}/{version}", "version": version}
            for version in self.resources.group_versions()[group]
        ]
        return {"name": group, "versions": versions, "preferredVersion": versions[0]}

    def _resource_list(self, group: str, version: str) -> Object | None:
        if version not in self.resources.group_versions().get(group, ()):
            return None
        found: list[Object] = []
        for resource in self.resources.in_version(group, version):
            found.append(_plain(resource))
            served = resource.version(version)
            for name in _subresources(resource, served) if served else ():
                own_group, own_version, kind = _OTHER_KINDS.get(name, ("", "", resource.kind))
                found.append(
                    {
                        "name": f"{resource.plural}/{name}",
                        "singularName": "",
                        "namespaced": resource.namespaced,
                        **({"group": own_group, "version": own_version} if own_group else {}),
                        "kind": kind,
                        "verbs": _OTHER_VERBS.get(name, ["get", "patch", "update"]),
                    }
                )
        group_version = f"{group}/{version}" if group else version
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": found}

    def _aggregated(self, groups: list[str]) -> Object:
        known = self.resources.group_versions()
        items = [
            {
                "metadata": {"name": group, "creationTimestamp": None} if group else {"creationTimestamp": None},
                "versions": [
                    {"version": version, "freshness": "Current", "resources": self._entries(group, version)}
                    for version in known[group]
                ],
            }
            for group in groups
        ]
        return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}

    def _entries(self, group: str, version: str) -> list[Object]:
        return [_entry(resource, version) for resource in self.resources.in_version(group, version)]


def _verbs(resource: Resource) -> list[str]:
    return [verb for verb in VERBS if not (resource.key == "namespaces" and verb == "deletecollection")]


def _plain(resource: Resource) -> Object:
    entry: Object = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": _verbs(resource),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    return entry


def _entry(resource: Resource, version: str) -> Object:
    served = resource.version(version)
    own_kind = {"group": resource.group, "version": version, "kind": resource.kind}
    entry: Object = {
        "resource": resource.plural,
        "responseKind": own_kind,
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": _verbs(resource),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if served and (names := _subresources(resource, served)):
        entry["subresources"] = []
        for name in names:
            group, other, kind = _OTHER_KINDS.get(name, (resource.group, version, resource.kind))
            entry["subresources"].append(
                {
                    "subresource": name,
                    "verbs": _OTHER_VERBS.get(name, ["get", "patch", "update"]),
                    "responseKind": {"group": group, "version": other, "kind": kind},
                }
            )
    return entry
