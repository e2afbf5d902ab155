"""What may be handed to git, and what a message may show of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import SettingsError, SourceError
from toolkit.sources.git_names import (
    check_commit,
    check_folder,
    check_ref,
    check_url,
    is_plain_name,
    normal_url,
    redact,
    tidy,
)

GOOD = (
    "https://github.com/iovisor/bcc.git",
    "http://127.0.0.1:8080/a",
    "https://user:secret@git.corp/a/b.git",
    "ssh://git@git.corp:2222/perf/tools.git",
    "ssh://git.corp/~me/tools",
    "git://kernel.org/pub/a.git",
    "file:///srv/git/a.git",
    "git@github.com:iovisor/bcc.git",
    "deploy@[::1]:tools.git",
    "/srv/git/a.git",
    "https://[::1]/a",
)
BAD = (
    "",
    "ext::sh -c id",
    "ext::sh",
    "fd::7",
    "::x",
    "https::https://x/y",
    "-oProxyCommand=id",
    "--upload-pack=/bin/sh",
    "ssh://-oProxyCommand=id/x",
    "ssh://-o@host/x",
    "ssh://host",
    "git://user:pw@host/x",
    "-x@host:path",
    "user@-host:path",
    "user@host:-path",
    "https://host/a\nb",
    "https://host/a b",
    "https://host/\x1b[31m",
    "https://host:port/x",
    "https:///x",
    "ftp://host/x",
    "file://host/x",
    "file://x",
    "relative/path",
    "name",
    "./a",
    "HTTPS//x",
    "https://" + "a" * 3000,
)


@pytest.mark.parametrize("url", GOOD)
def test_urls_that_git_may_get(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize("url", BAD)
def test_urls_that_git_must_not_get(url: str) -> None:
    with pytest.raises(SettingsError) as error:
        check_url(url)
    assert error.value.fix
    assert error.value.what.isprintable()


def test_a_path_becomes_a_url_so_that_git_takes_it_for_nothing_else() -> None:
    assert normal_url("/srv/a%b") == "file:///srv/a%25b"


def test_a_refused_url_does_not_show_its_password() -> None:
    with pytest.raises(SettingsError) as error:
        check_url("ftp://user:hunter2@host/x")
    assert "hunter2" not in error.value.what
    assert "host" in error.value.what


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("fatal: unable to access 'https://u:p@h/x/': no", "fatal: unable to access 'https://***@h/x/': no"),
        ("https://token@h/x", "https://***@h/x"),
        ("https://u:p@ss@h/x", "https://***@h/x"),
        ("ssh://git@h/x", "ssh://git@h/x"),
        ("ssh://git:pw@h/x", "ssh://***@h/x"),
        ("git@h:x", "git@h:x"),
        ("https://h/x?private_token=abc def", "https://h/x?*** def"),
    ],
)
def test_messages_hide_what_logs_a_person_in(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize("name", ["main", "v0.17.0", "feature/a-b", "release_0.24.x", "user@x", "a#1"])
def test_plain_names(name: str) -> None:
    assert is_plain_name(name)
    assert check_ref(f"refs/heads/{name}")


@pytest.mark.parametrize(
    "name",
    [
        *("", "-rf", "--upload-pack=id", "a/-b", ".a", "a..b", "a/", "/a", "a//b", "a.lock", "a b", "a\nb", "a\x1b"),
        *("a:b", "a^", "é", "a*", "a?", "a[", "a\\b", "a" * 300, "@{u}", "a$(id)", "a;b"),
    ],
)
def test_names_that_are_not_plain(name: str) -> None:
    assert not is_plain_name(name)
    with pytest.raises(SourceError):
        check_ref(f"refs/heads/{name}")


def test_other_refs_and_short_commits_are_refused() -> None:
    for ref in ("main", "refs/pull/1/head", "HEAD", "refs/heads"):
        with pytest.raises(SourceError):
            check_ref(ref)
    for commit in ("abc", "HEAD", "a" * 39, "A" * 40, "a" * 40 + "\n", "a" * 64, "-" * 40):
        with pytest.raises(SourceError):
            check_commit(commit)


def test_folders_stay_inside() -> None:
    assert [check_folder(one) for one in ("tools/", "", ".", "a/b", "man")] == ["tools", "", "", "a/b", "man"]
    for folder in ("../a", "/etc", "a/../b", "-rf", "a//b", "a\nb", "a/./b"):
        with pytest.raises(SettingsError):
            check_folder(folder)


@given(st.text())
def test_what_is_shown_is_one_printable_line(text: str) -> None:
    shown = tidy(redact(text))
    assert shown.isprintable()
    assert len(shown) <= 301
