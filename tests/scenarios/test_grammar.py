"""README.md names every word that the format takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from tests.scenarios.format import HERE, Order, Scenario, Start, Step, Then

_GRAMMAR = (HERE / "README.md").read_text()
CODE = "\n".join(block or span for block, span in re.findall(r"```yaml(.*?)```|`([^`\n]+)`", _GRAMMAR, re.DOTALL))
MODELS = (Scenario, Start, Step, Order, Then)
_OURS = {"file"}
"""Written by the loader."""


def literals(kind: Any) -> Iterator[str]:
    for part in get_args(kind):
        if isinstance(part, str):
            yield part
        else:
            yield from literals(part)


@pytest.mark.parametrize("model", MODELS)
def test_every_word_of_a_story_is_in_the_grammar(model: type[BaseModel]) -> None:
    words = [field.alias or name for name, field in model.model_fields.items() if name not in _OURS]
    assert [word for word in words if not re.search(rf"\b{word}\b", CODE)] == []


@pytest.mark.parametrize("model", MODELS)
def test_everything_that_can_be_said_by_a_word_is_in_the_grammar(model: type[BaseModel]) -> None:
    said = {text for field in model.model_fields.values() for text in literals(field.annotation) if text}
    assert sorted(text for text in said if text not in CODE) == []
