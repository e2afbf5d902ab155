"""What shell scripts among the tools need: wrappers around bcc's language tools, and scripts of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.analysis.reading import essential, optional
from toolkit.analysis import analyze
from toolkit.analysis.shell import analyze as analyze_shell
from toolkit.model import Analysis, Arguments, Engine


def read(text: str) -> Analysis:
    return analyze_shell(text.encode())


@pytest.mark.parametrize(
    "call",
    [
        '$lib/ucalls.py -l java "$@"',
        '$lib/ucalls -l java "$@"',
        'exec "${lib}/ucalls.py" --language=java "$@"',
        '/usr/share/bcc/tools/lib/ucalls.py -l java "$@"',
    ],
)
def test_a_wrapper_needs_what_the_wrapped_tool_needs(call: str) -> None:
    found = read(f"#!/bin/bash\nlib=$(dirname $0)/lib\n{call}\n")
    assert essential(found) == ["engine:bcc", "headers", "program:java", "usdt"]
    assert (found.signature.style, found.signature.required) == (Arguments.POSITIONAL, True)


def test_a_language_is_run_by_programs_of_other_names() -> None:
    assert "program:python3 | program:python" in essential(read('#!/bin/sh\n$lib/uflow -l python "$@"\n'))
    assert "program:tclsh" in essential(read('#!/bin/sh\n$lib/uflow.py -l tcl "$@"\n'))


def test_c_has_no_usdt_probes_and_no_interpreter() -> None:
    assert essential(read('#!/bin/sh\n$lib/uobjnew -l c "$@"\n')) == ["engine:bcc", "headers"]


def test_ustat_looks_at_all_processes_and_goes_on_without_any() -> None:
    found = read('#!/bin/sh\n$lib/ustat -l ruby "$@"\n')
    assert (found.signature.style, found.signature.required) == (Arguments.INTERVAL, False)
    assert essential(found) == ["engine:bcc", "headers"]
    assert optional(found) == ["usdt:ruby | usdt:irb"]
    assert "usdt:java | usdt:node" in optional(read('#!/bin/sh\n$lib/ustat "$@"\n'))[0]


def test_ustat_finds_no_python3() -> None:
    assert optional(read('#!/bin/sh\n$lib/ustat.py -l python "$@"\n')) == ["usdt:python"]


def test_a_script_of_its_own_needs_a_shell() -> None:
    found = read(
        "#!/bin/bash\n#\n# sweep - clean up after a crash.\n#\n# USAGE: ./sweep [-Fq]\n#\n"
        "while getopts Fqh o; do :; done\n"
    )
    assert essential(found) == ["engine:shell"]
    assert found.summary == "clean up after a crash"
    assert found.signature.style is Arguments.OPTIONS
    assert found.signature.options == ("-F", "-q")


def test_getopts_and_positions_tell_where_no_usage_does() -> None:
    assert read('#!/bin/sh\nwhile getopts ":hp:" o; do :; done\n').signature.options == ("-h", "-p")
    assert read("#!/bin/sh\necho $1\n").signature.style is Arguments.POSITIONAL
    assert read("#!/bin/sh\necho hello\n").signature.style is Arguments.NONE


def test_what_is_no_script_is_a_problem() -> None:
    assert read("echo\n").problem != ""
    assert read("").problem != ""


@pytest.mark.packages
def test_debians_wrappers() -> None:
    paths = sorted(Path("/usr/sbin").glob("java*-bpfcc"))
    assert paths
    for path in paths:
        found = analyze(Engine.SHELL, path.read_bytes())
        assert "program:java" in essential(found) or optional(found) == ["usdt:java"], path


@pytest.mark.parametrize(
    ("tool", "probe"), [("ucalls", "function__entry"), ("uflow", "function__entry"), ("ugc", "gc__start")]
)
def test_a_python_is_looked_at_for_its_probes(tool: str, probe: str) -> None:
    found = essential(read(f'#!/bin/bash\n$lib/{tool} -l python "$@"\n'))
    assert found[2] == "program:python3 | program:python"
    assert found[3].split(" | ")[0] == f"usdt:python3:python:{probe}"
