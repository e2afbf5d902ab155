"""A recording as one HTML page with charts, which loads nothing from elsewhere and runs only the script that we wrote.

What the tool printed is only ever escaped text. The page is of a size that a browser shows at once, whatever the
recording's: what is left out is said.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from toolkit.output.frames import Histogram, Stacks, Table, Values
from toolkit.output.gather import Name, Room, Shape, StackCounts, count_stacks, gather
from toolkit.output.heat import Series
from toolkit.output.html.bars import draw_series
from toolkit.output.html.curves import Costs, draw_costs
from toolkit.output.html.flames import draw_flames
from toolkit.output.html.markup import escape, section, tag
from toolkit.output.html.tables import Sheet, draw_sheet
from toolkit.output.plain import Plain
from toolkit.recordings.content import measure_seconds, read_costs, read_frames
from toolkit.recordings.export import text
from toolkit.recordings.facts import describe_open_end
from toolkit.recordings.layout import Recording
from toolkit.recordings.replay import read_pieces
from toolkit.runs import Account, Outcome

MOST_SERIES = 32  # histograms of different titles
MOST_SHEETS = 16
MOST_CELLS = 200_000
MOST_VALUES = 500
MOST_STACKS = 50_000
MOST_PROGRAMS = 12  # the hottest
ENDINGS = {
    Outcome.ENDED: "it ended by itself",
    Outcome.DURATION: "its time was over",
    Outcome.LIMIT: "stopped at a limit",
    Outcome.INTERRUPTED: "interrupted",
    Outcome.OUTPUT_CLOSED: "stopped",
    Outcome.FAILED: "it could not be run to its end",
}
SHOWN = {"stdout": 256 << 10, "stderr": 64 << 10}  # bytes of what was printed


class Contents:
    """What the page shows of a run's frames, as much as fits: a `Gathering`."""

    def __init__(self) -> None:
        self.series: dict[Name, Series] = {}
        self.intervals: dict[Name, int] = {}
        self.sheets: dict[Shape, Sheet] = {}
        self.stacks: dict[Name, StackCounts] = {}
        self.values: dict[str, str] = {}
        self.lost = 0
        self.left_out = 0
        self._cells = MOST_CELLS
        self._room = Room(MOST_STACKS)

    def add_histogram(self, frame: Histogram) -> None:
        """Its title gets one more interval."""
        name = (frame.title, frame.unit)
        if name not in self.series and len(self.series) >= MOST_SERIES:
            self.left_out += 1
            return
        interval = self.intervals.get(name, 0)
        self.intervals[name] = interval + 1
        self.series.setdefault(name, Series()).add(interval, frame)

    def add_table(self, frame: Table) -> None:
        """Its rows go below those of the same title and columns."""
        shape = (frame.title, frame.columns)
        if shape not in self.sheets and len(self.sheets) >= MOST_SHEETS:
            self.left_out += 1
            return
        sheet = self.sheets.setdefault(shape, Sheet(frame.title, frame.columns))
        for row in frame.rows:
            self._cells -= len(row)
            sheet.add(frame.time, row, keep=self._cells >= 0)

    def add_stacks(self, frame: Stacks) -> None:
        """Add them to those of the same path."""
        count_stacks(frame, self.stacks, self._room, name_key=str)

    def add_values(self, frame: Values) -> None:
        """The last one of each name stays."""
        for name, value in frame.pairs:
            key = f"{frame.title} {name}".strip()
            if key in self.values or len(self.values) < MOST_VALUES:
                self.values[key] = value
            else:
                self.left_out += 1

    @property
    def empty(self) -> bool:
        """Whether nothing was understood as data."""
        return not (self.series or self.sheets or self.stacks or self.values)

    @property
    def missing(self) -> int:
        """How many things are not on the page."""
        return self.left_out + self._room.left_out


def export(recording: Recording) -> Iterator[bytes]:
    """The page, part by part. Raises StateError."""
    contents, costs = Contents(), Costs()
    for _, frame in read_frames(recording):
        gather(frame, contents)
    for sample in read_costs(recording):
        costs.add(sample)
    stdout = _read_stdout(recording)
    parts = (
        _draw_head(recording),
        _draw_doubts(recording, contents, stdout),
        *(draw_series(name[0], one, contents.intervals[name]) for name, one in contents.series.items()),
        *(draw_flames(title, unit, stacks) for (title, unit), stacks in contents.stacks.items()),
        *(draw_sheet(sheet) for sheet in contents.sheets.values()),
        _draw_values(contents),
        draw_costs(costs.samples),
        _draw_facts(recording),
        _draw_text("What it printed", stdout, shown=contents.empty),
        _draw_text("On stderr", _read_stderr(recording), shown=not stdout.text.strip()),
    )
    return _assemble(f"{recording.run.tool} {shlex.join(recording.run.arguments)}".rstrip(), parts, recording)


def _assemble(title: str, parts: tuple[str, ...], recording: Recording) -> Iterator[bytes]:
    here = files("toolkit.recordings.export")
    style, script = (here.joinpath(name).read_text("utf-8") for name in ("page.css", "page.js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)} on {escape(recording.run.host)}</title>\n<style>{style}</style></head>\n<body><main>\n"
    ).encode("utf-8", "replace")
    for part in parts:
        yield part.encode("utf-8", "replace")
    yield f"</main>\n<script>{script}</script></body></html>\n".encode()


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _draw_head(recording: Recording) -> str:
    run = recording.run
    started = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(run.started))
    when = f"{started}, for {measure_seconds(recording):.1f} s"
    line = f"{run.host}, kernel {run.kernel}; {when}; {_describe_end(recording)}"
    heading = escape(run.tool) + (" " + tag("code", escape(shlex.join(run.arguments))) if run.arguments else "")
    return tag("header", tag("h1", heading) + tag("p", escape(line))) + "\n"


