"""What a revision is: a pod template and the content of its tracked configs, hashed (design section 6).

SHA-256 over canonical JSON of the template as the API returns it, so that any language can compute it; the first
sixteen hexadecimal digits name it. The peer's hashes (FNV over a Go dump: decimal mapped to letters) never look so.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

REVISION = "canarybus.dev/revision"
"""On a primary: which revision it runs. On a snapshot: which one it is."""
TEMPLATE = "canarybus.dev/template"
"""On a primary: the digest of its template as we wrote it, so that a foreign edit is seen without the snapshot."""
CANARY = "canarybus.dev/canary"
"""On a snapshot: whose."""

_OURS = re.compile(r"[0-9a-f]{16}")


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces, UTF-8. Nulls are left out: API servers differ in whether they write them."""
    return json.dumps(_without_nulls(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_nulls(item) for item in value]
    return value


def digest(value: Any) -> str:
    return hashlib.sha256(canonical(value)).hexdigest()[:16]


def revision_hash(content: Mapping[str, Any], configs: Mapping[str, str] | None = None) -> str:
    """``content`` as :mod:`schemas.kinds` gives it: template or Service spec; ``configs``: objects and checksums."""
    return digest({"template": content, "configs": dict(configs or {})})


def is_our_hash(text: str) -> bool:
    """False for a hash that the peer wrote: never "changed", compare templates instead."""
    return bool(_OURS.fullmatch(text))
