"""The results of trials on this host: one file, replaced whole after each trial, so that ^C and a kill lose nothing.

Results of another kernel, or of the same release built anew, are not believed. What else makes one expire is decided in
`trials`, where it is held against the prediction of the moment.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from toolkit.errors import DAMAGED, StateError
from toolkit.model import Value
from toolkit.paths import advise_writing, write_atomically
from toolkit.runs import Trial
from toolkit.trials import name_result

SHAPE = 1  # raised when what is stored changes its meaning: then everything is tried again
LARGEST = 64 << 20


class Stored(Value, frozen=True):
    """What the file holds: results by their names."""

    shape: int
    trials: dict[str, Trial]


def name_kernel() -> str:
    """The running kernel: its release and its build, since a distribution can build one release twice."""
    kernel = os.uname()
    return f"{kernel.release} {kernel.version}"


def load_trials(file: Path) -> dict[str, Trial]:
    """The results of this kernel by their names; none from a file that is damaged, or that others can write."""
    now = name_kernel()
    return {name: trial for name, trial in _read(file).items() if trial.kernel == now}


def keep_trial(file: Path, trial: Trial) -> None:
    """Add a result, or replace the one before. Only the holder of the lock of `verify` may. Raises StateError."""
    _write(file, {**_read(file), _name(trial): trial})


def forget_trials(file: Path, known: Iterable[str]) -> None:
    """Keep only results with these names: what the catalog has no more is not tried again. Raises StateError."""
    before = _read(file)
    names = frozenset(known)
    after = {name: trial for name, trial in before.items() if " ".join(name.split(" ")[:2]) in names}
    if len(after) < len(before):
        _write(file, after)


def _name(trial: Trial) -> str:
    return name_result(trial.variant, trial.sha256, trial.arguments)


def _read(file: Path) -> dict[str, Trial]:
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return {}
    with os.fdopen(descriptor, "rb") as opened:
        found = os.fstat(descriptor)
        loose = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if found.st_uid not in (0, os.geteuid()) or loose or not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
            return {}
        try:
            stored = msgspec.msgpack.decode(opened.read(), type=Stored)
        except (OSError, *DAMAGED):
            return {}
    return stored.trials if stored.shape == SHAPE else {}


def _write(file: Path, trials: Mapping[str, Trial]) -> None:
    try:
        write_atomically(file, msgspec.msgpack.encode(Stored(shape=SHAPE, trials=dict(trials))))
    except OSError as error:
        raise StateError(f"cannot write {file}: {error.strerror}", fix=advise_writing(error)) from error
