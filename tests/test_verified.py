"""Results on disk: whole or not at all, of this kernel, and only ours."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from toolkit.runs import Observed, Seen, Trial
from toolkit.trials import name_result
from toolkit.verified import forget_trials, keep_trial, load_trials, name_kernel


def make(variant: str, *arguments: str, kernel: str = "") -> Trial:
    seen = Seen(observed=Observed.RUNS)
    return Trial(variant=variant, sha256="0" * 64, seen=seen, arguments=arguments, kernel=kernel or name_kernel())


def test_each_result_is_kept_beside_the_others(tmp_path: Path) -> None:
    file = tmp_path / "state" / "verified.msgpack"
    trials = (make("bcc/x"), make("bcc/y"), make("bcc/y", "vfs_read"))
    for trial in trials:
        keep_trial(file, trial)
    assert tuple(load_trials(file).values()) == trials
    again = msgspec.structs.replace(trials[0], seconds=3.0)
    keep_trial(file, again)
    assert load_trials(file)[name_result("bcc/x", "0" * 64)] == again


def test_those_of_another_kernel_or_another_build_of_it_do_not_count(tmp_path: Path) -> None:
    file = tmp_path / "verified.msgpack"
    keep_trial(file, make("bcc/x", kernel="6.1.0 #1 SMP"))
    keep_trial(file, make("bcc/y", kernel=f"{name_kernel()} again"))
    assert load_trials(file) == {}


def test_what_the_catalog_has_no_more_is_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "verified.msgpack"
    for trial in (make("bcc/x", "a b", "c"), make("bcc/y")):
        keep_trial(file, trial)
    forget_trials(file, [name_result("bcc/x", "0" * 64)])
    assert [one.variant for one in load_trials(file).values()] == ["bcc/x"]


@pytest.mark.parametrize("content", [b"", b"\x80", b"\xc1", b"\x82\xa5shape\x63\xa6trials\x80", b"\x91" * 5000])
def test_a_damaged_file_holds_nothing_and_is_written_anew(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "verified.msgpack"
    file.write_bytes(content)
    assert load_trials(file) == {}
    keep_trial(file, make("bcc/x"))
    assert len(load_trials(file)) == 1


def test_a_file_that_others_can_write_is_not_believed(tmp_path: Path) -> None:
    file = tmp_path / "verified.msgpack"
    keep_trial(file, make("bcc/x"))
    file.chmod(0o666)
    assert load_trials(file) == {}
