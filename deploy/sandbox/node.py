"""``python -m deploy.sandbox.node gateway --port P … -- servicenet --port P … -- kubelet --state DIR …``

What a node of a cluster has beside its pods, as tasks of one process. Each can be started alone, too
(``python -m deploy.sandbox.gateway``); together they save two interpreters with their libraries, 35 MB each.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from itertools import groupby

from deploy.sandbox.gateway.__main__ import GATEWAY
from deploy.sandbox.kubelet.__main__ import KUBELET
from deploy.sandbox.program import Program, run_together
from deploy.sandbox.servicenet.__main__ import SERVICENET

_PROGRAMS = {program.name: program for program in (GATEWAY, SERVICENET, KUBELET)}


def programs(arguments: Sequence[str]) -> Mapping[Program, Sequence[str]]:
    """Each program with its own arguments. Raises :class:`KeyError` for a name that is none."""
    parts = [list(words) for between, words in groupby(arguments, "--".__eq__) if not between]
    return {_PROGRAMS[name]: rest for name, *rest in parts}


if __name__ == "__main__":
    sys.exit(run_together(programs(sys.argv[1:])))
