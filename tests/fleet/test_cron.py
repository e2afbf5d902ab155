"""The nightly entry, decided: its minute, its files in their readers' quotes, and no password where it would show."""

from __future__ import annotations

import datetime
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import UsageError
from toolkit.fleet.cron import (
    CRON_FILE,
    ENVIRONMENT_FILE,
    MARK,
    SERVICE_FILE,
    TIMER_FILE,
    Entry,
    Kind,
    carry_environment,
    is_ours,
    next_run,
    parse_window,
    pick_minute,
    plan_files,
    read_entry,
)

ARGV = ("/usr/bin/toolkit", "sync", "--quiet")
SECRET = "http://user:pa%40ss@proxy:3128/"
NASTY = "a 'b' \"c\" $HOME `id` \\ %d # e;f"


def plan(kind: Kind, argv: tuple[str, ...] = ARGV, **environment: str) -> dict[str, str]:
    entry = Entry(kind=kind, minute=137, argv=argv, environment=environment)
    return {one.path: one.text for one in plan_files(entry)}


@pytest.mark.parametrize(
    ("text", "first", "minutes"),
    [("01:00-04:59", 60, 240), ("22:30-01:29", 1350, 180), ("02:30-02:30", 150, 1), ("00:00-23:59", 0, 1440)],
)
def test_a_window_holds_both_its_ends_and_may_pass_midnight(text: str, first: int, minutes: int) -> None:
    window = parse_window(text)
    assert (window.first, window.minutes) == (first, minutes)


@pytest.mark.parametrize(
    "text", ["", "01:00", "1:00-2:00", "01:00-24:00", "01:60-02:00", "01:00-02:00 ", "\u0661:00-02:00"]
)
def test_what_is_no_window_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="is no window") as caught:
        parse_window(text)
    assert "01:00-04:59" in caught.value.fix


def test_a_host_has_its_own_minute_the_same_every_night() -> None:
    window = parse_window("01:00-04:59")
    assert [pick_minute(f"web{number}.example.com", window) for number in range(3)] == [236, 79, 168]
    spread = Counter(pick_minute(f"host{number}", window) for number in range(24_000))
    assert set(spread) == set(range(60, 300))
    assert max(spread.values()) < 150  # 100 on average
    assert {pick_minute(f"h{number}", parse_window("23:59-00:00")) for number in range(20)} == {1439, 0}


def test_the_line_of_cron_is_what_cron_can_read() -> None:
    assert plan(Kind.CRON) == {CRON_FILE: f"{MARK}\n17 2 * * * root /usr/bin/toolkit sync --quiet\n"}
    assert "." not in Path(CRON_FILE).name
    text = plan(Kind.CRON, ("/opt/to ol%n/toolkit", "sync"))[CRON_FILE]
    assert text.endswith("root '/opt/to ol\\%n/toolkit' sync\n")


def test_the_units_of_systemd_start_it_every_night_at_that_minute() -> None:
    files = plan(Kind.SYSTEMD, ("/opt/to ol%n/toolkit", "sync", 'a "b" $c \\'))
    assert 'ExecStart="/opt/to ol%%n/toolkit" sync "a \\"b\\" $$c \\\\"\n' in files[SERVICE_FILE]
    assert "EnvironmentFile" not in files[SERVICE_FILE]
    assert "OnCalendar=*-*-* 02:17:00\n" in files[TIMER_FILE]
    assert "Persistent=true\n" in files[TIMER_FILE]
    assert "RandomizedDelaySec" not in files[TIMER_FILE]


@pytest.mark.parametrize("kind", Kind)
def test_a_password_stands_in_one_file_that_only_root_can_read(kind: Kind) -> None:
    # cron prints a crontab's variables in the header of every mail, and the command in its subject.
    entry = Entry(kind=kind, minute=1, argv=ARGV, environment={"https_proxy": SECRET})
    holding = [(one.path, one.mode) for one in plan_files(entry) if "pa%40ss" in one.text]
    assert holding == [(ENVIRONMENT_FILE, 0o600)]
    assert plan_files(entry)[0].path == ENVIRONMENT_FILE  # an entry never stands without it
    assert all(f"/{ENVIRONMENT_FILE}" in one.text for one in plan_files(entry)[1:] if one.path != TIMER_FILE)


