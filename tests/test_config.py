"""The settings file: defaults without one, and mistakes named by file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.config import Settings, load_settings
from toolkit.errors import SettingsError
from toolkit.model import Risk
from toolkit.recordings.retain import Rules
from toolkit.runs import Limits


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    return file


def test_no_file_means_defaults(tmp_path: Path) -> None:
    assert load_settings(tmp_path / "none.yaml") == Settings()
    assert load_settings(write(tmp_path, "# nothing\n")) == Settings()


def test_limits_and_accepted_risks_are_read(tmp_path: Path) -> None:
    file = write(tmp_path, "limits:\n  duration: 30\n  output_mib: 8\n  bpf_cost: 2.5\nallow: [sensitive]\n")
    settings = load_settings(file)
    assert settings.limits == Limits(duration=30.0, output_bytes=8 << 20, bpf_cost=2.5)
    assert settings.allow == (Risk.SENSITIVE,)


@pytest.mark.parametrize(
    ("text", "folder"), [("textfile: /metrics\n", "/metrics"), ("textfile: off\n", ""), ("textfile:\n", None)]
)
def test_the_folder_for_metrics_is_a_path_or_off(tmp_path: Path, text: str, folder: str | None) -> None:
    assert load_settings(write(tmp_path, text)).textfile == folder


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("limits: {duration: 5m}", "limits.duration: expected a number, got a text$"),
        ("limits: {duration: 0}", "limits.duration: expected a number > 0$"),
        ("limits: {nice: 1.5}", "limits.nice: expected a whole number, got a number$"),
        ("limits: 5", "limits: expected a mapping, got a whole number$"),
        ("limits: {durtion: 5}", "limits: there is no `durtion`; there are `duration`, `grace`, "),
        ("sources: {a: {url: x, str: y}}", "sources.a: there is no `str`"),
        ("verify: maybe", "verify: expected true or false, got a text$"),
        ("limits:\n  duration: 30\n  durtion: 4\n", r"config.yaml:3: limits: .*durtion"),
        ("limits:\n  duration: soon\n", r"config.yaml:2: limits.duration: expected"),
        ("limits:\n  bpf_cost: -1\n", r"config.yaml:2: limits.bpf_cost"),
        ("limits:\n  nice: 40\n", r"config.yaml:2: limits.nice"),
        ("\nlimit:\n  nice: 4\n", r"config.yaml:2: limit: no such setting"),
        ("keep: 5\ntextfile: metrics\n", r"config.yaml:2: textfile: give the absolute path of a folder, or `off`"),
        ("verify: perhaps\n", r"config.yaml:1: verify: expected"),
        ("textfile: true\n", r"config.yaml:1: textfile: expected"),
        ('textfile: "/a\\nb"\n', r"config.yaml:1: textfile: give the absolute path"),
        ("sources:\n  bcc: {}\n  acme:\n    url: 5\n", r"config.yaml:4: sources.acme.url: expected"),
        ("sources:\n  bcc: {}\n  acme: /x.git\n", r"config.yaml:3: sources.acme: expected"),
        ("sources:\n  acme:\n    url: /x.git\n    branch: x\n", r"config.yaml:4: sources.acme: .*branch"),
        ("sources: [acme]\n", r"config.yaml:1: sources: expected a mapping"),
        ("sources:\n  bcc: {}\n  ../x: {}\n", r"config.yaml:3: sources.../x: '../x' cannot be the name"),
        ("allow: [everything]\n", r"config.yaml:1: allow"),
        ("limits: {nice: 1\n", r"config.yaml:2: not valid YAML"),
        ("- a\n- b\n", r"config.yaml:1: expected a mapping"),
        ("allow: []\nallow: []\n", r"config.yaml:2: allow: stands here twice"),
        ("a: &a [x, x]\nb: &b [*a, *a]\n", r"no such setting|aliases are not allowed"),
        ("limits:\n  duration: !!python/object/apply:os.system [id]\n", r"config.yaml:1: not valid YAML|could not"),
    ],
)
def test_a_mistake_is_named_by_file_line_and_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load_settings(write(tmp_path, text))


def test_bytes_that_are_no_text_are_an_error_not_a_crash(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(b"limits: \x80\x81")
    with pytest.raises(SettingsError, match="not valid YAML"):
        load_settings(file)


def test_a_file_that_holds_a_token_is_its_owners_alone(tmp_path: Path) -> None:
    file = write(tmp_path, 'sources:\n  acme: {url: "https://bot:hunter2@git.acme.example/x.git"}\n')
    file.chmod(0o640)
    with pytest.raises(SettingsError, match="the url of acme holds a token") as error:
        load_settings(file)
    assert error.value.fix == f"chmod 600 {file}"
    assert "hunter2" not in error.value.what
    file.chmod(0o600)
    assert "hunter2" in load_settings(file).sources["acme"].url
    file = write(tmp_path, 'sources:\n  acme: {url: "ssh://git@git.acme.example/x.git"}\n')
    file.chmod(0o644)
    assert load_settings(file).sources


def test_a_sync_tries_nothing_unless_it_is_asked_to(tmp_path: Path) -> None:
    assert load_settings(write(tmp_path, "keep: 5\n")).verify is False
    assert load_settings(write(tmp_path, "verify: true\n")).verify is True


def test_what_may_stay_of_recordings_is_a_setting(tmp_path: Path) -> None:
    given = load_settings(write(tmp_path, "recordings: {days: 0, count: 5, min_free_mib: 0}\n")).recordings
    assert given.rules == Rules(seconds=0, count=5, bytes=10 << 30)
    assert given.min_free_mib == 0
    with pytest.raises(SettingsError, match=r"config.yaml:1: recordings"):
        load_settings(write(tmp_path, "recordings: {count: -1}\n"))
