"""Packages that only some providers need are optional extras of ours."""

from __future__ import annotations

from handlers.adapters.metrics.http import Refused


def missing(extra: str, package: str) -> Refused:
    return Refused(f"the provider needs {package}, which is not installed; install canarybus[{extra}]")
