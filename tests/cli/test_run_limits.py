"""Every limit of a run, from its option and from its setting; what is no number; and what is said when one ends it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tests.conftest import ROOT, Toolkit
from toolkit.cli.numbers import Amount
from toolkit.runs import Limits

pytestmark = [pytest.mark.root, pytest.mark.bpf, pytest.mark.bpftrace, pytest.mark.packages]

# The option, the setting, a value that is not the default, and what becomes of it in the plan.
LIMITS = {
    "grace": ("--grace", "limits", "grace", 3, 3.0),
    "output_bytes": ("--output-limit", "limits", "output_mib", 7, 7 << 20),
    "output_rate": ("--output-rate", "limits", "output_rate_kib", 9, 9 << 10),
    "memory_bytes": ("--memory-limit", "limits", "memory_mib", 100, 100 << 20),
    "cpu": ("--cpu-limit", "limits", "cpu", 40, 40.0),
    "processes": ("--processes", "limits", "processes", 11, 11),
    "bpf_cost": ("--bpf-cost", "limits", "bpf_cost", 12.5, 12.5),
    "nice": ("--nice", "limits", "nice", 8, 8),
    "runs": ("--runs", "limits", "runs", 6, 6),
    "runs_of_tool": ("--runs-of-tool", "limits", "runs_of_tool", 5, 5),
    "free_bytes": ("--min-free", "recordings", "min_free_mib", 77, 77 << 20),
    "duration": ("", "limits", "duration", 33, 33.0),
}


def test_no_limit_is_forgotten_here() -> None:
    assert LIMITS.keys() == set(Limits.__struct_fields__)


def read_plan(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    assert done.returncode == 0, done.stderr
    plan: dict[str, object] = json.loads(done.stdout)
    return plan


def test_every_limit_is_an_option(toolkit: Toolkit) -> None:
    options = [word for option, _, _, value, _ in LIMITS.values() if option for word in (option, str(value))]
    limits = read_plan(toolkit("run", "--dry-run", "--json", *options, "runqlat"))["limits"]
    assert limits == {name: expected for name, (option, *_, expected) in LIMITS.items() if option}


def test_every_limit_is_a_setting(toolkit: Toolkit, own_home: Path) -> None:
    sections: dict[str, dict[str, float]] = {}
    for _, section, key, value, _ in LIMITS.values():
        sections.setdefault(section, {})[key] = value
    (own_home / "toolkit").mkdir(mode=0o700)
    (own_home / "toolkit" / "config.yaml").write_text(json.dumps(sections))
    plan = read_plan(toolkit("run", "--dry-run", "--json", "runqlat"))
    assert plan["limits"] == {name: expected for name, (*_, expected) in LIMITS.items()}
    assert plan["deadline"] == 33


@pytest.mark.parametrize("option", ["--duration", "--grace", "--cpu-limit", "--bpf-cost"])
def test_what_is_no_number_is_no_limit(toolkit: Toolkit, option: str) -> None:
    done = toolkit("run", option, "nan", "runqlat")
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr.startswith(f"toolkit: {option}: ")
    assert "toolkit run --help" in done.stderr


@pytest.mark.parametrize("value", ["nan", "-NaN", "inf", "-1", "101", "much", ""])
def test_an_amount_is_a_number_within_its_bounds(value: str) -> None:
    amount = Amount(0, 100)
    assert amount.convert("12.5", None, None) == 12.5
    with pytest.raises(click.BadParameter):
        amount.convert(value, None, None)


def test_a_niceness_is_what_the_tool_gets(toolkit: Toolkit) -> None:
    done = toolkit("run", "--nice", "11", "--duration", "0.5", "inhouse/runqlat")
    assert done.returncode == 0, done.stderr
    shown = json.loads(toolkit("recordings", "show", "--json").stdout)
    assert (shown["shape"], shown["run"]["nice"]) == (1, 11)


def test_even_quiet_says_that_a_limit_cut_it_short(toolkit: Toolkit, own_home: Path) -> None:
    (own_home / "toolkit").mkdir(mode=0o700)
    (own_home / "toolkit" / "config.yaml").write_text("limits: {duration: 1}")
    done = toolkit("run", "--quiet", "inhouse/opensnoop")
    assert done.returncode == 124
    assert "toolkit: stopped, the limit of 1 s was reached" in done.stderr
    assert "recorded as" not in done.stderr


def test_even_quiet_says_that_its_output_is_not_whole() -> None:
    command = (sys.executable, "-m", "toolkit", "run", "--quiet", "--force", "--no-record", "-d", "5", "runqlat", "1")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert "its output cannot be written any more (No space left on device)" in done.stderr
    assert "bug" not in done.stderr


def test_who_cannot_measure_is_told_beforehand_and_afterwards(toolkit: Toolkit, tmp_path: Path) -> None:
    home = tmp_path / "nobody"
    home.mkdir(mode=0o700)
    os.chown(home, 65534, 65534)
    rights = "+bpf,+perfmon,+dac_read_search"
    argv: tuple[str, ...] = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    argv += (f"--inh-caps={rights}", f"--ambient-caps={rights}", sys.executable, "-m", "toolkit")
    if subprocess.run((*argv, "--version"), cwd=ROOT, capture_output=True, check=False).returncode != 0:
        pytest.skip("another user cannot read this checkout or its Python")

    def run_as_nobody(*words: str) -> str:
        environ = {"PATH": os.environ["PATH"], "TOOLKIT_HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run((*argv, *words), cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    unheld = (
        "nothing stops it when its BPF programs burn more than 5 % of one CPU: turning the kernel's BPF statistics on"
    )
    planned = run_as_nobody("run", "--force", "--dry-run", "libbpf-tools/runqlat", "1", "1")
    assert "not that of its BPF programs: turning the kernel's BPF statistics on needs CAP_SYS_ADMIN" in planned
    assert unheld in planned
    assert unheld in run_as_nobody("run", "--force", "libbpf-tools/runqlat", "1", "1")
    assert "not that of its BPF programs" in run_as_nobody("recordings", "show")
    assert unheld not in run_as_nobody(
        "run", "--force", "--dry-run", "--bpf-cost", "0", "libbpf-tools/runqlat", "1", "1"
    )


def test_root_can_measure_and_hears_nothing_of_it(toolkit: Toolkit) -> None:
    planned = toolkit("run", "--dry-run", "runqlat", "1", "1")
    assert "statistics" not in planned.stdout + planned.stderr
    assert "unmetered" not in toolkit("run", "--dry-run", "--json", "runqlat", "1", "1").stdout
