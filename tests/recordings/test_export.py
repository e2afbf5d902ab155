"""Recordings in other forms: valid for those who read them, complete, and harmless whatever was recorded."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import tracemalloc
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from tests.recordings.test_recordings import RESULT, make_run
from toolkit.errors import StateError
from toolkit.output.frames import Text
from toolkit.recordings.content import PIECE, Excerpts, read_costs, read_frames
from toolkit.recordings.export import asciicast, folded, lines, page, rows, text
from toolkit.recordings.layout import Recording
from toolkit.recordings.read import read_recording
from toolkit.recordings.write import Recorder
from toolkit.runs import Account, Cost, Form, Outcome

HISTOGRAM = b"     usecs   : count    distribution\n     0 -> 1   : 3   |**  |\n     2 -> 3   : 9   |****|\n"
EVIL = "<script>alert(1)</script>\"'&\x1b]0;title\x07\x9b"
FORMS = {"asciicast": asciicast, "text": text, "jsonl": lines, "csv": rows, "folded": folded, "html": page}


def record(folder: Path, *pieces: bytes, stderr: bytes = b"", **changes: object) -> Recording:
    recorder = Recorder(folder, msgspec.structs.replace(make_run(), **changes))
    for piece in pieces:
        recorder.take_output("O", piece)
    if stderr:
        recorder.take_output("E", stderr)
    recorder.take_cost(Cost(time=0.5, programs=1, run_ns=1000, run_count=10))
    recorder.take_cost(Cost(time=1.5, programs=1, run_ns=9000, run_count=90))
    recorder.take_cost(Cost(time=2.5, programs=1, run_ns=9500, run_count=95))
    recorder.finish(RESULT)
    found = read_recording(recorder.path)
    assert found is not None
    return found


def record_json(folder: Path, *messages: object) -> Recording:
    return record(folder, *(json.dumps(one).encode() + b"\n" for one in messages), form=Form.BPFTRACE_JSON)


def stacks(title: str = "@") -> dict[str, object]:
    return {"type": "map", "data": {title: {"\nread\nmain\n,app": 5, "\nwr;ite\nmain\n,app": 2}}}


def export(form: str, recording: Recording) -> bytes:
    return b"".join(FORMS[form].export(recording))


def test_asciicast_plays_both_streams_as_they_came(tmp_path: Path) -> None:
    word = "ä".encode()
    recording = record(tmp_path, b"one\n" + word[:1], word[1:] + b"\xff\x1b[2J\n", stderr=b"oops\n")
    header, *events = map(json.loads, export("asciicast", recording).splitlines())
    assert (header["version"], header["width"], header["height"]) == (2, 80, 24)
    assert all(len(event) == 3 and event[1] == "o" and event[0] >= 0 for event in events)
    assert [event[0] for event in events] == sorted(event[0] for event in events)
    assert "".join(event[2] for event in events) == "one\r\nä\ufffd\x1b[2J\r\noops\r\n"


def test_asciicast_is_as_wide_as_what_was_printed(tmp_path: Path) -> None:
    header = json.loads(export("asciicast", record(tmp_path, b"x" * 100, b"y" * 20 + b"\nz\n")).splitlines()[0])
    assert header["width"] == 120


def test_text_is_what_was_printed_without_commands(tmp_path: Path) -> None:
    assert export("text", record(tmp_path, b"a\x1b[31m\r\nb", b"\n", stderr=b"no")) == "a␛[31m\nb\n".encode()


def test_data_is_drawn_and_what_is_not_understood_stays(tmp_path: Path) -> None:
    shown = export("text", record_json(tmp_path, {"type": "map", "data": {"@": 5}}, "stray")).decode()
    assert shown == '@: 5\n"stray"\n'


def test_json_lines_hold_all_of_it(tmp_path: Path) -> None:
    recording = record(tmp_path, b"hello\n" + HISTOGRAM, b"\nbye", stderr=b"oops")
    events = [json.loads(line) for line in export("jsonl", recording).splitlines()]
    order = list(dict.fromkeys(one["event"] for one in events))
    assert order == ["run", "frame", "output", "cost", "result"]
    frames = [one["frame"] for one in events if one["event"] == "frame"]
    ends = [one["offset"] + one["size"] for one in frames]
    assert [one["offset"] for one in frames] == [0, *ends[:-1]]
    assert ends[-1] == len(b"hello\n" + HISTOGRAM + b"\nbye")
    assert "".join(one.get("text", "|") for one in frames) == "hello\n|\nbye"
    assert events[0]["run"]["tool"] == "runqlat"
    assert events[-1]["result"]["outcome"] == "ended"
    assert export("jsonl", record(tmp_path, EVIL.encode(), id="20261124T100000Z-x-1")).count(b"\xc2\x9b") == 0


def test_csv_has_a_row_for_each_slot_and_each_table_its_columns(tmp_path: Path) -> None:
    both = {"type": "map", "data": {"@n": {'a,"b"': 1}}}
    hist = {"type": "hist", "data": {"@h": [{"max": -1, "count": 1}, {"min": 0, "max": 1, "count": 4}]}}
    recording = record_json(tmp_path, hist, both, hist)
    shown = list(csv.DictReader(io.StringIO(export("csv", recording).decode())))
    assert [(row["table"], row["kind"], row["low"], row["count"], row["value"]) for row in shown] == [
        ("1", "histogram", "", "1", ""),
        ("1", "histogram", "0", "4", ""),
        ("2", "table", "", "", "1"),
        ("1", "histogram", "", "1", ""),
        ("1", "histogram", "0", "4", ""),
    ]
    only = b"".join(rows.export(recording, 2)).decode()
    assert list(csv.reader(io.StringIO(only)))[1][-2:] == ['a,"b"', "1"]
    assert "low" not in only
    with pytest.raises(StateError, match="no table 3"):
        list(rows.export(recording, 3))
    with pytest.raises(StateError, match="understood as data"):
        list(rows.export(record(tmp_path, b"words\n", id="20261124T100000Z-x-1")))


def test_a_cell_of_csv_is_one_line_without_commands(tmp_path: Path) -> None:
    evil = {"type": "map", "data": {"@n": {"a\nb": 1, "\x1b[2J": 2, "plain": 3}}}
    shown = export("csv", record_json(tmp_path, evil)).decode()
    assert [row["key"] for row in csv.DictReader(io.StringIO(shown))] == ["a?b", "?[2J", "plain"]


def test_columns_of_the_same_name_stay_apart(tmp_path: Path) -> None:
    assert rows._name_columns(("PID", "time", "PID", "PID.2", "PID")) == ("PID", "time.2", "PID.2", "PID.2'", "PID.3")


def test_folded_stacks_have_the_outermost_frame_first(tmp_path: Path) -> None:
    assert export("folded", record_json(tmp_path, stacks())) == b"app;main;read 5\napp;main;wr:ite 2\n"
    two = record_json(tmp_path / "two", stacks("@a"), stacks("@b"))
    assert export("folded", two).splitlines()[::2] == [b"@a;app;main;read 5", b"@b;app;main;read 5"]
    with pytest.raises(StateError, match="no stacks"):
        export("folded", record(tmp_path / "none", HISTOGRAM))


class Page(HTMLParser):
    """What a browser would load, run, and show."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.foreign: list[str] = []
        self.handlers: list[str] = []
        self.policy = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        named = dict(attrs)
        self.foreign += [value for key, value in attrs if key in {"src", "href"} and value and value != "data:,"]
        self.handlers += [key for key in named if key.startswith("on") or key == "style"]
        if named.get("http-equiv") == "Content-Security-Policy":
            self.policy = named["content"] or ""


