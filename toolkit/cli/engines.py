"""The option --engine NAME=VERSION: what another engine would make of it."""

from __future__ import annotations

import re

import click

from toolkit.model import Engine

SETTABLE = (Engine.BPFTRACE, Engine.BCC)  # a native tool's engine is the kernel itself
VERSION = re.compile(r"v?(\d+(?:\.\d+)*(?:[-+~][\w.+~-]*)?)", re.ASCII)  # also a package's: 0.31.0+ds-7


def parse_engines(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[Engine, str], ...]:
    """Each `bpftrace=0.23.2` as an engine and its version. Raises click.BadParameter."""
    found: list[tuple[Engine, str]] = []
    for value in values:
        name, _, text = value.partition("=")
        version = VERSION.fullmatch(text)
        if name not in SETTABLE or version is None:
            raise click.BadParameter(f"{value!r} is not like bpftrace=0.23.2 or bcc=0.31.0", ctx, param)
        found.append((Engine(name), version[1]))
    return tuple(dict.fromkeys(found))
