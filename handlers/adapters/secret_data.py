"""A Secret's data as text. Other keys of it may be anything: only one that is used has to be text."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any


class SecretData(dict[str, str]):
    """Reading a key that is binary raises ValueError, which names it after ``place``."""

    def __init__(self, data: Mapping[str, str], place: str) -> None:
        self._place = place
        self._binary: set[str] = set()
        for key, value in data.items():
            try:
                self[key] = base64.b64decode(value).decode()
            except UnicodeDecodeError:
                self._binary.add(key)

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) or key in self._binary

    def get(self, key: str, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default

    def __missing__(self, key: str) -> str:
        if key in self._binary:
            raise ValueError(f"{self._place} error: the value of {key} is not UTF-8 text")
        raise KeyError(key)
