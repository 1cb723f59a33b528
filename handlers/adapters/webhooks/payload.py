"""The body of a question."""

from __future__ import annotations

import json
from collections.abc import Mapping


def payload_of(
    name: str, namespace: str, phase: str, checksum: str, metadata: Mapping[str, str] | None = None
) -> bytes:
    """Byte for byte as the peer's: this key order, no spaces, metadata sorted, and left out when empty."""
    body: dict[str, object] = {"name": name, "namespace": namespace, "phase": phase, "checksum": checksum}
    if metadata:
        body["metadata"] = dict(sorted(metadata.items()))
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode()
