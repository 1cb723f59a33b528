"""The language of the scenarios, strict: a word that means nothing is an error. README.md is its grammar for people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from schemas.status import Phase, Severity

HERE = Path(__file__).parent
Role = Literal["target", "primary"]
Gateway = Literal["Accepted", "Pending", "Warning", "Rejected", "silent"]
Answer = Literal["open", "passes", "passes once", "closed", "fails", "fails once"] | int
"""Of a hook; a number is its HTTP status. ``fails once``: it is not there for the next question (503)."""
Texts = Annotated[tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)]
"""One text or several. Each is a part of a sentence, or a regular expression when it is written /like this/."""
NOTHING = ("nothing",)
ON_THE_CLUSTER = frozenset({"apex", "objects", "sent", "not_sent", "events", "asked_once", "gone", "payloads"})
"""What only the cluster has to show: a story that speaks of it is `only: {cluster: why}`, so nothing is passed over."""


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Start(Strict):
    """The Canary and how far its story has gone when it begins; it is really played there.

    ``objects`` are there before the Canary; ``container`` is added to the target's, ``content`` is that of a ConfigMap
    which it reads. ``left_by``: by another controller, and nobody of us has looked at it; only then ``failed_checks``
    may be given.
    """

    target: Literal["Deployment", "DaemonSet", "Service"] = "Deployment"
    analysis: dict[str, Any] = {}
    metrics: tuple[str | dict[str, Any], ...] = ()
    hooks: tuple[str | dict[str, Any], ...] = ()
    spec: dict[str, Any] = {}
    phase: Phase = Field(default=Phase.INITIALIZED, alias="in")
    weight: int | None = None
    iterations: int | None = None
    failed_checks: int | None = None
    container: dict[str, Any] = {}
    objects: tuple[dict[str, Any], ...] = ()
    left_by: Literal["Flagger"] | None = None
    content: str = ""


class Order(Strict):
    """A command as people send it; ``again`` repeats the one before, id and all."""

    verb: str
    by: str = ""
    reason: str = ""
    revision: str = ""
    phase: str = ""
    again: bool = False


PodState = Literal["ready", "not ready", "one ready"] | Annotated[str, Field(pattern=r"^podinfo:\S+ not ready$")]
"""The last one: of its pods those with that image never get ready, the others are."""
Fault = Literal["conflict at the commit", "dies before its writes", "stalls before its writes"]
Deed = Literal[
    "deletes the RouteTable",
    "edits the RouteTable",
    "labels the RouteTable",
    "adds options to the route",
    "copies the route for /admin",
    "empties the RouteTable",
    "copies a fence to the RouteTable",
    "deletes the primary",
    "edits the primary",
    "deletes the target",
    "restores the target",
    "scales the target to 0",
    "scales the primary to 3",
    "deletes the snapshots",
    "makes a Service for the target",
    "makes the metric template errors",
]


_DEEDS_AROUND = ("makes a Service for the target", "makes the metric template errors")


class Then(Strict):
    """What is to be seen after a step. ``told``, ``alert``, ``asked``, ``written`` look at that step alone.

    ``apex``: whose pods the Service that users know selects. ``sent``: a line for each question to a metric provider,
    its path and the headers that say who asks. ``events``: those that Kubernetes keeps of this step, as
    ``Warning CheckFailed its message``. ``explain``: what a person is told who asks why the Canary is not further.
    ``payloads``: by hook, parts of what one of its requests said. ``series``: of a scrape, by name and labels.
    """

    phase: Phase | None = None
    weight: int | None = None
    failed_checks: int | None = None
    iterations: int | None = None
    reason: str | None = None
    told: Texts | None = None
    not_told: Texts | None = None
    alert: Literal["nothing"] | dict[Severity, Texts] | None = None
    held: str | None = None
    promoted: str | None = None
    waiting_for: Literal["", "nothing", "target", "primary", "gateway", "gate", "data"] | None = None
    settled: bool | None = None
    last_transition_time: Literal["moves", "stays"] | None = None
    explain: Texts | None = None
    image: dict[Role, str] | None = None
    pods: dict[Literal["target"], str] | None = None
    replicas: dict[Role, int] | None = None
    asked: Texts | None = None
    not_asked: Texts | None = None
    asked_once: Texts | None = None
    written: Literal["nothing"] | None = None
    reply: str | None = None
    reasons: Texts | None = None
    events: Texts | None = None
    hears: Texts | None = None
    payloads: dict[str, dict[str, Any]] | None = None
    series: dict[str, float | None] | None = None
    queries: Texts | None = None
    sent: Texts | None = None
    not_sent: Texts | None = None
    objects: dict[str, Literal["missing"] | dict[str, Any]] | None = None
    hashes: dict[Literal["applied", "promoted"], Literal["Flagger's", "ours"]] | None = None
    gone: bool | None = None
    apex: Literal["target", "primary", "nobody"] | None = None
    routes: Texts | None = None
    content: dict[Literal["primary"], str] | None = None


class Step(Strict):
    """One thing that happens, and what is to be seen then."""

    push: str | None = None
    silent_push: str | None = None
    tick: int | Fault | Literal["the same slot", "the next slot"] | None = None
    wake: Literal["revision", "spec", "ready", "drift", "resync", "deleted"] | None = None
    wait: float | None = None
    metrics: dict[str, float | Literal["empty", "unreachable", "error", "only 5xx"]] | None = None
    providers: Literal["away", "back"] | None = None
    hooks: dict[str, Answer] | None = None
    gateway: Gateway | None = None
    pods: dict[Role, PodState] | None = None
    command: str | Order | None = None
    edit: dict[str, Any] | None = None
    somebody: Deed | None = None
    apply: dict[str, Any] | None = None
    remove: str | None = None
    delete: Literal["canary"] | None = None
    second_canary: Literal["older", "gone"] | None = None
    late_worker: Literal["writes"] | None = None
    content: str | None = None
    then: Then | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> Step:
        if len(self._given()) != 1:
            raise ValueError(f"one thing happens in a step, here it is {' and '.join(self._given()) or 'none'}")
        return self

    def _given(self) -> list[str]:
        return [name for name in sorted(self.model_fields_set) if name != "then" and getattr(self, name) is not None]

    @property
    def action(self) -> str:
        return self._given()[0]

    @property
    def words_for_the_cluster(self) -> set[str]:
        """What of this step the core can neither do nor see."""
        found = set(self.then.model_fields_set & ON_THE_CLUSTER) if self.then else set()
        match self.action:
            case "apply" | "remove":
                found.add(self.action)
            case "somebody" if self.value in _DEEDS_AROUND:
                found.add(self.value)
            case "hooks":
                # what an answer means is decided where it is asked for
                found |= {str(one) for one in self.value.values() if isinstance(one, int) or one.endswith("once")}
        return found

    @property
    def value(self) -> Any:
        return getattr(self, self.action)


class Scenario(Strict):
    """``only``: the world that can play it, with the reason why the other cannot."""

    scenario: str
    shows: Texts
    only: dict[Literal["core", "cluster"], str] = {}
    start: Start = Start()
    steps: tuple[Step, ...] = Field(min_length=1)
    file: str = ""

    @model_validator(mode="after")
    def _every_word_counts(self) -> Scenario:
        """Whoever plays it does and checks all that it says: nothing is passed over in silence."""
        words = set().union(*(step.words_for_the_cluster for step in self.steps))
        words |= {"objects"} if self.start.objects else set()
        if words and self.plays_on("core"):
            raise ValueError(
                f"the core neither does nor sees {', '.join(sorted(words))}: such a story is `only: {{cluster: why}}`"
            )
        if self.steps[-1].then is None:
            raise ValueError("it ends without saying what is to be seen")
        return self

    def plays_on(self, world: Literal["core", "cluster"]) -> bool:
        return not self.only or world in self.only


def load(file: Path) -> list[Scenario]:
    """Raises ValueError that names the file, the scenario and the word."""
    found = yaml.load(file.read_text(), yaml.CSafeLoader)
    scenarios = []
    for number, item in enumerate(found, 1):
        try:
            scenarios.append(Scenario.model_validate({**item, "file": file.name}))
        except ValueError as error:
            raise ValueError(f"{file.name}, scenario {number} ({item.get('scenario')}): {error}") from error
    return scenarios


def everything() -> list[Scenario]:
    return [scenario for file in sorted(HERE.glob("*.yaml")) if file.name != "rows.yaml" for scenario in load(file)]
