"""The messages on the bus. Each owns its subject, its message id and its type (design: bus, interfaces).

``canary.<kind>.<namespace>.<name>``, with a dot in a canary's name written ``_``. Bodies are plain JSON; the envelope
is CloudEvents 1.0 in binary mode (attributes as ``ce-*`` headers); bare JSON and structured mode are read as well.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Literal

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from schemas.base import Moment, Wire, format_time
from schemas.canary import Canary, Ref
from schemas.names import subject_token
from schemas.recorded import Recorded
from schemas.revision import digest
from schemas.status import CheckResult, Notice

ALL = "_all"
"""Instead of a namespace or a name in the subject of a command: every one that is ours."""


class ChangeReason(StrEnum):
    """Why a Canary should be looked at."""

    REVISION = "revision"
    SPEC = "spec"
    READY = "ready"
    DRIFT = "drift"
    RESYNC = "resync"
    DELETED = "deleted"


COMPARE_ALL = frozenset({ChangeReason.DRIFT, ChangeReason.RESYNC})
"""Everything around the Canary is compared, not only what its phase is about."""


class Message(Wire):
    """About one Canary. ``name`` is the real one; the subject's last token may differ by its dots."""

    kind: ClassVar[str]
    type: ClassVar[str]
    namespace: str = ""
    name: str = ""

    @property
    def ref(self) -> Ref:
        return Ref(self.namespace, self.name)

    @property
    def subject(self) -> str:
        return f"canary.{self.kind}.{self.namespace}.{subject_token(self.name)}"

    @property
    @abstractmethod
    def message_id(self) -> str:
        """What is published twice under it is one message."""

    def headers(self, *, source: str, time: datetime) -> dict[str, str]:
        """CloudEvents attributes, and the id by which the broker drops duplicates."""
        return {
            "Nats-Msg-Id": self.message_id,
            "ce-specversion": "1.0",
            "ce-id": self.message_id,
            "ce-source": source,
            "ce-type": self.type,
            "ce-subject": f"{self.namespace}/{self.name}",
            "ce-time": format_time(time),
            "ce-datacontenttype": "application/json",
        }


class Change(Message):
    """Something changed: look. ``object`` is ``Kind/name`` of what changed, ``version`` its resource version.

    The latest of a subject replaces the one that waits. Whoever is woken looks at revision, spec and readiness anyway;
    only drift and resync make everything be compared: they have a subject of their own, where nothing weaker takes
    their place.
    """

    kind: ClassVar[str] = "revision"
    type: ClassVar[str] = "dev.canarybus.revision.v1"
    uid: str
    reason: ChangeReason
    object: str = ""
    version: str = ""

    @property
    def subject(self) -> str:
        what = f"{self.kind}.{ChangeReason.DRIFT}" if self.reason in COMPARE_ALL else self.kind
        return f"canary.{what}.{self.namespace}.{subject_token(self.name)}"

    @property
    def message_id(self) -> str:
        return f"{self.uid}.{self.reason}.{self.object}.{self.version}"

    @property
    def label(self) -> str:
        return f"change.{self.reason}"


class Tick(Message):
    """A slot is due: judge. ``slot`` is its start, ``interval`` its length in seconds."""

    kind: ClassVar[str] = "tick"
    type: ClassVar[str] = "dev.canarybus.tick.v1"
    uid: str
    slot: Moment
    interval: float

    @property
    def message_id(self) -> str:
        return f"{self.uid}.{self.slot.timestamp():.3f}".removesuffix(".000")

    @property
    def label(self) -> str:
        return "tick"


class Verb(StrEnum):
    PROMOTE = "promote"
    APPROVE = "approve"
    ABORT = "abort"
    ROLLBACK = "rollback"
    PAUSE = "pause"
    RESUME = "resume"
    RESTART = "restart"


class CommandBody(Wire):
    """What a sender writes; all of it is optional, ``{}`` and nothing at all are fine."""

    by: str = ""
    reason: str = ""
    revision: str = ""
    phase: str = ""
    id: str = ""


