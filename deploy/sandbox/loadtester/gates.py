"""Gates that a person or a pipeline opens and closes; they live as long as the process and are closed at first."""

from __future__ import annotations


class Gates:
    """Open or closed by canary; ``kind`` keeps rollout gates and rollback gates of one canary apart."""

    def __init__(self) -> None:
        self._open: set[str] = set()

    def is_open(self, kind: str, name: str, namespace: str) -> bool:
        return _key(kind, name, namespace) in self._open

    def open(self, kind: str, name: str, namespace: str) -> None:
        self._open.add(_key(kind, name, namespace))

    def close(self, kind: str, name: str, namespace: str) -> None:
        self._open.discard(_key(kind, name, namespace))


def _key(kind: str, name: str, namespace: str) -> str:
    return f"{name}.{namespace}" if kind == "gate" else f"{kind}.{name}.{namespace}"