def _describe_end(recording: Recording) -> str:
    result = recording.result
    if result is None:
        return describe_open_end(recording)
    status = f", status {result.tool_status}" if result.tool_status else ""
    return f"{ENDINGS[result.outcome]}{status}"


def _draw_doubts(recording: Recording, contents: Contents, stdout: Beginning) -> str:
    """What should be known before anything below is believed."""
    result = recording.result
    doubts = [f"{ENDINGS[result.outcome]}: {result.detail}"] if result and result.detail else []
    doubts += [] if stdout.text.strip() else ["it printed nothing"]
    doubts += [reason.text for reason in recording.run.verdict.reasons]
    doubts += [recording.problem] if recording.problem else []
    if result and result.dropped_bytes:
        doubts.append(f"{result.dropped_bytes:,} bytes of its output were dropped")
    if contents.lost:
        doubts.append(f"{contents.lost:,} events were lost: what was counted is too little")
    if contents.missing:
        doubts.append(f"{contents.missing:,} rows, stacks or titles have no room on this page")
    return tag("ul", "".join(tag("li", escape(doubt)) for doubt in doubts), class_="doubts") + "\n" if doubts else ""


def _draw_values(contents: Contents) -> str:
    entries = (
        tag("div", tag("dt", escape(name)) + tag("dd", escape(value))) for name, value in contents.values.items()
    )
    return section("Values", tag("dl", "".join(entries), class_="facts") if contents.values else "")


def _draw_facts(recording: Recording) -> str:
    run, result = recording.run, recording.result
    facts = [
        ("recording", run.id),
        ("variant", f"{run.variant} {run.revision}".strip()),
        ("why this one", run.why),
        ("verdict", f"{run.verdict.status} ({run.verdict.basis})"),
        ("command", shlex.join(run.argv)),
        ("file", run.path),
        ("sha256", run.sha256),
        ("user", run.user),
        ("limits", _describe_limits(recording)),
        ("held by", run.enforcement.means),
    ]
    if result is not None:
        attached = ", ".join(result.cost.attached[:20]) + (" …" if len(result.cost.attached) > 20 else "")
        facts += [
            ("BPF programs", f"{result.cost.programs}, which ran {result.cost.run_count:,} times"),
            *(("", _describe_account(one, result.seconds)) for one in _find_hottest(result.accounts)),
            ("attached", attached or "nothing"),
            ("printed", f"{result.stdout_bytes:,} bytes, {result.stderr_bytes:,} on stderr"),
        ]
    facts += [("tags", " ".join(recording.tags))] if recording.tags else []
    entries = (tag("div", tag("dt", name) + tag("dd", escape(value))) for name, value in facts)
    return section("The run", tag("dl", "".join(entries), class_="facts"))


def _describe_limits(recording: Recording) -> str:
    run, limits = recording.run, recording.run.limits
    cost = f"{limits.bpf_cost:g} % of one CPU for its BPF programs" if limits.bpf_cost else "none on its BPF programs"
    return (
        f"{run.deadline:g} s; {run.output_bytes / (1 << 20):g} MiB of output; "
        f"{limits.memory_bytes / (1 << 20):g} MiB of memory; {limits.processes} processes; {cost}"
    )


def _find_hottest(accounts: tuple[Account, ...]) -> list[Account]:
    return sorted((one for one in accounts if one.run_count), key=lambda one: -one.run_ns)[:MOST_PROGRAMS]


def _describe_account(one: Account, seconds: float) -> str:
    where = f" on {', '.join(one.attached[:3])}" if one.attached else ""
    share = f"{one.run_ns / 1e7 / seconds:.2g} % of one CPU" if seconds else f"{one.run_ns / 1e6:.3g} ms"
    return (
        f"{one.name or 'a program'}{where}: {one.run_count:,} times, {one.run_ns / one.run_count:,.0f} ns each, {share}"
    )


class Beginning(NamedTuple):
    """The first `size` characters of a text, and whether there is more."""

    text: str
    size: int
    more: bool


def _read_stdout(recording: Recording) -> Beginning:
    return _take((piece.decode() for piece in text.export(recording)), SHOWN["stdout"])


def _read_stderr(recording: Recording) -> Beginning:
    plain = Plain()
    pieces = read_pieces(Path(recording.path))
    return _take((plain.feed(data) for step, data in pieces if step.stream == "E"), SHOWN["stderr"])


def _take(pieces: Iterator[str], size: int) -> Beginning:
    taken: list[str] = []
    left = size
    for piece in pieces:
        taken.append(piece[:left])
        left -= len(piece)
        if left < 0:
            break
    return Beginning("".join(taken), size, left < 0)


def _draw_text(title: str, beginning: Beginning, *, shown: bool) -> str:
    if not beginning.text.strip():
        return ""
    note = f"The first {beginning.size >> 10} KiB; the recording has all of it." if beginning.more else ""
    pre = tag("pre", escape(beginning.text), tabindex="0")
    opened = {"open": ""} if shown else {}
    return section(title, tag("details", tag("summary", "Show") + pre, **opened), note=note)
