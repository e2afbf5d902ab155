"""How the running kernel was configured, from the first place that has it."""

from __future__ import annotations

import gzip
import re
import zlib

from toolkit.host.places import config_files
from toolkit.host.tree import Tree, explain
from toolkit.model import Fact
from toolkit.options import WANTED

# Lengths that no option and no value of a kernel exceeds.
LINE = re.compile(r"^(?:(CONFIG_\w{1,100})=([ -~]{0,2000})|# (CONFIG_\w{1,100}) is not set)$", re.MULTILINE | re.ASCII)


def read_config(tree: Tree, release: str) -> Fact[dict[str, str]]:
    """The wanted options: y, m, a value without quotes, or n for "is not set".

    An option that this kernel does not know, or whose dependencies are off, is in no config, and so not in this.
    """
    places = config_files(release)
    why: list[str] = []
    for place in places:
        try:
            text = _read(tree, place)
        except FileNotFoundError:
            continue
        except (gzip.BadGzipFile, EOFError, zlib.error):
            why.append(f"{place} is damaged")
            continue
        except OSError as error:
            why.append(explain(place, error))
            continue
        return Fact(parse_config(text), origin=place)
    return Fact(unknown="; ".join(why) or f"there is no kernel config: none of {', '.join(places)} exists")


def parse_config(text: str) -> dict[str, str]:
    """The wanted options of a .config file."""
    options: dict[str, str] = {}
    for name, value, unset in LINE.findall(text):
        option = name or unset
        if WANTED.fullmatch(option):
            options[option] = value.strip('"') if name else "n"
    return options


def _read(tree: Tree, place: str) -> str:
    data = tree.read(place)
    if place.endswith(".gz"):
        data = gzip.decompress(data)
    return data.decode(errors="replace")
