"""Child processes that never outlive whoever started them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
"""Loaded before any fork: a child between fork and exec must not load libraries."""


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """For ``preexec_fn``: the kernel sends this process ``number`` when its parent ends, however it ends.

    The parent here is the *thread* that forked, so start children from the main thread.
    """
    if _libc is None:
        return
    _libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() == 1:  # it died between the fork and the line above
        os._exit(1)
