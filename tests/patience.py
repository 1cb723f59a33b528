"""How long tests wait for what must come."""

from __future__ import annotations

PATIENCE = 60.0
"""Seconds after which it is taken for lost. No test is about this time: it is for a machine that does much else."""
