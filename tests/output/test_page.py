"""What a person sees of a stream: histograms drawn, all else as it came."""

from __future__ import annotations

from toolkit.output.chart import Style
from toolkit.output.page import Page
from toolkit.output.parser import open_parser
from toolkit.runs import Form

STYLE = Style(width=40, unicode=False)
TABLE = b"     usecs   : count    distribution\n     0 -> 1   : 3        |****  |\n"


def show(form: Form, *pieces: bytes) -> bytes:
    page, parser = Page(form), open_parser(form)
    shown = b"".join(page.take(piece, parser.feed(piece), STYLE) for piece in pieces)
    return shown + page.take(b"", parser.finish(), STYLE)


def test_text_goes_through_byte_by_byte_and_histograms_are_drawn() -> None:
    shown = show(Form.TEXT, b"Tracing\xff...\n" + TABLE[:20], TABLE[20:] + b"\n", b"tail")
    assert shown.startswith(b"Tracing\xff...\n(us)\n 0..1 3 |###")
    assert shown.endswith(b"p~\n\ntail")


def test_messages_are_shown_as_what_they_say() -> None:
    lines = (
        b'{"type": "printf", "data": "Tracing"}\n{"type": "printf", "data": "...\\n"}\n\n',
        b'{"type": "hist", "data": {"@us": [{"min": 0, "max": 1, "count": 3}]}}\n',
        b'{"type": "map", "data": {"@m": {"a": 1}}}\n{"type": "invented\x1b"}\n',
    )
    assert show(Form.BPFTRACE_JSON, *lines).decode().splitlines() == [
        "Tracing...",
        "@us  (us)",
        " 0..1 3 |##############################|",
        " count 3  p50 ~0.50 us  p90 ~0.90 us  p~",
        "",
        "@m",
        "key  value",
        "a        1",
        '{"type": "invented?"}',
    ]
