"""`toolkit info` on a tool that is held at several revisions: each is told, and why one is taken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Toolkit
from tests.support.git_repos import Repo

TOOL = "#!/usr/bin/env bpftrace\n/*\n * slowio - {}\n */\ntracepoint:sched:sched_switch {{ @ = count(); }}\n"


@pytest.fixture
def held(own_home: Path, toolkit: Toolkit) -> None:
    """A source of bpftrace's tools with a release of long ago and one that no engine has yet, synced."""
    upstream = Repo(own_home / "bpftrace.git")
    for tag in ("v0.1.0", "v0.2.0", "v99.0.0"):
        commit = upstream.commit({"tools/slowio.bt": TOOL.format(tag).encode()})
        upstream.git("tag", tag, commit)
    settings = own_home / "toolkit" / "config.yaml"
    settings.parent.mkdir(mode=0o700)
    settings.write_text(f"sources: {{bpftrace: {{url: '{upstream.url}'}}}}\n")
    assert toolkit("sync", "bpftrace").returncode == 0


@pytest.mark.root
@pytest.mark.bpf
@pytest.mark.bpftrace
@pytest.mark.usefixtures("held")
def test_every_revision_is_told_with_the_one_that_fits_first(toolkit: Toolkit) -> None:
    text = toolkit("info", "slowio").stdout
    assert "run takes  bpftrace/slowio v0.2.0: the only one of 2 that runs here" in text
    assert "also held: v99.0.0 blocked: it is part of bpftrace 99.0.0, newer than the engine here" in text
    assert text.count("bpftrace/slowio  ") == 1
    assert "/state/current/files/bpftrace/v0.2.0/tools/slowio.bt" in text


@pytest.mark.root
@pytest.mark.bpf
@pytest.mark.bpftrace
@pytest.mark.usefixtures("held")
def test_json_says_which_revision_and_why(toolkit: Toolkit) -> None:
    info = json.loads(toolkit("info", "slowio", "--json").stdout)
    assert (info["chosen"], info["chosen_revision"]) == ("bpftrace/slowio", "v0.2.0")
    assert info["why"] == "the only one of 2 that runs here"
    assert sorted(one["revision"] for one in info["variants"]) == ["v0.2.0", "v99.0.0"]


@pytest.mark.usefixtures("held")
def test_a_revision_can_be_pinned(toolkit: Toolkit) -> None:
    text = toolkit("info", "bpftrace/slowio@v99.0.0").stdout
    assert "newer than the engine here" in text
    assert "/v0.2.0/" not in text


@pytest.mark.usefixtures("held")
def test_a_category_is_that_of_the_folder_or_a_guess(own_home: Path, toolkit: Toolkit) -> None:
    own = Repo(own_home / "acme.git")
    own.commit({"fs/byfolder.bt": TOOL.format(1).encode(), "odd/byprobes.bt": TOOL.format(2).encode()})
    settings = own_home / "toolkit" / "config.yaml"
    settings.write_text(f"sources: {{acme: {{url: '{own.url}'}}}}\n")
    assert toolkit("sync", "acme").returncode == 0
    assert "category   fs (the folder that it lies in)" in toolkit("info", "byfolder").stdout
    assert "(guessed from its probes)" in toolkit("info", "byprobes").stdout
