"""`toolkit verify` as a person meets it: what it prints, keeps and refuses, and that nothing stays behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.conftest import ROOT, Toolkit, WarmUp
from tests.support.processes import find_run
from toolkit.cli import trying
from toolkit.cli.places import own_paths
from toolkit.cli.session import Session, open_session
from toolkit.cli.sync_report import Trials, format_trials
from toolkit.cli.sync_trials import RULES, try_changed
from toolkit.cli.trying import Candidate, Rules, find_exclusion, keep_changed, list_candidates, try_all
from toolkit.cli.verify_report import format_proposal
from toolkit.launch import guard
from toolkit.lock import hold_lock
from toolkit.model import Engine, Risk, Status, Verdict
from toolkit.runs import Observed
from toolkit.trials import name_result
from toolkit.verified import Stored, load_trials

NATIVE, SILENT = "libbpf-tools/runqlat", "libbpf-tools/statsnoop"
needs_all = [pytest.mark.root, pytest.mark.bpf, pytest.mark.bpftrace, pytest.mark.packages]


def results(home: Path) -> Path:
    return home / "toolkit" / "state" / "verified.msgpack"


def basis(toolkit: Toolkit, variant: str) -> tuple[str, str]:
    info = json.loads(toolkit("info", variant, "--json").stdout)
    verdict = next(one["verdict"] for one in info["variants"] if one["id"] == variant)
    return verdict["status"], verdict.get("basis", "predicted")


def limit(session: Session, *names: str) -> Session:
    """A session with a catalog of these variants only."""
    variants = tuple(one for one in session.index.variants if one.id in names)
    return msgspec.structs.replace(session, index=msgspec.structs.replace(session.index, variants=variants))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory, warm_up: WarmUp) -> Session:
    """The catalog and the facts of this host."""
    folder = tmp_path_factory.mktemp("home")
    warm_up(folder / "state")
    before = os.environ.get("TOOLKIT_HOME")
    os.environ["TOOLKIT_HOME"] = str(folder)
    try:
        return open_session()
    finally:
        if before is not None:
            os.environ["TOOLKIT_HOME"] = before


@pytest.fixture
def session(loaded: Session, own_home: Path) -> Session:
    """That session with the test's own state, which has the same caches."""
    paths = own_paths()
    shutil.copytree(loaded.paths.state / "cache", paths.state / "cache")
    paths.state.chmod(0o700)
    return msgspec.structs.replace(loaded, paths=paths)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ((), 125, "name a tool, or ask for --all"),
        (("--all", "runqlat"), 125, "exclude each other"),
        (("--seconds", "0", "runqlat"), 125, "--seconds: 0 is not between 2 and 3,600"),
        (("--allow", "heavy", "runqlat"), 125, "is not one of"),
    ],
)
def test_what_cannot_be_meant_is_refused(toolkit: Toolkit, arguments: tuple[str, ...], status: int, said: str) -> None:
    done = toolkit("verify", *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr


@pytest.mark.usefixtures("session")
class TestReal:
    pytestmark = needs_all

    def test_a_result_is_kept_shown_and_expires_with_the_file(self, toolkit: Toolkit, own_home: Path) -> None:
        done = toolkit("verify", NATIVE)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[0].split()[:4:3] == ["runs", NATIVE]
        assert "All is as predicted." in done.stdout
        assert basis(toolkit, NATIVE) == ("runs", "verified")
        listing = toolkit("list", "cpu").stdout
        assert "runqlat         runs*    " in listing
        assert "* tried here by `toolkit verify`" in listing
        assert toolkit("verify", "--changed", NATIVE).stdout.strip().startswith("0 variants")

        stored = msgspec.msgpack.decode(results(own_home).read_bytes(), type=Stored)
        changes = (
            {"kernel": "6.1.0 #1"},
            {"engines": "bpftrace 9.9"},
            {"sha256": "0" * 64},
            {"predicted": Status.BLOCKED},
        )
        for change in changes:
            (trial,) = (msgspec.structs.replace(one, **change) for one in stored.trials.values())
            other = Stored(shape=1, trials={name_result(trial.variant, trial.sha256): trial})
            results(own_home).write_bytes(msgspec.msgpack.encode(other))
            assert basis(toolkit, NATIVE) == ("runs", "predicted"), change

    def test_json_holds_what_was_seen_and_a_failed_prediction_can_be_proposed(self, toolkit: Toolkit) -> None:
        done = toolkit("verify", "--json", "--strict", SILENT, "bpftrace/cpuwalk")
        document = json.loads(done.stdout)
        assert (document["shape"], document["kernel"]) == (1, os.uname().release)
        rows = {one["variant"]: one for one in document["trials"]}
        assert rows["bpftrace/cpuwalk"]["verdict"] == "runs"
        assert rows["bpftrace/cpuwalk"]["saw_events"] is True
        row = rows[SILENT]
        assert {"source", "file", "args", "reason", "object", "programs", "attached", "predicted"} <= row.keys()
        assert done.returncode == (1 if row["differs"] else 0)
        proposed = toolkit("verify", "--propose")
        assert (f"variants: [{SILENT}]" in proposed.stdout) is row["differs"]
        known = json.loads(toolkit("verify", "--propose", "--json").stdout)["trials"]
        assert (SILENT in [one["variant"] for one in known]) is row["differs"]

    def test_interrupting_keeps_what_was_seen_and_leaves_nothing(self, own_home: Path) -> None:
        command = [sys.executable, "-m", "toolkit", "verify", "libbpf-tools/opensnoop", NATIVE, "inhouse/runqlat"]
        going = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        assert going.stdout is not None
        first = going.stdout.readline()
        os.killpg(going.pid, signal.SIGINT)
        rest, errors = going.communicate(timeout=30)
        assert going.returncode == 130, errors
        assert "interrupted; what was seen is kept" in errors
        assert " of 3 variants" in rest
        stored = msgspec.msgpack.decode(results(own_home).read_bytes(), type=Stored)
        assert first.split()[3] in {one.variant for one in stored.trials.values()}
        assert find_run(going.pid) == []
        assert list((own_home / "toolkit" / "state").glob("workload-*")) == []

    def test_two_do_not_meet(self, toolkit: Toolkit, session: Session) -> None:
        with hold_lock(session.paths.state / "verify.lock", 0.0):
            done = toolkit("verify", "--wait", "0", NATIVE)
        assert done.returncode == 125
        assert f"another toolkit (process {os.getpid()}) is trying tools" in done.stderr

    def test_what_cannot_be_tried_says_why(self, toolkit: Toolkit) -> None:
        assert toolkit("verify", "nosuchtool").returncode == 127
        absent = toolkit("verify", "netsize")  # of the book: nobody synced here
        assert (absent.returncode, absent.stderr.count("no variant of netsize is on this host")) == (126, 1)
        done = toolkit("verify", "bcc/reset-trace", "bcc/biolatpcts")
        assert done.returncode == 126
        assert "it is destructive: --allow destructive tries it" in done.stdout
        assert "it needs an argument" in done.stdout

    def test_without_the_rights_nothing_is_started(self, own_home: Path) -> None:
        drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        environ = {**os.environ, "TOOLKIT_HOME": "/nonexistent/toolkit"}
        command = [*drop, sys.executable, "-m", "toolkit", "verify", "runqlat"]
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 126
        assert "nothing can be tried" in done.stderr

    def test_without_the_engine_a_variant_is_left_out(self, session: Session, own_home: Path) -> None:
        few = limit(session, "inhouse/runqlat")
        engines = tuple(one for one in session.facts.engines if one.name is not Engine.BPFTRACE)
        bare = msgspec.structs.replace(few, facts=msgspec.structs.replace(session.facts, engines=engines))
        course = try_all(bare, list_candidates(bare, ()), Rules(seconds=5.0), lambda *_: None, lambda _: None)
        (seen,) = (one.trial.seen for one in course.tried)
        assert (seen.observed, seen.reason) == (Observed.UNTESTED, "there is no bpftrace here")
        assert not results(own_home).exists()

    def test_what_came_with_a_newer_release_is_tried_only_by_name(self, session: Session) -> None:
        few = limit(session, "inhouse/runqlat")
        (one,) = few.index.variants
        newer = msgspec.structs.replace(one, found=msgspec.structs.replace(one.found, made_for="bpftrace>=99.0"))
        held = msgspec.structs.replace(few, index=msgspec.structs.replace(few.index, variants=(newer,)))
        assert list_candidates(held, ()) == ()
        assert [found.variant for found in list_candidates(held, ("runqlat",))] == [newer]

    def test_on_a_busy_host_a_sync_tries_nothing(self, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(guard, "MOST_LOAD", -1.0)
        monkeypatch.setattr(trying, "CALM_PATIENCE", 0.0)
        trials = try_changed(limit(session, "libbpf-tools/exitsnoop"), quiet=True)
        assert trials.tried == 0
        assert " CPU" in trials.problem

    def test_after_a_sync_only_what_changed_is_tried(
        self, session: Session, own_home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(guard, "MOST_LOAD", 1e9)
        monkeypatch.setattr(guard, "MOST_STALLED", 101.0)
        few = limit(session, "libbpf-tools/exitsnoop", NATIVE)  # runqlat is heavy: nobody watches
        trials = try_changed(few, quiet=True)
        assert trials == Trials(tried=1, differing=())
        again = msgspec.structs.replace(few, trials=load_trials(results(own_home)))
        assert try_changed(again, quiet=True).tried == 0
        assert "Tried 1 variant on this kernel." in (own_home / "toolkit/state/sync.log").read_text()


# --- What is tried ------------------------------------------------------------------------------------------------


def make_candidate(session: Session, name: str, **changes: object) -> Candidate:
    variant = next(one for one in session.index.variants if one.id == name)
    tool = next(one for one in session.index.tools if one.name == variant.tool)
    tool = msgspec.structs.replace(tool, **changes)
    return Candidate(tool=tool, variant=variant, predicted=Verdict(status=Status.RUNS))


def test_risks_are_tried_only_when_they_are_accepted_and_never_unattended(session: Session) -> None:
    attended = Rules(seconds=1.0)
    for risk in (Risk.SENSITIVE, Risk.DESTRUCTIVE):
        one = make_candidate(session, "inhouse/runqlat", risk=(risk,))
        assert f"--allow {risk}" in find_exclusion(one, attended)
        assert find_exclusion(one, msgspec.structs.replace(attended, allowed=(risk,))) == ""
        assert find_exclusion(one, RULES)
    heavy = make_candidate(session, "inhouse/runqlat", risk=(Risk.HEAVY,))
    assert find_exclusion(heavy, attended) == ""
    assert "nobody watches" in find_exclusion(heavy, RULES)


def test_a_tool_that_nobody_described_is_tried_when_it_is_named_or_can_only_look(session: Session) -> None:
    one = make_candidate(session, "inhouse/runqlat", curated=False, risk=())
    found = msgspec.structs.replace(one.variant.found, engine=Engine.NATIVE)
    native = msgspec.structs.replace(one, variant=msgspec.structs.replace(one.variant, found=found))
    attended = Rules(seconds=1.0)
    assert find_exclusion(one, RULES) == ""
    assert "not in the catalog" in find_exclusion(native, attended)
    named = msgspec.structs.replace(native, named=True)
    assert find_exclusion(named, attended) == ""
    assert "not in the catalog" in find_exclusion(named, RULES)


def test_every_content_is_a_candidate_once(session: Session) -> None:
    twice = (*session.index.variants, *session.index.variants)
    doubled = msgspec.structs.replace(session, index=msgspec.structs.replace(session.index, variants=twice))
    names = [name_result(one.variant.id, one.variant.sha256) for one in list_candidates(doubled, ())]
    assert len(names) == len(set(names)) > 0
    assert keep_changed(doubled, list_candidates(doubled, ())) == list_candidates(doubled, ())


def test_curated_arguments_belong_to_variants_that_could_exist() -> None:
    from toolkit.catalog.arguments import load_arguments
    from toolkit.catalog.load import load_curated
    from toolkit.paths import data_folder

    curated = load_curated(data_folder())
    names = {name for tool in curated.tools for name in (tool.name, *tool.aliases)}
    arguments = load_arguments(data_folder())
    assert {one.partition("/")[2] for one in arguments} - names == set()
    assert all(arguments.values())


def test_a_proposal_is_an_entry_that_a_person_can_complete(session: Session) -> None:
    import yaml

    from toolkit.cli.trying import Tried
    from toolkit.runs import Seen, Trial

    one = make_candidate(session, "inhouse/runqlat")
    seen = Seen(observed=Observed.PARTIAL, reason="it goes on", symptom='WARNING: "x": no', blind=True)
    trial = Trial(variant=one.variant.id, sha256="0" * 64, seen=seen, predicted=Status.RUNS)
    text = "\n".join(format_proposal(Tried(candidate=one, trial=trial), session))
    (entry,) = yaml.safe_load(text).values()
    assert entry["variants"] == ["inhouse/runqlat"]
    assert (entry["verdict"], entry["blind"], entry["symptom"]) == ("partial", True, 'WARNING: "x": no')
    assert "0" * 64 in text


def test_a_sync_says_what_it_tried_and_why_no_more() -> None:
    assert list(format_trials(Trials(tried=0, differing=()), None)) == []
    told = list(format_trials(Trials(tried=2, differing=("a/b: predicted runs, seen blocked",), problem="busy"), None))
    assert told == ["Tried 2 variants on this kernel, and then no more: busy.", "  a/b: predicted runs, seen blocked"]
