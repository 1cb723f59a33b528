"""Load on the gateway, counted as its users see it."""

from deploy.sandbox.load.counts import Counts
from deploy.sandbox.load.generator import Load

__all__ = ["Counts", "Load"]