class Command(Message):
    """Somebody wants something. ``id`` makes it act once: the sender's, else the message's own."""

    kind: ClassVar[str] = "command"
    type: ClassVar[str] = "dev.canarybus.command.v1"
    verb: Verb
    by: str = ""
    reason: str = ""
    revision: str = ""
    phase: str = ""
    id: str

    @classmethod
    def of(cls, verb: Verb, namespace: str, name: str, body: CommandBody, *, message: str) -> Command:
        """``message`` identifies the delivery (stream sequence or request inbox) when the sender gave no id."""
        return cls(
            namespace=namespace,
            name=name,
            verb=verb,
            by=body.by,
            reason=body.reason,
            revision=body.revision,
            phase=body.phase,
            id=body.id or message,
        )

    @property
    def to_many(self) -> bool:
        return ALL in self.ref

    def to(self, canary: Canary) -> Command:
        """This command for one of many; the same again when it is delivered again."""
        place = {"namespace": canary.ref.namespace, "name": canary.ref.name, "id": f"{self.id}.{canary.metadata.uid}"}
        return self.model_copy(update=place)

    @property
    def subject(self) -> str:
        return f"canary.command.{self.verb}.{self.namespace}.{subject_token(self.name)}"

    @property
    def message_id(self) -> str:
        return self.id

    @property
    def label(self) -> str:
        return f"command.{self.verb}"


class Reply(Wire):
    """The answer to a command."""

    accepted: bool
    phase: str = ""
    weight: int = 0
    step: int = 0
    message: str
    code: SkipJsonSchema[int] = Field(default=0, exclude=True)
    """0, or 404, 409, 422, 503 for a refusal: told in a header, not in the body."""

    def to_wire(self) -> dict[str, Any]:
        return {"phase": self.phase, "weight": self.weight, "step": self.step} | super().to_wire()


Stimulus = Tick | Change | Command


class StepResult(Message):
    """What one step did: the flight record. ``before`` and ``observation`` replay to ``after``.

    ``began``: when the revision that it is about was accepted.
    """

    kind: ClassVar[str] = "result"
    type: ClassVar[str] = "dev.canarybus.result.v1"
    uid: str
    step: int
    stimulus: str
    time: Moment
    phase: str
    weight: int
    reason: str
    message: str
    revision: str = ""
    began: Moment | None = None
    by: str = ""
    command_reason: str = ""
    checks: tuple[CheckResult, ...] = ()
    notices: tuple[Notice, ...] = ()
    receivers: tuple[str, ...] = ()
    before: Recorded = None
    after: Recorded = None
    observation: dict[str, Any] | None = None

    @property
    def message_id(self) -> str:
        return f"{self.uid}.{self.step}"

    def to_wire(self) -> dict[str, Any]:
        return {"phase": self.phase, "weight": self.weight, "step": self.step} | super().to_wire()


class NoticeMessage(Message):
    """One receiver's part of a result: a failing receiver never repeats another's.

    ``about`` names what is told afterwards: the receiver whose answer it is, and how that came out; or after how much
    of a step, what is left of it.
    """

    kind: ClassVar[str] = "notice"
    type: ClassVar[str] = "dev.canarybus.notice.v1"
    receiver: str
    result: StepResult
    about: str = ""

    @property
    def subject(self) -> str:
        return f"canary.notice.{self.receiver}.{self.namespace}.{subject_token(self.name)}"

    @property
    def message_id(self) -> str:
        return ".".join(filter(None, (self.result.message_id, self.receiver, self.about)))


class DeadLetter(Message):
    """A message that nobody can work on, with the reason and its headers; of a body of many ``bytes`` the beginning."""

    kind: ClassVar[str] = "dlq"
    type: ClassVar[str] = "dev.canarybus.dead-letter.v1"
    original_subject: str
    error: str
    deliveries: int
    body: str
    encoding: Literal["utf-8", "base64"] = "utf-8"
    bytes: int = 0
    original_headers: dict[str, str] = {}

    @property
    def subject(self) -> str:
        return "canary.dlq." + self.original_subject.removeprefix("canary.")

    @property
    def message_id(self) -> str:
        return digest([self.original_subject, self.body, self.original_headers])


def place_in_subject(subject: str) -> Mapping[str, str]:
    """The tokens of ``canary.<kind>[.<verb>].<namespace>.<name>`` by name; raises ValueError for any other subject."""
    parts = subject.split(".")
    if len(parts) == 4 and parts[0] == "canary":
        return {"kind": parts[1], "namespace": parts[2], "name": parts[3]}
    if len(parts) == 5 and parts[0] == "canary":
        return {"kind": parts[1], "verb": parts[2], "namespace": parts[3], "name": parts[4]}
    raise ValueError(f"{subject!r} is not canary.<kind>.<namespace>.<name>")
