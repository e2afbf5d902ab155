"""Curated arguments for trials: what `verify` gives to a variant that starts nothing without any."""

from __future__ import annotations

from pathlib import Path

from toolkit.documents import convert_entry, point_at, read_entries


def load_arguments(folder: Path) -> dict[str, tuple[str, ...]]:
    """Arguments by the ids of variants; {pid} in one stands for a process of ours. Raises SettingsError."""
    arguments: dict[str, tuple[str, ...]] = {}
    for entry in read_entries(folder / "arguments.yaml"):
        if entry.key.count("/") != 1:
            raise point_at(entry, f"{entry.key!r} is not the id of a variant, such as bcc/funccount")
        arguments[entry.key] = convert_entry(entry, tuple[str, ...])
    return arguments
