"""``python -m deploy.sandbox.product watcher --provision``: a part of canarybus with the packages that its image has.

The sandbox has more: where rich, click and pygments are installed httpx brings its command line along, 4 MB of it.
"""

from __future__ import annotations

import runpy
import sys

OF_THE_SANDBOX = ("click", "pygments", "rich")

if __name__ == "__main__":
    for name in OF_THE_SANDBOX:
        sys.modules[name] = None  # type: ignore[assignment]  # an import of it fails from now on
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