def test_the_page_loads_nothing_and_runs_only_its_own_script(tmp_path: Path) -> None:
    hostile = record(
        tmp_path,
        f"{EVIL} = {EVIL}\n".encode() + HISTOGRAM,
        b"\x00\xff" + EVIL.encode(),
        stderr=EVIL.encode(),
        tool=EVIL,
        host=EVIL,
        arguments=(EVIL,),
        argv=(EVIL,),
        why=EVIL,
        user=EVIL,
        kernel=EVIL,
    )
    shown = export("html", hostile).decode()
    seen = Page(shown)
    assert (seen.tags.count("script"), seen.foreign, seen.handlers) == (1, [], [])
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", shown)
    for name in ("style", "script"):
        inside = shown.split(f"<{name}>")[1].split(f"</{name}>")[0]
        assert f"{name}-src 'sha256-{b64encode(sha256(inside.encode()).digest()).decode()}'" in seen.policy
    assert seen.policy.startswith("default-src 'none'")


def test_the_page_shows_what_there_is(tmp_path: Path) -> None:
    reads = {"type": "map", "data": {"@reads": {"nginx": 41, "mysqld": 7}}}
    hist = {"type": "hist", "data": {"@us": [{"min": 4, "max": 7, "count": 12}]}}
    shown = export("html", record_json(tmp_path, hist, hist, reads, stacks(), {"type": "map", "data": {"@total": 5}}))
    for part in (b"24 values", b"2 intervals added up", b"Over time", b"mysqld", b"@total", b"main: 7, 100.0 %"):
        assert part in shown
    assert b"BPF programs, % of one CPU" in shown
    assert b"inhouse/runqlat 0.1.0" in shown
    for fact in (
        b"it ended by itself",
        b"1 MiB of output; 1024 MiB of memory; 128 processes; 5 % of one CPU",
        b"watching",
    ):
        assert fact in shown


