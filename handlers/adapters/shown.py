"""What people are shown of an answer that anybody may have written."""

from __future__ import annotations

import re
import unicodedata

_SHOWN = 300
"""Characters of an answer that are kept."""
_COLOUR = re.compile(r"\x1b\[[0-9;:?]*[ -/]*[@-~]")


def shown(text: str) -> str:
    """The first characters, on one line and without control characters: it goes into events, logs and terminals."""
    plain = _COLOUR.sub("", text)
    clean = "".join(" " if unicodedata.category(character)[0] == "C" else character for character in plain)
    return " ".join(clean.split())[:_SHOWN]
