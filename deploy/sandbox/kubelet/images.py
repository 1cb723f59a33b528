"""Which program stands in for which image. Nothing is ever downloaded: an image is only a name."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

_PODINFO = (sys.executable, "-S", "-m", "deploy.sandbox.podinfo")
"""Without site-packages: a replica needs the standard library alone and starts in half the time."""
_LOAD_TESTER = (sys.executable, "-S", "-m", "deploy.sandbox.loadtester")
_PROGRAMS = {
    "stefanprodan/podinfo": _PODINFO,
    "weaveworks/flagger-loadtester": _LOAD_TESTER,
    "fluxcd/flagger-loadtester": _LOAD_TESTER,
}


class ImageMissingError(Exception):
    """No program stands in for this image; the text is what a kubelet reports for one that cannot be pulled."""


def repository(image: str) -> str:
    """``owner/name`` of ``image``, without registry, tag and digest."""
    name = image.partition("@")[0]
    parts = name.split("/")
    parts[-1] = parts[-1].partition(":")[0]
    return "/".join(parts[-2:])


def command_line(container: dict[str, Any]) -> Sequence[str]:
    """The program for ``container`` with its flags; raises :class:`ImageMissingError`.

    The first word of ``command`` names a program inside the image, so only what follows it counts.
    """
    image = container["image"]
    program = _PROGRAMS.get(repository(image))
    if program is None or "does-not-exist" in image:
        raise ImageMissingError(
            f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": not found'
        )
    return [*program, *container.get("command", [])[1:], *container.get("args", [])]
