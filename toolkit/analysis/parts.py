"""The parts of a bcc tool that lie in files of their own: C text that it names, beside it or below /usr."""

from __future__ import annotations

import posixpath
import re

from toolkit.model import Engine
from toolkit.trust import open_regular

LARGEST = 1 << 20  # bytes of a part; BCC's largest has 20,000
MOST = 8
_NAMED = re.compile(rb"""["']((?:/usr/(?:[\w-][\w.-]{0,100}/){1,8})?[\w-][\w.-]{0,100}\.c)["']""")


def read_parts(engine: Engine, data: bytes, path: str, root: str = "") -> dict[str, bytes]:
    """The parts of the tool of these bytes at this path, by the names that it has for them; those that can be read.

    `root` is what stands for / on another file system.
    """
    # Few tools have a part, and to look for names takes a while.
    named = engine is Engine.BCC and (b'.c"' in data or b".c'" in data)
    names = dict.fromkeys(_NAMED.findall(data)) if named else {}
    found: dict[str, bytes] = {}
    for name in list(map(bytes.decode, names))[:MOST]:
        try:
            with open_regular(f"{root}{name}" if name.startswith("/") else locate_part(path, name)) as file:
                text = file.read(LARGEST + 1)
        except OSError:
            continue
        if len(text) <= LARGEST:
            found[name] = text
    return found


def locate_part(path: str, name: str) -> str:
    """Where a part lies: beside its tool, unless its name says where."""
    return posixpath.join(posixpath.dirname(path), name)
