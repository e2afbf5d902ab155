"""Where the running kernel's headers are: what bcc, and scripts that include them, compile against."""

from __future__ import annotations

from toolkit.host.places import KHEADERS, header_folders
from toolkit.host.tree import Tree
from toolkit.model import Fact


def find_headers(tree: Tree, release: str) -> Fact[str]:
    """The folder or archive of headers; a dangling /lib/modules link, left by a removed package, does not count."""
    folders = header_folders(release)
    for folder in folders:
        if tree.exists(f"{folder}/Makefile") or tree.exists(f"{folder}/include"):
            return Fact(folder, origin=folder)
    if tree.exists(KHEADERS):
        return Fact(KHEADERS, origin=KHEADERS)
    return Fact(unknown=f"no kernel headers: none in {' or '.join(folders)}, and no {KHEADERS}")
