"""The example outputs that upstream documents, read from this machine: what tools printed, cut out of the prose.

Such a file shows commands behind a prompt, below each what it printed, and sentences in between. As sentences and
output cannot be told apart for certain, a line that is left over is judged kindly: blank lines, prompts, preambles,
headings and whatever reads like English are no output of a tool.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from toolkit.output.frames import Frame, Text
from toolkit.output.marks import read_headline, read_time
from toolkit.output.parse import FrameParser

PLACES = {"bcc": "/usr/share/doc/bpfcc-tools/examples/doc", "bpftrace": "/usr/share/doc/bpftrace/examples"}
SUFFIX = "_example.txt"

COMMAND = re.compile(r"\s*(?:\(?[\w-]*\)?[#%$]|[\w.@-]+[:~].*[#$]|root@.*#) ?\S.*|\./\S.*")
USAGE = re.compile(r"\s*(?:full )?usage\b.*", re.IGNORECASE)
WORD = re.compile(r"[\"'(]?[a-z'-]+[,.;:)]*\"?")
ASIDE = re.compile(
    r"\s*|\s*#\s*|```|<screen clears>|\[[.-]+\]|\[\d+\] \d+|\^[A-Z].*|.*\^C\s*|.*\.\.\..*|.*:|[-=*]+( END)?"
    r"|(?:Trac|Attach|Sampl|Monitor|Profil|Summar|Detach|Print|Count|Instrument|Replac|End|Hit|Exit)\w* .*|.*Ctrl.?C.*"
)
PAYLOAD = re.compile(r"-+ (END )?DATA.*")


def find_examples() -> Iterator[tuple[str, Path]]:
    """Name and file of each: `bcc/opensnoop`, from TOOLKIT_EXAMPLES, a folder of both, or from the packages."""
    given = os.environ.get("TOOLKIT_EXAMPLES")
    for source, place in PLACES.items():
        folder = Path(given) / source if given else Path(place)
        for path in sorted(folder.rglob(f"*{SUFFIX}")):
            if path.stat().st_size > 200 and "old" not in path.parts:  # a few only name another file
                yield f"{source}/{path.name.removesuffix(SUFFIX)}", path


def cut_outputs(text: str, tools: set[str]) -> Iterator[bytes]:
    """What each command of one of these tools printed, up to the next command or the next sentence."""
    output: list[str] | None = None
    continued = blank = False
    for line in text.split("\n"):
        if continued:
            continued = line.endswith("\\")
        elif COMMAND.fullmatch(line) and not line.startswith("# CALLS"):
            yield from join_output(output)
            words = {word.rpartition("/")[2].removesuffix(".py").removesuffix(".bt") for word in line.split()}
            named = words | {word.removesuffix("-kp") for word in words}  # biolatency-kp: the same with kprobes
            output, blank, continued = [] if named & tools else None, False, line.endswith("\\")
        elif USAGE.fullmatch(line) or (blank and not ASIDE.fullmatch(line) and is_sentence(line)):
            yield from join_output(output)
            output = None
        elif output is not None:
            output.append(line)
            blank = not line.strip()
    yield from join_output(output)


def join_output(lines: list[str] | None) -> Iterator[bytes]:
    """The lines as bytes, if they say anything."""
    text = "\n".join(lines or ()).strip("\n")
    if text.strip():
        yield text.encode() + b"\n"


def is_sentence(line: str) -> bool:
    """Whether a line reads like English."""
    words = line.split()
    if not words or not (line[0].isalpha() or line[0] in "'\"`(-*") or " = " in line:
        return False
    if re.search(r"\S  +\S", line.rstrip()) and not line.rstrip().endswith((".", ":", ",")):
        return False
    return len(words) >= 3 and 2 * sum(WORD.fullmatch(word) is not None for word in words) >= len(words)


def read_output(output: bytes) -> tuple[Frame, ...]:
    """The frames of one output."""
    parser = FrameParser()
    return (*parser.feed(output), *parser.finish())


def find_rest(output: bytes, frames: tuple[Frame, ...]) -> Iterator[str]:
    """The lines that were not understood although they are no asides."""
    payload = False
    for frame in frames:
        if not isinstance(frame, Text):
            continue
        for line in output[frame.offset : frame.offset + frame.size].decode().splitlines():
            mark = PAYLOAD.fullmatch(line)
            payload = not mark[1] if mark else payload
            if payload or mark or ASIDE.fullmatch(line) or read_time(line) or read_headline(line):
                continue
            if not is_sentence(line):
                yield line


def read_example(path: Path, tools: set[str]) -> tuple[set[str], list[str]]:
    """The kinds of frames in a file, and the lines that were not understood."""
    kinds: set[str] = set()
    rest: list[str] = []
    for output in cut_outputs(path.read_text(errors="replace"), tools):
        frames = read_output(output)
        kinds |= {type(frame).__name__.lower() for frame in frames} - {"text"}
        rest += find_rest(output, frames)
    return kinds, rest
