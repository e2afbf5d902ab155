"""Every example output that this machine has, read; what is found in each is written down in `example_classes`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.output.example_classes import CLASSES, REST
from tests.output.examples import cut_outputs, find_examples, read_example, read_output

FOUND = tuple(find_examples())
TOOLS = {name.partition("/")[2] for name, _ in FOUND}
KINDS = {name: set(kinds.split()) for kinds, names in CLASSES.items() for name in names.split()}

needs_examples = pytest.mark.skipif(
    not FOUND, reason="needs the documents of bpfcc-tools or bpftrace, or TOOLKIT_EXAMPLES"
)


@needs_examples
@pytest.mark.parametrize(("name", "path"), FOUND, ids=[f"{path.parent.name}-{name}" for name, path in FOUND])
def test_an_example_holds_what_is_written_down(name: str, path: Path) -> None:
    kinds, rest = read_example(path, TOOLS)
    if name in KINDS:
        assert kinds == KINDS[name] or (kinds <= KINDS[name] and name in REST)
    if name not in REST:
        assert rest == []
        assert kinds


@needs_examples
def test_the_frames_of_whole_files_cover_every_byte() -> None:
    for _, path in FOUND:
        whole = path.read_bytes()
        at = 0
        for frame in read_output(whole):
            assert frame.offset == at
            at += frame.size
        assert at == len(whole)


@needs_examples
def test_most_commands_in_the_files_are_found() -> None:
    outputs = sum(1 for _, path in FOUND for _ in cut_outputs(path.read_text(errors="replace"), TOOLS))
    assert outputs > 2 * len(FOUND)
