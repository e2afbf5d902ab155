"""Programs that bpftrace 0.22 to 0.24 refuse for the size of their integers. Each was tried with 0.17, 0.23, 0.27."""

from __future__ import annotations

import pytest

from tests.analysis.reading import essential
from toolkit.analysis.bpftrace import analyze

STRUCT = "struct q { unsigned long load; unsigned int nr; };\n"
LENGTH = "$q = (struct q *)nsecs; $len = $q->nr;"


def engines(text: str, version: str) -> list[str]:
    return [one for one in essential(analyze(text.encode()), version) if one.startswith("engine:bpftrace>=0.25")]


@pytest.mark.parametrize(
    "body",
    [
        f"{LENGTH} $len = $len > 0 ? $len - 1 : 0;",
        f"{LENGTH} $len = $len - 1;",
        f"{LENGTH} $len = 5; $len += 2;",
        f"{LENGTH} if (1) {{ $len = $len * 2; }}",
        "$len = (uint32)5; $len = $len + 1;",
        "$len = pid; $len = $len + 1;",
    ],
)
def test_a_narrow_variable_takes_no_calculation(body: str) -> None:
    text = f"{STRUCT}interval:s:1 {{ {body} }}"
    assert engines(text, "0.23.2") == ["engine:bpftrace>=0.25"]
    assert engines(text, "0.21.0") == []
    assert engines(text, "0.25.0") == []


@pytest.mark.parametrize(
    "body",
    [
        f"{LENGTH} $len = 5; $len++; $len = $q->nr;",
        f"{LENGTH} @sum = $len + 1;",
        f"{LENGTH} @other[1] = 1; @other[$len + 1] = $len;",
        f"{LENGTH} if ($len == 1 + 2) {{ exit(); }}",
        "$q = (struct q *)nsecs; $len = $q->load; $len = $len + 1;",
        "$len = (uint64)pid; $len = $len + 1;",
        "$len = nsecs; $len = $len - 1;",
        "if (1) { $len = pid; } $len = nsecs; $len = $len + 1;",
    ],
)
def test_what_fits_is_taken(body: str) -> None:
    assert engines(f"{STRUCT}interval:s:1 {{ {body} }}", "0.23.2") == []
