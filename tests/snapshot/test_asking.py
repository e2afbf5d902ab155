"""Sources asked before the sync begins: their answers count, unless the sync had to wait, and nobody is waited for."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.snapshot.test_sync import Upstream, own_source, run_sync, script
from tests.support.git_repos import need_git, serve_silence
from toolkit.cli.failing import fail_with_one
from toolkit.errors import SourceError, SyncFailed
from toolkit.model import Source
from toolkit.paths import Paths
from toolkit.snapshot import sync as syncing
from toolkit.snapshot.asking import Asking, ask_ahead, ask_source
from toolkit.sources.git_process import run_git

need_git()


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(settings=tmp_path / "config.yaml", state=tmp_path / "state")


@pytest.fixture
def acme(tmp_path: Path) -> Upstream:
    upstream = Upstream(tmp_path / "acme")
    upstream.commit({"disk/slowio.bt": script(1)})
    return upstream


def ask_and_change(upstream: Upstream) -> tuple[Source, Asking, str]:
    """Ask a source, and change it afterwards; gives the commit of the answer, too."""
    source = own_source(upstream)
    with ask_ahead((source,), seconds=20) as answers:
        answer = answers["acme"]
        commit = answer.result().refs.heads["main"]
    upstream.commit({"disk/slowio.bt": script(2)})
    return source, answer, commit


def test_an_answer_of_before_is_not_asked_for_again(paths: Paths, acme: Upstream) -> None:
    source, answer, commit = ask_and_change(acme)
    report = run_sync(paths, source, answers={"acme": answer})
    assert [one.commit for one in report.sources[0].origins] == [commit]


def test_a_sync_that_waited_for_another_asks_again(
    paths: Paths, acme: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, answer, commit = ask_and_change(acme)
    monkeypatch.setattr(syncing, "LONGEST_WAIT", -1.0)
    report = run_sync(paths, source, answers={"acme": answer})
    assert [one.commit for one in report.sources[0].origins] == [acme.git("rev-parse", "HEAD")] != [commit]


def test_an_answer_that_is_an_error_fails_its_source_alone(paths: Paths, acme: Upstream, tmp_path: Path) -> None:
    lost = msgspec.structs.replace(own_source(acme, "lost"), url=f"file://{tmp_path}/nothing")
    with ask_ahead((own_source(acme), lost), seconds=20) as answers:
        report = run_sync(paths, own_source(acme), lost, answers=answers)
    assert [bool(one.problem) for one in report.sources] == [False, True]
    with pytest.raises(SourceError, match="cannot list the branches and tags"):
        ask_source(lost, seconds=20)


def test_a_server_that_says_nothing_is_not_waited_for_when_the_block_ends() -> None:
    with serve_silence() as port:
        silent = Source(name="acme", summary="Ours", url=f"git://127.0.0.1:{port}/x")
        with ask_ahead((silent,), seconds=600) as answers:
            pass
        with pytest.raises(BaseException):  # noqa: B017, PT011  cancelled, or its git was ended
            answers["acme"].result()
    assert run_git(("version",), seconds=20).ok


def test_a_host_without_threads_is_told_so(acme: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: Asking) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Asking, "start", start)

    @fail_with_one
    def ask() -> None:
        with ask_ahead((own_source(acme),), seconds=20):
            pytest.fail("it began")

    with pytest.raises(SyncFailed, match="no more threads"):
        ask()
