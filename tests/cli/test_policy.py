"""The policy as a user meets it: refusals with 126, caps that no option overrides, and `policy check`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Toolkit

pytestmark = [pytest.mark.root, pytest.mark.bpf, pytest.mark.bpftrace]

POLICY = """\
pressure: 100
force: never
caps: {duration: 2, bpf_cost: 3}
rules:
  nobody-sees-files:
    users: [nobody]
    tools: [opensnoop]
    deny: the data protection officer decides
  no-wide-arguments:
    tools: [syscount]
    arguments: ["*"]
    deny: true
  sre:
    users: [root]
    caps: {duration: 1}
"""


@pytest.fixture
def policy(own_home: Path) -> Path:
    """A policy of this test's host."""
    file = own_home / "toolkit" / "policy.yaml"
    file.parent.mkdir(mode=0o700)
    file.write_text(POLICY)
    return file


def read_audit(policy: Path) -> list[dict[str, object]]:
    log = policy.parent / "state" / "audit.log"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def test_a_person_behind_sudo_is_refused_and_it_is_written_down(toolkit: Toolkit, policy: Path) -> None:
    done = toolkit("run", "inhouse/opensnoop", environ={"SUDO_UID": "65534"})
    assert (done.returncode, done.stdout) == (126, "")
    assert f"{policy} forbids nobody to run opensnoop (rule nobody-sees-files)" in done.stderr
    assert "the data protection officer decides" in done.stderr
    (line,) = read_audit(policy)
    assert line["decision"] == "refused"
    assert line["rule"] == "nobody-sees-files"
    assert isinstance(line["person"], dict)
    assert line["person"]["user"] == "nobody"
    assert line["person"]["sudo_uid"] == 65534
    assert not (policy.parent / "state" / "recordings").exists()


def test_a_variant_that_may_not_run_is_passed_over_for_one_that_may(toolkit: Toolkit, policy: Path) -> None:
    chosen = json.loads(toolkit("run", "--dry-run", "--json", "biolatency").stdout)["choice"]["variant"]["found"]
    policy.write_text(f"rules:\n  a:\n    tools: ['{chosen['upstream']}/*']\n    deny: true\n")
    other = json.loads(toolkit("run", "--dry-run", "--json", "biolatency").stdout)["choice"]["variant"]["found"]
    assert other["upstream"] != chosen["upstream"]
    assert f"{other['upstream']}/biolatency" in toolkit("policy", "check", "root", "biolatency").stdout
    pinned = toolkit("run", f"{chosen['upstream']}/biolatency")
    assert pinned.returncode == 126
    assert "(rule a)" in pinned.stderr


def test_no_option_goes_over_a_cap(toolkit: Toolkit, policy: Path) -> None:
    done = toolkit("run", "--dry-run", "--json", "-d", "600", "inhouse/execsnoop")
    plan = json.loads(done.stdout)
    assert plan["deadline"] == 1
    assert not plan.get("asked")
    assert "the policy of this host caps this run at 1 s" in done.stderr
    assert read_audit(policy) == []
    ended = toolkit("run", "-d", "600", "inhouse/execsnoop", environ={"SUDO_UID": "1"})
    assert ended.returncode == 124
    assert "the limit of 2 s was reached" in ended.stderr
    (line,) = read_audit(policy)
    assert line["decision"] == "allowed"
    assert isinstance(line["limits"], dict)
    assert (line["limits"]["duration"], line["limits"]["bpf_cost"]) == (2, 3)


def test_force_is_refused_where_the_policy_says_so(toolkit: Toolkit, policy: Path) -> None:
    done = toolkit("run", "--force", "inhouse/execsnoop")
    assert done.returncode == 126
    assert "does not let root use --force" in done.stderr


def test_a_risk_that_was_not_accepted_is_written_down(toolkit: Toolkit, policy: Path) -> None:
    done = toolkit("policy", "check", "root", "sslsniff")
    assert done.returncode == 126
    assert "--allow sensitive" in done.stdout
    assert toolkit("policy", "check", "--allow", "sensitive", "root", "sslsniff").returncode == 0


def test_check_shows_the_decision_and_why(toolkit: Toolkit, policy: Path) -> None:
    refused = json.loads(toolkit("policy", "check", "--json", "nobody", "opensnoop").stdout)
    assert refused["decision"]["rule"] == "nobody-sees-files"
    allowed = toolkit("policy", "check", "root", "inhouse/execsnoop")
    assert allowed.returncode == 0
    assert "rule sre" in allowed.stdout
    assert "duration 1, bpf_cost 3" in allowed.stdout
    assert "3 rules" in toolkit("policy", "check").stdout
    assert "there is no user 'nope'" in toolkit("policy", "check", "nope", "execsnoop").stderr


