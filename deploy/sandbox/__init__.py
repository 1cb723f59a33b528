"""Everything on one machine.

Whoever starts a process knows whether it will speak TLS. With ``SANDBOX_PLAIN=1`` in its environment it is one as of a
Python built without OpenSSL, which asyncio and aiohttp are prepared for: that saves 5 to 9 MB.
"""

import os
import sys

PLAIN = {"SANDBOX_PLAIN": "1"}

if os.environ.get("SANDBOX_PLAIN") == PLAIN["SANDBOX_PLAIN"]:
    for _name in ("ssl", "_hashlib"):
        sys.modules[_name] = None  # type: ignore[assignment]  # an import of it fails from now on
