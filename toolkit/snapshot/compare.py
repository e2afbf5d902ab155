"""What changed between two snapshots, by tool. Pure."""

from __future__ import annotations

from toolkit.model import Value
from toolkit.snapshot.layout import Manifest, Origin, Role


class Difference(Value, frozen=True, omit_defaults=False):
    """Tools as source/stem; documents and parts count as changes of nobody."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    gone: tuple[str, ...]
    origins_new: tuple[Origin, ...]
    origins_gone: tuple[Origin, ...]

    @property
    def empty(self) -> bool:
        """Whether no tool and no origin differs."""
        return not (self.new or self.changed or self.gone or self.origins_new or self.origins_gone)


def compare_manifests(before: Manifest | None, after: Manifest) -> Difference:
    """From `before` (None: nothing) to `after`."""
    old, new = _hashes(before), _hashes(after)
    old_origins = before.origins if before else ()
    return Difference(
        new=tuple(sorted(new.keys() - old.keys())),
        changed=tuple(sorted(name for name in new.keys() & old.keys() if new[name] != old[name])),
        gone=tuple(sorted(old.keys() - new.keys())),
        origins_new=tuple(one for one in after.origins if one not in old_origins),
        origins_gone=tuple(one for one in old_origins if one not in after.origins),
    )


def _hashes(manifest: Manifest | None) -> dict[str, frozenset[str]]:
    """The hashes of each tool, of all revisions that are held."""
    found: dict[str, set[str]] = {}
    for entry in manifest.entries if manifest else ():
        if entry.role is Role.TOOL:
            found.setdefault(f"{entry.source}/{entry.stem}", set()).add(entry.sha256)
    return {name: frozenset(hashes) for name, hashes in found.items()}
