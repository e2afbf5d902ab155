"""The policy file: root's, or refused; and mistakes are named by file, line and key."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import pytest

from tests.conftest import ROOT
from toolkit.launch.policy import Caps, Policy, Request, decide
from toolkit.model import Tool
from toolkit.policies import PolicyError, load_policy

GOOD = """\
default: deny
audit: required
caps: {duration: 300}
rules:
  no-payloads:
    groups: [contractors]
    risks: [sensitive]
    deny: ask the on-call lead
  sre:
    users: [ada]
    allow: [sensitive]
    record: always
    caps:
      bpf_cost: 10
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "policy.yaml"
    file.write_text(text)
    file.chmod(0o644)
    return file


def test_no_file_is_no_policy(tmp_path: Path) -> None:
    assert load_policy(tmp_path / "policy.yaml") == Policy()
    assert load_policy(tmp_path / "none" / "policy.yaml") == Policy()


def test_rules_are_read_in_their_order_with_their_names(tmp_path: Path) -> None:
    policy = load_policy(write(tmp_path, GOOD))
    assert [rule.name for rule in policy.rules] == ["no-payloads", "sre"]
    assert policy.rules[0].deny == "ask the on-call lead"
    assert policy.rules[1].caps == Caps(bpf_cost=10)
    assert policy.caps == Caps(duration=300)


@pytest.mark.parametrize("text", ["", "\n", "# default: deny\n", "{}\n"])
def test_one_that_says_nothing_lets_nothing_run(tmp_path: Path, text: str) -> None:
    with pytest.raises(PolicyError, match="says nothing") as caught:
        load_policy(write(tmp_path, text))
    assert caught.value.fix == "write `default: allow` or `default: deny` into it"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("caps: {durations: 3}\n", ":1: caps: "),
        ("default: maybe\n", ":1: default: "),
        ("rule: {}\n", ":1: rule: no such key"),
        ("rules:\n  a:\n    users: [x]\n    tool: [y]\n", ":4: rules.a: "),
        ("rules:\n  a:\n    users: ada\n", ":3: rules.a.users: "),
        ("rules:\n  a:\n    users: []\n", ":3: rules.a.users: "),
        ("rules:\n  a:\n    risks: [evil]\n", ":3: rules.a.risks: "),
        ("rules:\n  a:\n    name: b\n", ":3: rules.a.name: "),
        ("rules:\n  a: {}\n  a: {}\n", ":3: a: stands here twice"),
        ("rules:\n  a:\n    deny: true\n    deny: false\n", ":4: deny: stands here twice"),
        ("rules: [a]\n", ":1: rules: "),
        ("rules:\n  a:\n    caps: {duration: -1}\n", ":3: rules.a.caps: "),
        ("pressure: 101\n", ":1: pressure: "),
        ("a: [\n", ":2: not valid YAML"),
    ],
)
def test_a_mistake_is_named_and_nothing_runs(tmp_path: Path, text: str, where: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(PolicyError) as caught:
        load_policy(file)
    assert f"{file}{where}" in caught.value.what
    assert caught.value.status == 126


@pytest.mark.root
def test_one_that_others_can_write_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD)
    file.chmod(0o664)
    with pytest.raises(PolicyError, match="can be written by others"):
        load_policy(file)
    file.chmod(0o644)
    os.chown(file, 65534, 0)
    with pytest.raises(PolicyError, match="belongs to uid 65534"):
        load_policy(file)


@pytest.mark.root
def test_one_in_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    file = write(inner, GOOD)
    (tmp_path / "a").chmod(0o777)
    with pytest.raises(PolicyError, match="can be written by others"):
        load_policy(file)
    link = tmp_path / "linked.yaml"
    link.symlink_to(file)
    with pytest.raises(PolicyError, match="can be written by others"):
        load_policy(link)


@pytest.mark.root
def test_one_that_this_user_cannot_see_is_not_taken_for_none(open_folder: Path) -> None:
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    os.seteuid(65534)
    try:
        with pytest.raises(PolicyError, match="Permission denied"):
            load_policy(closed / "policy.yaml")
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(("target", "leads"), [("none", "{}/none, which is not there"), ("policy.yaml", "itself")])
def test_a_link_to_nowhere_is_said_to_be_one_and_nothing_runs(tmp_path: Path, target: str, leads: str) -> None:
    file = tmp_path / "policy.yaml"
    file.symlink_to(target)
    with pytest.raises(PolicyError, match=f"is a link to {leads.format(tmp_path)}") as caught:
        load_policy(file)
    assert "remove the link" in caught.value.fix


def test_a_folder_that_is_a_link_to_nowhere_may_hold_a_policy(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.symlink_to(tmp_path / "unmounted")
    with pytest.raises(PolicyError, match=f"is a link to {tmp_path}/unmounted/policy.yaml, which is not there"):
        load_policy(folder / "policy.yaml")
    (tmp_path / "unmounted").mkdir()
    assert load_policy(folder / "policy.yaml") == Policy()


@pytest.mark.root
def test_a_link_into_a_closed_folder_says_where_it_leads(open_folder: Path) -> None:
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    link = open_folder / "policy.yaml"
    link.symlink_to(write(closed, GOOD))
    os.seteuid(65534)
    try:
        with pytest.raises(PolicyError, match=f"a link to {closed}/policy.yaml: Permission denied") as caught:
            load_policy(link)
    finally:
        os.seteuid(0)
    assert f"chmod 644 {closed}/policy.yaml" in caught.value.fix


def test_the_example_of_the_readme_is_good(tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text().partition("## Policy\n")[2].partition("\n## ")[0]
    example = section.partition("\n\n    ")[2].partition("\n\nCaps")[0]
    policy = load_policy(write(tmp_path, textwrap.dedent(f"    {example}\n")))
    assert [rule.name for rule in policy.rules] == ["no-payloads", "sre", "dev"]
    tool = Tool(name="runqlat", category="cpu")
    for arguments, allowed in (((), True), (("10", "1"), True), (("-p", "1"), False)):
        request = Request(user="ada", uid=1, tool=tool, arguments=arguments)
        assert decide(policy, request, lambda: frozenset({"dev"})).allowed is allowed
