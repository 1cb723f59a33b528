"""Query templates mean what they mean in Go's text/template; the expected texts are what Go 1.26 wrote for them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.core.templates import TemplateError, fill_in
from tests.handlers.core.filling import fill

RENDERED = [
    ("", ""),
    ("up{a='b'}", "up{a='b'}"),
    ('{{ "{{" }}x}}', "{{x}}"),
    ('{{ "}}" }}', "}}"),
    ("{{ `a\\b` }}", "a\\b"),
    ('{{ "a\\"b\\x41\\u00e9\\101" }}', 'a"bAéA'),
    ("{% if %}{# kept #}", "{% if %}{# kept #}"),
    ("a  {{- name -}}  b", "apodinfob"),
    ("a {{/* }} why */}} b", "a  b"),
    ("a {{- /* why */ -}} b", "ab"),
    ("{{name}}{{\n  name\n}}", "podinfopodinfo"),
    ("{{ variables.key }}{{ (variables).n }}", "v3"),
    ('{{ index variables "a-b" }}', "w"),
    ('{{ if eq namespace "test" "staging" }}yes{{ else }}no{{ end }}', "yes"),
    ('{{ if ne name "podinfo" }}a{{ else if eq interval "1m" }}b{{ else }}c{{ end }}', "b"),
    ('{{ if index variables "gone" }}a{{ else }}b{{ end }}', "b"),
    ('{{ or (index variables "gone") variables.empty "5m" }}', "5m"),
    ("{{ and variables.key name }}|{{ not variables.empty }}", "podinfo|true"),
    ("{{ with variables.key }}[{{ . }}]{{ else }}none{{ end }}", "[v]"),
    ("{{ with variables.empty }}[{{ . }}]{{ else }}none{{ end }}", "none"),
    ("{{ with $x := name }}{{ $x }}{{ end }}", "podinfo"),
    ("{{ range $k, $v := variables }}{{ $k }}={{ $v }};{{ end }}", "a-b=w;empty=;key=v;n=3;"),
    ("{{ range variables }}<{{ . }}>{{ end }}", "<w><><v><3>"),
    ("{{ range 3 }}{{ . }}{{ end }}", "012"),
    ("{{ range 9 }}{{ if eq . 1 }}{{ continue }}{{ end }}{{ if gt . 3 }}{{ break }}{{ end }}{{ . }}{{ end }}", "023"),
    ("{{ range 0 }}a{{ else }}b{{ end }}", "b"),
    ("{{ $x := name }}{{ if true }}{{ $x = namespace }}{{ $y := 1 }}{{ end }}{{ $x }}", "test"),
    ("{{ $x := name }}{{ if true }}{{ $x := namespace }}{{ end }}{{ $x }}", "podinfo"),
    ('{{ printf "%s-%s" name namespace }}', "podinfo-test"),
    ('{{ namespace | printf "%s/%s" name }}', "podinfo/test"),
    ('{{ printf "%q|%5s|%-5s|%05d|%+d|%x" "a\\"b" "x" "y" 42 7 255 }}', '"a\\"b"|    x|y    |00042|+7|ff'),
    ('{{ printf "%.2f %6.1f %g %e %v %t %%" 1.5 2.25 0.5 1500.0 "s" true }}', "1.50    2.2 0.5 1.500000e+03 s true %"),
    ("{{ len name }} {{ len variables }} {{ slice name 3 }} {{ slice name 0 3 }}", "7 4 info pod"),
    (
        "{{ 1.50 }} {{ 1e3 }} {{ 1234567.5 }} {{ 0.00001 }} {{ 0x1F }} {{ 017 }} {{ 'a' }}",
        "1.5 1000 1.2345675e+06 1e-05 31 15 97",
    ),
    ("{{ lt 1 2 }} {{ le 2 2 }} {{ gt 1 2 }} {{ ge 2.5 1.5 }} {{ lt name namespace }}", "true true false true true"),
    ('{{ print name 1 2 "x" 3 }} {{ println true 4 }}', "podinfo1 2x3 true 4\n"),
    ("{{ urlquery `a b&c` }} {{ html `<a>` }}", "a+b%26c &lt;a&gt;"),
    ("{{ (printf `%s` name) | len }}", "7"),
]


@pytest.mark.parametrize(("template", "rendered"), RENDERED)
def test_a_template_means_what_it_means_in_go(template: str, rendered: str) -> None:
    assert fill(template) == rendered


CLUSTER = 'envoy_cluster_name=~"{{ namespace }}-{{ target }}-canaryupstream-[0-9a-zA-Z-]+_[0-9a-zA-Z-]+",'
LE = ") by (le) )"
POD = """\
              kubernetes_namespace="{{ namespace }}",
              kubernetes_pod_name=~"{{ target }}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)"\
"""
PEERS = [
    # request-success-rate, request-duration and the tutorial's template, as the peer has them
    (
        f"sum( rate( envoy_cluster_upstream_rq{{ {CLUSTER} envoy_response_code!~'5.*' }}[{{{{ interval }}}}] ) ) / "
        f"sum( rate( envoy_cluster_upstream_rq{{ {CLUSTER} }}[{{{{ interval }}}}] ) ) * 100"
    ),
    (
        "histogram_quantile( 0.99, sum( rate( envoy_cluster_upstream_rq_time_bucket"
        f"{{ {CLUSTER} }}[{{{{ interval }}}}] ) {LE}"
    ),
    f"""\
