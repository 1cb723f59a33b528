"""``python -m schemas.generate [--check]``: write the generated files under ``deploy/``, or say which are stale."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import yaml

from schemas.generate import definitions
from schemas.generate.messages import asyncapi, event_schemas

ROOT = Path(__file__).resolve().parents[2] / "deploy"
_HEADER = "# Generated from schemas/ by `make schemas`; edit there.\n"


class _Dumper(yaml.SafeDumper):
    """Without anchors: nobody reads ``*id001`` in a manifest."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the dumper's own signature
        return True


def _yaml(content: Any) -> str:
    return _HEADER + yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)


def _json(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def files() -> dict[Path, str]:
    """What belongs in ``deploy/``, by path relative to it."""
    found = {
        Path("crds/canary.yaml"): _yaml(definitions.canary()),
        Path("crds/metrictemplate.yaml"): _yaml(definitions.metric_template()),
        Path("crds/alertprovider.yaml"): _yaml(definitions.alert_provider()),
        Path("schemas/asyncapi.yaml"): _yaml(asyncapi()),
    }
    return found | {Path(f"schemas/{name}.json"): _json(schema) for name, schema in event_schemas().items()}


def stale(root: Path = ROOT) -> list[Path]:
    """Files that differ from what the models say, are missing, or belong to a message that is gone."""
    wanted = files()
    differing = [path for path, text in wanted.items() if not _says(root / path, text)]
    left_over = [path.relative_to(root) for path in (root / "schemas").glob("*.json")]
    return sorted({*differing, *(path for path in left_over if path not in wanted)})


def _says(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def write(root: Path = ROOT) -> list[Path]:
    """The stale files, mended."""
    wanted, mended = files(), stale(root)
    for path in mended:
        if path in wanted:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(wanted[path], encoding="utf-8")
        else:
            (root / path).unlink()
    return mended


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m schemas.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 and name the files that are stale")
    if parser.parse_args(arguments).check:
        found = stale()
        for path in found:
            sys.stderr.write(f"deploy/{path} is stale: run make schemas\n")
        return 1 if found else 0
    for path in write():
        sys.stdout.write(f"deploy/{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
