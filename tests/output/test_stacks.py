"""Stacks, folded and not, below rows, and as keys of maps."""

from __future__ import annotations

from tests.output import shapes
from toolkit.output.frames import Frame, Histogram, Stack, Stacks, Table
from toolkit.output.parse import FrameParser


def parse(data: bytes) -> tuple[Frame, ...]:
    parser = FrameParser()
    return (*parser.feed(data), *parser.finish())


def stacks(data: bytes) -> list[Stack]:
    return [stack for frame in parse(data) if isinstance(frame, Stacks) for stack in frame.stacks]


def test_folded_lines_stay_in_their_order() -> None:
    assert stacks(shapes.FOLDED) == [
        Stack(frames=("loader", "outer", "inner"), count=12),
        Stack(frames=("loader", "[unknown]"), count=3),
    ]


def test_indented_frames_are_turned_outermost_first() -> None:
    assert stacks(shapes.COUNTED) == [
        Stack(frames=("outer", "inner"), count=12, key="loader (4101)"),
        Stack(frames=("ffffffff81000001 inner",), count=3, key="loader [4101]"),
    ]


def test_waker_and_target_are_what_a_stack_was_counted_by() -> None:
    text = b"    waker:           timer/0\n    ffffffff81000001 wake\n    target:          cat\n        565\n"
    assert stacks(text) == [Stack(frames=("ffffffff81000001 wake",), count=565, key="waker timer/0, target cat")]


def test_a_stack_below_a_row_has_the_row_as_key() -> None:
    frames = [frame for frame in parse(shapes.STACK_BELOW) if isinstance(frame, Table | Stacks)]
    assert [type(frame) for frame in frames] == [Table, Stacks, Table, Stacks]
    assert stacks(shapes.STACK_BELOW) == [
        Stack(frames=("outer+0x20 [kernel]", "inner+0x10 [kernel]"), count=1, key="4101 loader do_open notes.txt"),
        Stack(frames=("inner+0x10 [kernel]",), count=1, key="4102 loader do_open other.txt"),
    ]


def test_leaks_count_bytes() -> None:
    first, second = (frame for frame in parse(shapes.LEAKS) if isinstance(frame, Stacks))
    assert (first.unit, first.time, first.title) == ("bytes", "10:00:01", "Top 2 stacks with outstanding allocations")
    assert first.stacks == (Stack(frames=("main+0x10 [app]", "alloc+0x6d [app]"), count=80, key="5 allocations"),)
    assert second.stacks == (Stack(frames=("alloc+0x6d [app]",), count=16, key="1 allocation"),)


def test_maps_with_stacks_as_keys_are_read() -> None:
    counts, histogram = parse(shapes.MAP_STACKS)
    assert isinstance(counts, Stacks)
    assert (counts.title, counts.stacks[0]) == ("@", Stack(frames=("outer+32", "inner+16"), count=12, key="loader"))
    assert isinstance(histogram, Histogram)
    assert (histogram.title, histogram.unit) == ("@us[inner+16]", "us")


def test_a_stack_that_is_cut_off_takes_nothing_along() -> None:
    frames = parse(shapes.MAP_STACKS[:65])
    assert stacks(shapes.MAP_STACKS[:65]) == [Stack(frames=("outer+32", "inner+16"), count=12, key="loader")]
    assert sum(frame.size for frame in frames) == 65


def test_frames_behind_a_sign_need_no_indent_and_no_count() -> None:
    (frame,) = (one for one in parse(shapes.MARKED) if isinstance(one, Stacks))
    assert frame.title == "Lock A (0x7ffc00001000) taken here while holding Lock B"
    first, second = frame.stacks
    assert first == Stack(frames=("00007f0000000002 start", "00007f0000000001 lock(std::mutex&)"), count=1)
    assert second == Stack(frames=("00007f0000000003 other",), count=1)


def test_a_frame_that_is_not_known_changes_nothing_where_the_others_are_placed() -> None:
    text = b"Section end: a -> b\n  outer+0x10\n  [unknown]\n====\n"
    assert stacks(text) == [Stack(frames=("[unknown]", "outer+0x10"), count=1)]
    assert stacks(b"  [unknown]\n  [unknown]\n====\n") == []


def test_a_stack_that_could_not_be_walked_has_a_count_and_no_frames() -> None:
    text = b"    inner\n    -                cat (41)\n        7\n\n    -                git (42)\n        9\n\n"
    assert stacks(text + b"    outer\n    -                cat (41)\n        5\n") == [
        Stack(frames=("inner",), count=7, key="cat (41)"),
        Stack(frames=(), count=9, key="git (42)"),
        Stack(frames=("outer",), count=5, key="cat (41)"),
    ]
