"""C text that a bcc tool has in files of its own: found beside it, read with it, and part of what it is."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tests.analysis.reading import essential, probes
from toolkit.analysis import analyze
from toolkit.analysis.parts import LARGEST, locate_part, read_parts
from toolkit.model import Engine

START = b"from bcc import BPF\n"
TEXT = b"TRACEPOINT_PROBE(net, net_dev_start_xmit) { return 0; }"


@pytest.mark.parametrize(
    "code",
    [
        b'b = BPF(src_file="tool.c")',
        b"FILE = 'tool.c'\nb = BPF(src_file = FILE, debug=0)",
        b"b = BPF('tool.c')",
        b"with open('tool.c') as f:\n    text = f.read()\nb = BPF(text=text.replace('A', '1'))",
        b"b = BPF(text=open('tool.c').read())",
        b"import sys\nif sys.argv[1] == '':\n    exit()\nclass Way:\n    def go(self): BPF(src_file='tool.c')",
    ],
)
def test_the_text_of_a_part_is_read_as_the_tools_own(code: bytes, tmp_path: Path) -> None:
    (tmp_path / "tool.c").write_bytes(TEXT)
    found = read_parts(Engine.BCC, START + code, str(tmp_path / "tool.py"))
    read = analyze(Engine.BCC, START + code, "tool", found)
    assert probes(read) == ["tracepoint:net:net_dev_start_xmit"]
    assert essential(read)[2:] == ["tracepoint:net:net_dev_start_xmit"]
    assert read.parts == {"tool.c": hashlib.sha256(TEXT).hexdigest()}


@pytest.mark.parametrize("code", [b"BPF(src_file='tool.c')", b"BPF(text=open('tool.c').read())"])
def test_a_part_that_is_not_there_is_needed(code: bytes) -> None:
    read = analyze(Engine.BCC, START + code)
    assert "file:tool.c" in essential(read)
    assert read.parts == {}


def test_a_file_that_only_an_option_opens_is_not_needed() -> None:
    code = b"import argparse\np = argparse.ArgumentParser()\np.add_argument('-w', action='store_true')\n"
    code += b"args = p.parse_args()\nif args.w:\n    print(open('tool.c').read())\nb = BPF(text='int f;')\n"
    assert "file:tool.c" not in essential(analyze(Engine.BCC, START + code))


def test_only_files_beside_a_tool_and_below_usr_are_read(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "up.c").write_bytes(TEXT)
    (tmp_path / "tools/large.c").write_bytes(b" " * (LARGEST + 1))
    (tmp_path / "tools/good.c").write_bytes(TEXT)
    os.mkfifo(tmp_path / "tools/fifo.c")
    names = ("../up.c", str(tmp_path / "up.c"), "/usr/../etc/x.c", "/etc/x.c", "large.c", "fifo.c", "gone.c", "good.c")
    data = START + "\n".join(f'"{name}"' for name in names).encode()
    assert read_parts(Engine.BCC, data, str(tmp_path / "tools/tool.py")) == {"good.c": TEXT}
    assert read_parts(Engine.BPFTRACE, data, str(tmp_path / "tools/tool.bt")) == {}


def test_a_packaged_part_lies_where_its_name_says(tmp_path: Path) -> None:
    place = tmp_path / "usr/share/bpfcc-tools"
    place.mkdir(parents=True)
    (place / "tool.c").write_bytes(TEXT)
    name = "/usr/share/bpfcc-tools/tool.c"
    assert locate_part("/usr/sbin/tool-bpfcc", name) == name
    assert locate_part("/usr/sbin/tool-bpfcc", "tool.c") == "/usr/sbin/tool.c"
    assert read_parts(Engine.BCC, f"BPF(src_file='{name}')".encode(), "/usr/sbin/x", str(tmp_path)) == {name: TEXT}


@pytest.mark.packages
def test_the_tools_that_have_parts_attach_what_those_say() -> None:
    path = Path("/usr/sbin/netqtop-bpfcc")
    if not path.exists():
        pytest.skip("bpfcc-tools has no netqtop here")
    data = path.read_bytes()
    read = analyze(Engine.BCC, data, "netqtop", read_parts(Engine.BCC, data, str(path)))
    assert probes(read) == ["tracepoint:net:net_dev_start_xmit", "tracepoint:net:netif_receive_skb"]