def test_the_page_names_the_programs_that_cost_the_most(tmp_path: Path) -> None:
    recording = record(tmp_path, HISTOGRAM)
    assert recording.result is not None
    accounts = (
        Account(name="cold", run_count=1, run_ns=100),
        Account(name="never"),
        Account(name="hot", attached=("raw_tracepoint sched_switch",), run_count=2000, run_ns=1_000_000),
    )
    result = msgspec.structs.replace(recording.result, seconds=2.0, accounts=accounts)
    shown = export("html", msgspec.structs.replace(recording, result=result)).decode()
    hot = "hot on raw_tracepoint sched_switch: 2,000 times, 500 ns each, 0.05 % of one CPU"
    assert 0 < shown.index(hot) < shown.index("cold: 1 times, 100 ns each")
    assert "never" not in shown


def test_the_page_says_first_why_there_is_less_than_was_asked_for(tmp_path: Path) -> None:
    recording = record(tmp_path, HISTOGRAM)
    assert recording.result is not None
    assert b'class="doubts"' not in export("html", recording)
    result = msgspec.structs.replace(recording.result, outcome=Outcome.LIMIT, limit="bpf_cost", detail="it cost <9 %")
    shown = export("html", msgspec.structs.replace(recording, result=result)).decode()
    assert "stopped at a limit: it cost &lt;9 %" in shown.split("<section")[0]


def test_what_was_not_understood_is_shown_at_once(tmp_path: Path) -> None:
    shown = {
        name: export("html", record(tmp_path / name, *pieces, stderr=b"no such file\n")).decode()
        for name, pieces in {"data": (HISTOGRAM,), "words": (b"nothing to see\n",), "nothing": ()}.items()
    }
    opened = {name: re.findall(r"<h2>([^<]*)</h2><details open", page) for name, page in shown.items()}
    assert opened == {"data": [], "words": ["What it printed"], "nothing": ["On stderr"]}
    assert ["it printed nothing" in page for page in shown.values()] == [False, False, True]


def test_a_large_recording_makes_a_page_of_bounded_size(tmp_path: Path) -> None:
    counts = {f"process {number}": number for number in range(3000)}
    message = json.dumps({"type": "map", "data": {"@": counts}}).encode() + b"\n"
    recording = record(tmp_path, *[message] * 100, form=Form.BPFTRACE_JSON)
    assert (Path(recording.path) / "stdout").stat().st_size > 5_000_000
    shown = export("html", recording)
    assert len(shown) < 1_500_000
    assert b"The first 1,000 of 300,000 rows" in shown


def test_what_is_missing_is_as_if_nothing_was_printed(tmp_path: Path) -> None:
    recording = record(tmp_path, HISTOGRAM)
    for name in ("timing", "stderr", "cost.jsonl", "result.json", "frames.jsonl"):
        (Path(recording.path) / name).unlink()
    found = read_recording(recording.path)
    assert found is not None
    for form in ("asciicast", "text", "jsonl", "csv", "html"):
        assert export(form, found)
    (Path(recording.path) / "stdout").unlink()
    for form in ("asciicast", "jsonl", "html"):
        assert export(form, found)


def test_links_and_pipes_in_the_place_of_files_are_refused(tmp_path: Path) -> None:
    recording = record(tmp_path, HISTOGRAM)
    stdout = Path(recording.path) / "stdout"
    stdout.unlink()
    stdout.symlink_to("/etc/passwd")
    with pytest.raises(StateError):
        export("text", recording)
    stdout.unlink()
    os.mkfifo(stdout)
    with pytest.raises(StateError):
        export("jsonl", recording)


def test_damaged_costs_are_passed_over(tmp_path: Path) -> None:
    recording = record(tmp_path, b"x\n")
    costs = Path(recording.path) / "cost.jsonl"
    costs.write_bytes(b"{\n\xff\n" + costs.read_bytes() + b"[" * 100_000)
    assert [one.time for one in read_costs(recording)] == [0.5, 1.5, 2.5]


def test_frames_have_the_time_of_their_last_byte(tmp_path: Path) -> None:
    recording = record(tmp_path, b"words\n" + HISTOGRAM, b"more\n")
    (Path(recording.path) / "timing").write_text(f"O 1.0 {6 + len(HISTOGRAM) - 4}\nO 2.5 4\nO 4.0 5\n")
    assert [printed.seconds for printed in read_frames(recording)] == [1.0, 3.5, 7.5]


def test_one_line_without_end_is_read_in_pieces(tmp_path: Path) -> None:
    line = "ä".encode() * (5 << 20)
    recording = record(tmp_path, b"x" + line)
    tracemalloc.start()
    with Excerpts(recording).open() as stdout:
        pieces = [
            (piece.size, piece.text.count("ä"), "\ufffd" in piece.text)
            for _, frame in read_frames(recording)
            if isinstance(frame, Text)
            for piece in stdout.read(frame)
        ]
    assert sum(size for size, _, _ in pieces) == len(line) + 1
    assert max(size for size, _, _ in pieces) <= PIECE
    for form in ("asciicast", "jsonl", "html"):
        for _ in FORMS[form].export(recording):
            pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 << 20
