"""The top level of bpftrace programs: what begins and ends where, and what only looks as if it did."""

from __future__ import annotations

import contextlib

import pytest

from toolkit.analysis.bpftrace_lexer import (
    BpftraceSyntaxError,
    ItemKind,
    TokenKind,
    attach_point_parts,
    parse,
    tokens,
)


def points(text: str) -> list[tuple[str, ...]]:
    return [item.attach_points for item in parse(text).items if item.kind is ItemKind.PROBE]


def test_a_program_has_items_of_every_kind() -> None:
    script = parse(
        "#!/usr/bin/env bpftrace\n"
        "/* name - what it does */\n"
        "#include <linux/fs.h>\n"
        "#define LONG \\\n  42\n"
        "struct pair { int a; struct { int b; } c; };\n"
        "enum colour { red, green }\n"
        'config = { missing_probes = "warn"; }\n'
        'import "shared";\n'
        "let @seen = lruhash(100);\n"
        "macro twice($x) { $x * 2 }\n"
        "fn double($x : int64) : int64 { return $x * 2; }\n"
        'BEGIN { printf("go\\n"); }\n'
        "kprobe:a, kprobe:b /pid == 1/ { @[comm] = count(); }\n"
    )
    assert script.shebang == "#!/usr/bin/env bpftrace"
    assert script.comment.strip() == "name - what it does"
    assert [item.kind.value for item in script.items] == [
        "preprocessor",
        "preprocessor",
        "definition",
        "definition",
        "config",
        "import",
        "map",
        "macro",
        "function",
        "probe",
        "probe",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BEGIN{}", ("BEGIN",)),
        ("kprobe:a,kprobe:b{}", ("kprobe:a", "kprobe:b")),
        ("kprobe:a,\n  kprobe:b,\n{}", ("kprobe:a", "kprobe:b")),
        ("kprobe:a /* why */, // because\nkprobe:b {}", ("kprobe:a", "kprobe:b")),
        ("tracepoint:syscalls:sys_enter_*{}", ("tracepoint:syscalls:sys_enter_*",)),
        ("uprobe:/usr/lib/*/libc.so.6:malloc {}", ("uprobe:/usr/lib/*/libc.so.6:malloc",)),
        ('uprobe:"/opt/my app/bin":"ns::f(int, char)" {}', ('uprobe:"/opt/my app/bin":"ns::f(int, char)"',)),
        ("uprobe:/bin/bash:readline /pid > 1/ {}", ("uprobe:/bin/bash:readline",)),
        ("uprobe:$1:$2 {}", ("uprobe:$1:$2",)),
        ("kprobe:f+0x10 {}", ("kprobe:f+0x10",)),
    ],
)
def test_attach_points_end_where_bpftrace_ends_them(text: str, expected: tuple[str, ...]) -> None:
    assert points(text) == [expected]


@pytest.mark.parametrize(
    "body",
    [
        '{ printf("a } in a string"); }',
        '{ printf("a \\" and a }"); }',
        "{ /* a } in a comment */ }",
        "{ // a } here\n }",
        "{ if (1) { @ = 1; } else { @ = 2; } }",
        "{ @a = 6 / 2 / 3; }",
    ],
)
def test_braces_count_only_as_code(body: str) -> None:
    assert points(f"kprobe:a {body}\nkprobe:b {{}}") == [("kprobe:a",), ("kprobe:b",)]


@pytest.mark.parametrize("predicate", ["/@t[tid]/", "/ arg0 / 2 > 1 /", '/comm == "a/b"/', "/ 1 /* / { */ == 1 /"])
def test_a_predicate_ends_at_the_slash_before_the_brace(predicate: str) -> None:
    assert points(f"kprobe:a {predicate} {{ @ = 1; }}\nkprobe:b {{}}") == [("kprobe:a",), ("kprobe:b",)]


def test_parts_are_separated_by_colons_outside_quotes() -> None:
    assert attach_point_parts('uprobe:"/a:b/c":"f::g"') == ("uprobe", "/a:b/c", "f::g")
    assert attach_point_parts(r'usdt:"/a \"b\"":p') == ("usdt", '/a "b"', "p")


def test_tokens_know_strings_parameters_and_variables() -> None:
    found = tokens('$x = str($1); /* $2 */ @m[$#] = "a\\"b";')
    assert [token.text for token in found if token.kind is TokenKind.PARAMETER] == ["$1", "$#"]
    assert [token.text for token in found if token.kind is TokenKind.STRING] == ['a"b']
    assert [token.text for token in found if token.kind is TokenKind.VARIABLE] == ["$x"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("kprobe:a { @ = 1;", "does not end"),
        ("kprobe:a /pid == 1 { }", "predicate"),
        ('kprobe:a { printf("); }', "does not end"),
        ("kprobe:a {} }", "a block was expected"),
        (", {}", "an attach point was expected"),
        ("\n\nkprobe:a", "line 3"),
    ],
)
def test_what_is_no_program_says_where(text: str, why: str) -> None:
    with pytest.raises(BpftraceSyntaxError, match=why):
        parse(text)


@pytest.mark.parametrize(
    "hostile",
    [
        'kprobe:a { "' + '\\"' * 200_000,
        "kprobe:a { " + "/*" * 200_000,
        "kprobe:a / " + "/*" * 200_000,
        "uprobe:" + "/a" * 200_000,
        "{" * 400_000,
        "kprobe:a " + "{" * 200_000 + "}" * 200_000,
        "struct " * 60_000,
        "kprobe:a{} " * 40_000,
        "/* " + "*" * 400_000,
    ],
    ids=lambda text: str(text)[:16],
)
def test_time_is_in_proportion_to_the_text(hostile: str) -> None:
    with contextlib.suppress(BpftraceSyntaxError):
        assert all(tokens(item.text) is not None for item in parse(hostile).items)
