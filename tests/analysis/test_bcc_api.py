"""Which release of bcc a tool needs."""

from __future__ import annotations

import pytest

from toolkit.analysis.bcc import analyze

START = "#!/usr/bin/python3\nfrom bcc import BPF\n"


def engine(text: str) -> str:
    return analyze((START + text).encode()).requirements[0].any_of[0].name


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("BPF(text='')\n", "bcc"),
        ("BPF.kernel_struct_has_field('a', 'b')\n", "bcc>=0.23"),
        ("from bcc.exec import run_cmd\nBPF.kernel_struct_has_field('a', 'b')\n", "bcc>=0.36"),
        ("import bcc.exec\n", "bcc>=0.36"),
        ("BPF(text='BPF_RINGBUF_OUTPUT(events, 8);')\n", "bcc>=0.16"),
        ("BPF(text='MY_BPF_RINGBUF_OUTPUT(events, 8);')\n", "bcc"),
        ("try:\n    from bcc.exec import run_cmd\nexcept ImportError:\n    run_cmd = None\n", "bcc"),
        ("kernel_struct_has_field = 1\n", "bcc"),
    ],
)
def test_the_newest_part_of_bcc_that_is_used_decides(text: str, wanted: str) -> None:
    assert engine(text) == wanted
