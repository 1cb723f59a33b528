"""Durations as Gloo takes them (``1m30s``, ``250ms``) and as Envoy wants them (``90s``, ``0.25s``)."""

from __future__ import annotations

from schemas.duration import parse_duration


def envoy_duration(text: str) -> str:
    """Raises :class:`ValueError` that quotes the text when it is no duration."""
    return f"{parse_duration(text):.9f}".rstrip("0").rstrip(".") + "s"
