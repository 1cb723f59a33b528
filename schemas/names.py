"""Names that a Canary's objects have; they may be changed while an application runs."""

from __future__ import annotations

from schemas.base import Wire
from schemas.revision import digest

LABEL_VALUE = 63
"""Characters that the value of a label may have; a Service's name, too."""
OBJECT_NAME = 253
"""Characters that the names of most objects may have."""


class Names(Wire):
    """What a Canary's objects are named after; all of them are the user's words."""

    kind: str = ""
    target: str = ""
    service: str = ""
    port: int = 0
    scaler_kind: str = ""
    scaler: str = ""

    def same_objects(self, other: Names) -> bool:
        """Whether routes, Services and primary are the same; a scaler is exchanged without any of that."""
        return self.model_copy(update={"scaler_kind": other.scaler_kind, "scaler": other.scaler}) == other

    def same_scaler(self, other: Names) -> bool:
        return (self.scaler_kind, self.scaler) == (other.scaler_kind, other.scaler)

    def same_target(self, other: Names) -> bool:
        return (self.kind, self.target) == (other.kind, other.target)


def fitted(name: str, most: int = OBJECT_NAME, *, end: str = "") -> str:
    """``name`` with ``end``; one of more than ``most`` characters is cut, and told from its like by a digest."""
    if len(name + end) <= most:
        return name + end
    mark = f"-{digest(name)[:8]}{end}"
    return name[: most - len(mark)].rstrip("-._") + mark


def subject_token(name: str) -> str:
    return name.replace(".", "_")


def canary_name(token: str) -> str:
    """The name that a subject's last token stands for: no Kubernetes name has a ``_``. ``_all`` stands for many."""
    return token if token.startswith("_") else token.replace("_", ".")
