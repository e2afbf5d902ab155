"""A sync is written down however it ends, also by a person's Ctrl-C or by a bug of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.samples import make_facts, make_index
from toolkit.cli.books import note_failure
from toolkit.cli.failing import fail_with_one
from toolkit.cli.session import Session
from toolkit.config import Settings
from toolkit.errors import SettingsError, StateError, SyncFailed, ToolkitError, UsageError
from toolkit.paths import Paths
from toolkit.snapshot.journal import read_journal


def session_in(folder: Path) -> Session:
    paths = Paths(settings=folder / "config.yaml", state=folder / "state")
    return Session(paths, Settings(textfile=str(folder)), make_index(), make_facts())


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyboardInterrupt(), "interrupted"),
        (StateError("no space"), "no space"),
        (ZeroDivisionError("x"), "a bug in toolkit: ZeroDivisionError: x"),
    ],
)
def test_whatever_ends_a_sync_is_written_down_and_goes_on(tmp_path: Path, error: BaseException, said: str) -> None:
    session = session_in(tmp_path)
    with pytest.raises(type(error)), note_failure(session.paths, session.settings, lambda: session):
        raise error
    last = read_journal(session.paths.journal).last
    assert last is not None
    assert (last.success, last.problem) == (False, said)
    assert session.paths.sync_log.read_text().endswith(f"Z sync FAILED: {said}\n")
    assert "toolkit_sync_success 0\n" in (tmp_path / "toolkit.prom").read_text()


def test_a_state_that_cannot_be_written_still_shows_in_the_metrics(tmp_path: Path) -> None:
    session = session_in(tmp_path)
    session.paths.state.touch()  # a file where a folder should be
    with pytest.raises(StateError, match="the first"), note_failure(session.paths, session.settings, lambda: session):
        raise StateError("the first")
    assert "toolkit_sync_success 0\n" in (tmp_path / "toolkit.prom").read_text()


@pytest.mark.parametrize(
    ("error", "status"),
    [(StateError("x", fix="y"), 1), (UsageError("x", fix="y"), 125), (SettingsError("x", fix="y"), 125)],
)
def test_a_failure_is_1_and_a_wrong_call_125(error: ToolkitError, status: int) -> None:
    @fail_with_one
    def fail() -> None:
        raise error

    with pytest.raises(ToolkitError) as caught:
        fail()
    assert (caught.value.status, caught.value.what, caught.value.fix) == (status, "x", "y")
    assert isinstance(caught.value, SyncFailed) == (status == 1)
