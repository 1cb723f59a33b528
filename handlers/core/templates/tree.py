"""The tree of a template: what the parser makes and the renderer walks."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Operand:
    """One value. ``kind`` says where it comes from; ``fields`` are looked up in it, one after the other."""

    kind: str
    """``literal``, ``function``, ``variable``, ``dot``, ``nil`` or ``group``."""
    offset: int
    value: str | int | float | bool | None = None
    name: str = ""
    pipe: Pipe | None = None
    fields: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Call:
    """A function with its arguments, or one operand alone."""

    operands: tuple[Operand, ...]


@dataclass(frozen=True)
class Pipe:
    """``names``: variables that get the value; ``declares``: they are new ones."""

    calls: tuple[Call, ...]
    offset: int
    names: tuple[str, ...] = ()
    declares: bool = True


@dataclass(frozen=True)
class Literal:
    text: str


@dataclass(frozen=True)
class Output:
    pipe: Pipe


@dataclass(frozen=True)
class Branch:
    """``if`` and ``with``; ``with`` makes the value the dot of its body."""

    pipe: Pipe
    then: Body
    otherwise: Body = ()
    sets_dot: bool = False


@dataclass(frozen=True)
class Loop:
    pipe: Pipe
    body: Body
    otherwise: Body = field(default=())


@dataclass(frozen=True)
class Jump:
    """``break``, or ``continue``."""

    ends: bool


Node = Literal | Output | Branch | Loop | Jump
Body = tuple[Node, ...]