def test_check_doubts_names_that_fit_nothing(toolkit: Toolkit, policy: Path) -> None:
    policy.write_text(
        "rules:\n  a:\n    tools: [runqlta]\n    categories: [memory]\n    users: [nope]\n    groups: [nope]\n"
    )
    told = toolkit("policy", "check").stderr
    assert "no tool of this host's catalog fits 'runqlta'" in told
    assert "there is no category 'memory'" in told
    assert "there is no user 'nope'" in told
    assert "there is no group 'nope'" in told


@pytest.mark.parametrize("text", ["rules:\n  a:\n    tool: [x]\n", "limits: {}\n", "- a\n"])
def test_nothing_runs_under_a_policy_that_cannot_be_read(toolkit: Toolkit, policy: Path, text: str) -> None:
    policy.write_text(text)
    for command in (("run", "inhouse/execsnoop"), ("policy", "check")):
        done = toolkit(*command)
        assert done.returncode == 126
        assert str(policy) in done.stderr
        assert "Traceback" not in done.stderr


def test_nothing_runs_when_a_required_log_cannot_be_written(toolkit: Toolkit, policy: Path) -> None:
    policy.write_text("pressure: 100\naudit: required\n")
    state = policy.parent / "state"
    state.mkdir(mode=0o700)
    (state / "audit.log").symlink_to("/dev/null")
    done = toolkit("run", "inhouse/execsnoop")
    assert done.returncode == 126
    assert "the policy requires it" in done.stderr
    assert not (state / "recordings").exists()


def test_a_busy_host_is_left_alone_unless_forced(toolkit: Toolkit, policy: Path) -> None:
    policy.write_text("pressure: 0.0001\n")
    with open("/proc/pressure/cpu", encoding="ascii") as file:
        if "avg10=0.00" in file.readline():
            pytest.skip("this host is not busy at all")
    done = toolkit("run", "inhouse/execsnoop")
    assert done.returncode == 126
    assert "this host is too busy" in done.stderr
    assert "--force" in done.stderr
    assert toolkit("run", "--force", "-d", "1", "inhouse/execsnoop").returncode == 0


def test_toolkit_home_is_no_way_around_the_systems_policy(toolkit: Toolkit, policy: Path, tmp_path: Path) -> None:
    toolkit("policy", "check")  # a warm cache
    script = (  # in a mount namespace, with an /etc of its own
        "cp -a /etc $1 && mount --bind $1 /etc && mount -t tmpfs none /run && mount -t tmpfs none /var/log\n"
        "mkdir -p -m 755 /etc/toolkit && printf 'default: deny\\n' > /etc/toolkit/policy.yaml\n"
        "chmod 644 /etc/toolkit/policy.yaml\n"
        '"$0" -m toolkit run inhouse/execsnoop; echo "status $?"; cat /var/log/toolkit/audit.log'
    )
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, sys.executable, str(tmp_path / "etc")],
        cwd=ROOT,
        env={**os.environ, "SUDO_UID": "65534"},
        capture_output=True,
        text=True,
        check=False,
    )
    status, line = done.stdout.splitlines()
    assert status == "status 126", done.stderr
    assert "no rule of /etc/toolkit/policy.yaml is about nobody running execsnoop" in done.stderr
    assert json.loads(line)["decision"] == "refused"


def test_a_trial_is_held_to_the_policy_and_written_down(toolkit: Toolkit, policy: Path) -> None:
    tried = json.loads(toolkit("verify", "--json", "inhouse/opensnoop", environ={"SUDO_UID": "65534"}).stdout)
    (trial,) = tried["trials"]
    assert trial["verdict"] == "untested"
    assert "rule nobody-sees-files" in trial["reason"]
    (line,) = read_audit(policy)
    assert (line["decision"], line["variant"]) == ("refused", "inhouse/opensnoop")


def test_a_policy_is_shown_so_that_nothing_in_it_is_invisible(toolkit: Toolkit, policy: Path) -> None:
    policy.write_text('rules:\n  one: {tools: ["*snoop"], arguments: ["", "-p *"]}\n')
    shown = toolkit("policy", "check").stdout.splitlines()
    assert shown[0].endswith("is good: 1 rule, the first that fits decides; else allow.")
    assert shown[1] == "  one  allow everybody: tools *snoop; arguments none -p *"
