"""Addresses on the bus: whoever answers on ``nats://subject`` is a gate or a judge like one with an HTTP address."""

from __future__ import annotations

import re

ON_THE_BUS = "nats://"
_FOR_HOOKS = "canary.hook."
_SUBJECT = re.compile(r"[^\s.*>]+(\.[^\s.*>]+)*")


def subject_of(address: str) -> str:
    """Of ``nats://subject``; empty for another address. Raises ValueError with words for people.

    Whoever may write a Canary or a MetricTemplate must not speak with our rights: subjects of ours and of the server
    are refused.
    """
    if not address.startswith(ON_THE_BUS):
        return ""
    subject = address.removeprefix(ON_THE_BUS)
    if not _SUBJECT.fullmatch(subject) or subject.startswith(("$", "_")):
        raise ValueError(f"{address!r} names no subject of a gate or judge; write it as nats://canary.hook.approval")
    if subject.split(".")[0] == "canary" and not subject.startswith(_FOR_HOOKS):
        raise ValueError(f"{address!r} is a subject of our own; use another one, or one under canary.hook.")
    return subject
