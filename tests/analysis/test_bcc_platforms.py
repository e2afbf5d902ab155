"""Which processors bcc tools are for."""

from __future__ import annotations

import pytest

from tests.analysis.reading import essential
from toolkit.analysis.bcc import analyze

START = "#!/usr/bin/python3\nfrom bcc import BPF\nimport platform\n"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("if platform.machine() != 'x86_64':\n    print('no')\n    exit()\n", "platform:x86_64"),
        (
            "if (platform.machine() != 'x86_64' and platform.machine() != 'aarch64'):\n    exit(1)\n",
            "platform:x86_64 | platform:aarch64",
        ),
        ("if b'Intel' not in run('cat /proc/cpuinfo'):\n    raise Exception\n", "platform:Intel"),
        (
            "KNOWN = {'GenuineIntel': 1, 'AuthenticAMD': 2}\nopen('/proc/cpuinfo')\n",
            "platform:GenuineIntel | platform:AuthenticAMD",
        ),
    ],
)
def test_it_ends_on_another(text: str, wanted: str) -> None:
    assert essential(analyze((START + text).encode()))[1:] == [wanted]


@pytest.mark.parametrize(
    "text",
    [
        "if platform.machine() != 'x86_64':\n    print('untested')\n",
        "if platform.machine() == 'x86_64':\n    exit()\n",
        "print('GenuineIntel')\n",
    ],
)
def test_it_goes_on(text: str) -> None:
    assert essential(analyze((START + text).encode()))[1:] == []