def test_a_shell_reads_the_variables_as_they_were(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text(plan(Kind.CRON, https_proxy=NASTY, no_proxy="ü" * 3000)[ENVIRONMENT_FILE])
    code = f"set -a; . {file}; exec /usr/bin/env -0"
    done = subprocess.run(["/bin/sh", "-c", code], env={}, capture_output=True, check=True)
    assert {f"https_proxy={NASTY}".encode(), b"no_proxy=" + "ü".encode() * 3000} <= set(done.stdout.split(b"\0"))


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("value", ["http://user:secret@a\nb", "secret\x00", "secret\udcff", "secret\u2028"])
def test_what_no_file_can_hold_is_refused_without_telling_the_password(kind: Kind, value: str) -> None:
    with pytest.raises(UsageError, match="https_proxy holds") as caught:
        plan(kind, https_proxy=value)
    assert "secret" not in caught.value.what + caught.value.fix


@pytest.mark.parametrize(
    ("kind", "path", "said"),
    [
        (Kind.CRON, "/opt/a\\b/toolkit", "backslash"),
        (Kind.CRON, f"/{'x' * 1000}/toolkit", "too long for cron"),
        (Kind.SYSTEMD, "/opt/$a/toolkit", "dollar sign"),
        (Kind.SYSTEMD, "/opt/it's/toolkit", "quotes"),
    ],
)
def test_a_path_that_its_reader_would_mistake_is_refused(kind: Kind, path: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        plan(kind, (path, "sync"))


def test_only_proxies_and_the_home_are_carried() -> None:
    environ = {"https_proxy": SECRET, "NO_PROXY": "a,b", "http_proxy": "", "PATH": "/x", "TOOLKIT_HOME": "rel"}
    assert carry_environment(environ, "/abs/rel") == {
        "TOOLKIT_HOME": "/abs/rel",
        "https_proxy": SECRET,
        "NO_PROXY": "a,b",
    }
    assert carry_environment({"PATH": "/x"}, "") == {}


WORDS = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters="\\$\"'"), min_size=1, max_size=20)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=0x17F, exclude_categories=("C", "Zs", "Zl")), min_size=1)


@given(st.sampled_from(Kind), st.integers(0, 1439), st.lists(WORDS, min_size=1, max_size=3), VALUES)
def test_what_is_written_is_read_back(kind: Kind, minute: int, words: list[str], value: str) -> None:
    argv = (f"/{words[0]}", *words[1:])
    entry = Entry(kind=kind, minute=minute, argv=argv, environment={"no_proxy": value})
    files = plan_files(entry)
    assert read_entry(kind, {one.path: one.text for one in files}) == entry
    assert all(is_ours(one.text) and one.text.endswith("\n") for one in files)


@pytest.mark.parametrize("text", ["", MARK, f"{MARK}\n99 99 * * * root x\n", f"{MARK}\n1 2 * * * root 'x\n", "\0" * 9])
def test_what_a_person_changed_is_no_entry(text: str) -> None:
    assert read_entry(Kind.CRON, {CRON_FILE: text}) is None
    assert read_entry(Kind.SYSTEMD, {TIMER_FILE: text, SERVICE_FILE: text}) is None


def test_it_runs_next_tonight_or_tomorrow() -> None:
    at = datetime.datetime(2026, 12, 31, 2, 17)  # noqa: DTZ001  local, as crontab(5) means it
    day = datetime.timedelta(days=1)
    assert next_run(137, at - datetime.timedelta(seconds=1)) == at
    assert next_run(137, at) == at + day
    assert next_run(0, at) == datetime.datetime(2027, 1, 1)  # noqa: DTZ001
