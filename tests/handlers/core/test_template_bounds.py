"""Whatever a query template says, it takes neither long nor much memory, and no query becomes too long."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.core.templates import LONGEST, TemplateError
from tests.handlers.core.filling import fill


def test_a_template_and_a_query_have_a_longest_length() -> None:
    with pytest.raises(TemplateError, match="longer than"):
        fill("x" * (LONGEST + 1))
    with pytest.raises(TemplateError, match="the query becomes longer"):
        fill("{{ variables.big }}" * 10, big="x" * (LONGEST // 5))


def test_a_template_cannot_run_for_long_nor_go_deep() -> None:
    with pytest.raises(TemplateError, match="takes too long"):
        fill("{{ range 1000000000 }}{{ end }}")
    with pytest.raises(TemplateError, match="takes too long"):
        fill("{{ range 1000 }}{{ range 1000 }}{{ range 1000 }}{{ end }}{{ end }}{{ end }}")
    with pytest.raises(TemplateError, match="deeper than"):
        fill("{{ " + "(" * 5000 + "name" + ")" * 5000 + " }}")
    with pytest.raises(TemplateError, match="deeper than"):
        fill("{{ if name }}" * 2000 + "{{ end }}" * 2000)
    with pytest.raises(TemplateError, match="too wide"):
        fill('{{ printf "%999999999s" name }}')


DOUBLING = '{{ $x := "aaaaaaaa" }}{{ range 40 }}{{ $x = PIPE }}{{ end }}up'
LONG = "{{ $x := print variables.big }}"


@pytest.mark.parametrize(
    "pipe",
    [
        "print $x $x",
        "print $x 1 1 $x",
        "println $x $x",
        'printf "%s%s" $x $x',
        'printf "%v-%1000s" $x $x',
        'printf "%q" (print $x $x)',
        'printf "%x" $x',
        "urlquery $x $x",
        'html $x "&&&&&&&&" $x',
    ],
)
def test_a_value_that_doubles_in_a_loop_is_refused_before_it_fills_the_memory(pipe: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(TemplateError, match="a value becomes longer than 65536 characters"):
            fill(DOUBLING.replace("PIPE", pipe))
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("call", ["print" + " $x" * 15_000, 'printf "' + "%s" * 9000 + '"' + " $x" * 9000])
def test_a_call_with_many_long_values_is_refused_before_they_are_put_together(call: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(TemplateError, match="a value becomes longer"):
            fill(LONG + "{{ $y := " + call + " }}up", big="x" * 60_000)
        assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    finally:
        tracemalloc.stop()


def test_long_values_that_are_made_again_and_again_are_refused() -> None:
    with pytest.raises(TemplateError, match="functions make more than"):
        fill(LONG + "{{ range 6000 }}{{ $y := urlquery $x }}{{ end }}up", big="x" * 60_000)


def test_a_mistake_shows_the_beginning_of_a_long_value_only() -> None:
    with pytest.raises(TemplateError) as raised:
        fill(LONG + "{{ if eq $x 1 }}{{ end }}", big="x" * 60_000)
    assert len(str(raised.value)) < 400


VALUE = st.sampled_from(["$x", "$y", "name", "variables.key", '"é&"', "7", "1.5", "true", "(print $x $y)"])
MADE = st.builds(
    "{} {} {}".format, st.sampled_from(["print", "println", "urlquery", "html", 'printf "%v %999v"']), VALUE, VALUE
)
STATEMENT = st.recursive(
    st.builds("{{{{ {} {} {} }}}}".format, st.sampled_from(["$x", "$y"]), st.sampled_from(["=", ":="]), MADE | VALUE)
    | st.sampled_from(["{{ $x }}", "{{ break }}", "{{ continue }}"])
    | MADE.map("{{{{ {} }}}}".format),
    lambda inner: st.builds(
        "{{{{ {} }}}}{}{{{{ end }}}}".format,
        st.sampled_from(["range 40", "range $i := 300", "if $x", "with $y"]),
        st.lists(inner, max_size=3).map("".join),
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=2000)
@given(st.lists(STATEMENT, max_size=6).map("".join))
def test_any_program_of_variables_loops_and_prints_ends_within_its_bounds(program: str) -> None:
    try:
        text = fill('{{ $x := "aaaaaaaa" }}{{ $y := name }}' + program)
    except TemplateError:
        return
    assert len(text) <= LONGEST
