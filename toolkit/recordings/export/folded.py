"""A recording's stacks in folded text, for flame graphs: `process;outermost;…;innermost count`, a stack a line."""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.errors import StateError
from toolkit.output.chart import show_safely
from toolkit.output.frames import Stack, Stacks
from toolkit.recordings.content import read_frames
from toolkit.recordings.layout import Recording


def export(recording: Recording) -> Iterator[bytes]:
    """Each stack as often as it was printed: readers add those that are the same. Raises StateError, also without any.

    Where there are stacks of several titles, the title is their outermost frame: what they count may differ.
    """
    titles = _list_titles(recording)
    if not titles:
        raise StateError(f"{recording.run.id} holds no stacks", fix="`--format text` shows what it holds")
    for _, frame in read_frames(recording):
        if isinstance(frame, Stacks):
            title = frame.title if len(titles) > 1 else ""
            yield "".join(f"{fold(stack, title)} {stack.count}\n" for stack in frame.stacks).encode("utf-8", "replace")


def fold(stack: Stack, title: str = "") -> str:
    """A stack as one word for each frame; what separates frames and lines cannot be in one."""
    frames = (*filter(None, (title, stack.key)), *stack.frames)
    return ";".join(show_safely(frame).replace(";", ":") for frame in frames)


def _list_titles(recording: Recording) -> set[str]:
    """The titles of its stacks; two are enough to know that they differ."""
    titles: set[str] = set()
    for _, frame in read_frames(recording):
        if isinstance(frame, Stacks) and frame.stacks:
            titles.add(frame.title)
            if len(titles) > 1:
                break
    return titles
