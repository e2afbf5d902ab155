"""The documents of a tool, from what lies on this host: found, read and shown without a network."""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path

from toolkit.catalog.query import Asked, resolve_name
from toolkit.choose import judge_all
from toolkit.cli.session import Session
from toolkit.errors import StateError, ToolkitError
from toolkit.model import Variant

LARGEST = 4 << 20  # bytes of a document, also after decompression
ROFF = re.compile(r"\\f.|\\-|\\&|\\ ")
STRUCK = re.compile("[^\n]\x08|\x1b\\[[0-9;]*m")  # bold and underlined, as typewriters and terminals write them
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]")


class NoDocument(ToolkitError):
    """The tool is known, but this document of it is not on this host."""


def find_variants(session: Session, name: str) -> tuple[Asked, tuple[Variant, ...]]:
    """The tool of this name with its variants, the one that would run first. Raises NoSuchTool."""
    asked = resolve_name(session.index, name)
    return asked, tuple(one.variant for one in judge_all(asked.variants, session.facts, session.trials))


def read_document(path: Path) -> str:
    """A text file, gzipped or not, made safe for a terminal: no control characters. Raises StateError."""
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as file:
                data = file.read(LARGEST + 1)
        else:
            with path.open("rb") as file:
                data = file.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise StateError(f"cannot read {path}: {error}") from error
    return make_safe(data[:LARGEST].decode("utf-8", "replace"))


def make_safe(text: str) -> str:
    """A text without control characters: an escape sequence of upstream's could rewrite what the person sees."""
    return CONTROL.sub("", STRUCK.sub("", text.replace("\r\n", "\n")))


def plain_roff(text: str) -> str:
    """A man page's source without its mark-up, for hosts without man(1) and for searching."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith(('.\\"', "'\\\"")):
            continue
        macro = re.match(r"\.([A-Za-z]+)\s*(.*)", line)
        if macro is None:
            lines.append(ROFF.sub(lambda found: "-" if found[0] == "\\-" else "", line))
        elif macro[1] in ("SH", "SS"):
            lines += ["", macro[2].strip('"')]
        elif macro[1] in ("TP", "PP", "P", "LP"):
            lines.append("")
        elif macro[2]:
            lines.append(ROFF.sub("", macro[2]).strip('"'))
    return "\n".join(lines).strip() + "\n"