100 - sum(
    rate(
        http_request_duration_seconds_count{{
{POD}
              status!="{{{{ interval }}}}"
        }}[1m]
    )
)
/
sum(
    rate(
        http_request_duration_seconds_count{{
{POD}
        }}[{{{{ interval }}}}]
    )
) * 100
""",
]


@pytest.mark.parametrize("template", PEERS)
def test_the_peers_own_templates_are_rendered_whole(template: str) -> None:
    """Nothing of them but the actions changes, and no action stays."""
    given = {"name": "podinfo", "namespace": "test", "target": "shop", "interval": "1m"}
    rendered = template
    for name, value in given.items():
        rendered = rendered.replace("{{ " + name + " }}", value)
    assert fill_in(template, given, {}) == rendered
    assert "{{" not in rendered
    assert rendered.count("shop") == template.count("target")


@pytest.mark.parametrize(
    ("template", "line", "column", "words"),
    [
        ("{{ nme }}", 1, 4, "nme is not known; there are name, namespace, interval, variables.<key>"),
        ("{{ if false }}{{ nme }}{{ end }}", 1, 18, "nme is not known"),
        ("a\nbc {{ variables.gone }}", 2, 16, "templateVariables has no 'gone'; it has a-b, empty, key, n"),
        ('{{ index variables "gone" }}', 1, 4, "has no 'gone'"),
        ('{{ printf "%s" (index variables "gone") }}', 1, 4, "has no 'gone'"),
        ("{{ variables.a-b }}", 1, 4, 'index variables "a-b"'),
        ("{{ variables }}", 1, 4, "say which variable"),
        ("{{ index name 1 }}", 1, 4, '{{ index variables "key" }}'),
        ("x\n\n  {{ if eq name }}{{ end }}", 3, 9, "eq needs two values"),
        ("{{ if name }}", 1, 4, "this if is never closed"),
        ("{{ end }}", 1, 4, "unexpected end"),
        ("{{ if name }}{{ else }}{{ else }}{{ end }}", 1, 27, "a second else"),
        ("{{ break }}", 1, 4, "break outside of range"),
        ('{{ define "x" }}{{ end }}', 1, 4, "define is not supported"),
        ("{{ range name }}{{ end }}", 1, 10, "range goes over variables or a number"),
        ('{{ printf "%d" name }}', 1, 4, "%d needs a whole number, not 'podinfo'"),
        ('{{ printf "%s" }}', 1, 4, "printf has no value for %s"),
        ('{{ printf "%s" name name }}', 1, 4, "1 values more than verbs"),
        ("{{ name | upper }}", 1, 11, "upper is not known"),
        ("{{ name | name }}", 1, 11, "name takes no arguments"),
        ("{{ .Name }}", 1, 4, "no field Name"),
        ("{{ . }}", 1, 4, "there is no value here"),
        ("{{ $x }}", 1, 4, "$x is not declared"),
        ("{{ $x = name }}", 1, 4, "$x is no variable that is declared here"),
        ("{{ name.length }}", 1, 4, "name has no field length"),
        ("{{ name namespace }}", 1, 9, "name takes no arguments"),
        ("{{ eq name 1 }}", 1, 4, "different types"),
        ("{{ }}", 1, 3, "nothing between"),
        ("up {{ name", 1, 4, "never closed"),
        ('{{ "open }}', 1, 4, "not supported"),
        ("{{ (name }}", 1, 4, "this ( is never closed"),
        ('{{ "\\d" }}', 1, 4, "escape"),
        ("{{ 9223372036854775808 }}", 1, 4, "too big"),
        ("{{/* never }}", 1, 1, "never closed"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_column(template: str, line: int, column: int, words: str) -> None:
    with pytest.raises(TemplateError) as raised:
        fill(template)
    assert words in str(raised.value)
    assert (raised.value.line, raised.value.column) == (line, column)
    assert str(raised.value).startswith(f"line {line}, column {column}: ")


def refusal_of(template: str) -> TemplateError | None:
    try:
        fill(template)
    except TemplateError as error:
        return error
    return None


PIECES = ["{{", "}}", "{{-", "-}}", "if ", "else", "end", "range ", "with ", "eq ", "and ", "printf ", '"%s"', "name "]
PIECES += [
    "variables",
    ".key",
    "$x",
    ":=",
    "=",
    "(",
    ")",
    "|",
    "1",
    ",",
    "`",
    "/*",
    "*/",
    "index ",
    "\n",
    " ",
    "é",
    "break",
    "print ",
    "urlquery ",
    "html ",
    '"%999s" ',
    "{{ $x := name }}",
    "{{ $x = print $x $x }}",
    '{{ $x = printf "%s%s" $x $x }}',
    "{{ range 9 }}",
    "{{ end }}",
    "{{ $x }}",
]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(max_size=40))
def test_any_text_renders_or_is_refused_with_a_place_inside_it(template: str) -> None:
    refusal = refusal_of(template)
    if refusal:
        lines = template.split("\n")
        assert 1 <= refusal.line <= len(lines)
        assert 1 <= refusal.column <= len(lines[refusal.line - 1]) + 1


@settings(max_examples=50)
@given(st.text(max_size=40).filter(lambda text: "{{" not in text))
def test_text_without_actions_stays_as_it_is(text: str) -> None:
    assert fill(text) == text
