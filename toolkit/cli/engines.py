"""`--engine NAME=VERSION`: an engine's version in place of what a host has."""

from __future__ import annotations

import re

import click

from toolkit.model import Engine

SETTABLE = (Engine.BPFTRACE, Engine.BCC)  # a native tool's engine is the kernel itself
# Also as packages write it: 0.26.0+ds-1.
VERSION = re.compile(r"v?(\d{1,9}(?:\.\d{1,9}){1,3})(?:[-+~].*)?", re.ASCII)


def parse_engines(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[Engine, str], ...]:
    """`bpftrace=0.23.2` as an engine and its version, each once. Raises BadParameter."""
    found: list[tuple[Engine, str]] = []
    for value in values:
        name, _, version = value.partition("=")
        number = VERSION.fullmatch(version)
        if name not in SETTABLE or number is None:
            raise click.BadParameter(f"{value!r} is not like bpftrace=0.23.2 or bcc=0.31.0", ctx, param)
        found.append((Engine(name), number[1]))
    return tuple(dict.fromkeys(found))
