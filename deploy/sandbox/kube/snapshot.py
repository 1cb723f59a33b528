"""The state in a file, so that a restarted server goes on where it stopped."""

from __future__ import annotations

from pathlib import Path

import orjson

from .cluster import Cluster
from .customresources import DEFINITIONS


def save(cluster: Cluster, file: Path) -> None:
    """Write every object; the file appears whole or not at all."""
    lines = [orjson.dumps({"version": cluster.store.version})]
    for resource, record in cluster.store.all_records():
        lines.append(orjson.dumps({"resource": resource, "object": orjson.Fragment(record.raw)}))
    draft = file.with_suffix(".new")
    draft.write_bytes(b"\n".join(lines) + b"\n")
    draft.replace(file)


def load(cluster: Cluster, file: Path) -> None:
    """Put the objects of a file back, with their uids and versions; older watches are answered 410."""
    first, *lines = file.read_bytes().splitlines()
    entries = [orjson.loads(line) for line in lines]
    entries.sort(key=lambda entry: entry["resource"] != DEFINITIONS)  # what defines a resource comes before its objects
    for entry in entries:
        cluster.store.restore(entry["resource"], entry["object"])
        if entry["resource"] == "services":
            cluster.addresses.keep(entry["object"]["spec"])
    cluster.store.version = orjson.loads(first)["version"]
    cluster.store.compact()
