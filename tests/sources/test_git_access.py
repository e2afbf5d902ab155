"""How a server is reached: proxies, certificates and tokens, from where git and requests would take them."""

from __future__ import annotations

import os
import subprocess
from email.message import Message
from pathlib import Path

import pytest

from tests.support.git_repos import Repo, fetch_folders, make_certificate, need_git, serve_http
from toolkit.errors import SourceError
from toolkit.sources import git_access
from toolkit.sources.git import Place
from toolkit.sources.git_access import reach_remote, split_login
from toolkit.sources.git_refs import list_refs
from toolkit.sources.git_store import open_store

need_git()
VARIABLES = (
    *("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"),
    *("GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"),
    *("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM"),
)


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither this machine's variables nor its gitconfig decide."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "gitconfig").write_text("")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", str(tmp_path / "gitconfig"))


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    repo = Repo(tmp_path / "served" / "up.git")
    repo.commit({"tools/a.bt": b"a\n"})
    return repo


def write_gitconfig(home: Path, text: str) -> None:
    (home / ".gitconfig").write_text(text)


def read_settings(url: str) -> dict[str, str]:
    """The settings that git would get for a url."""
    environ = reach_remote(url)
    count = int(environ["GIT_CONFIG_COUNT"])
    return {environ[f"GIT_CONFIG_KEY_{one}"]: environ[f"GIT_CONFIG_VALUE_{one}"] for one in range(count)}


def head(repo: Repo) -> str:
    return repo.git("rev-parse", "refs/heads/main")


# --- Proxies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("section", ["[http]", '[http "http://forge.invalid"]', '[http "http://*.invalid/"]'])
def test_a_proxy_of_gitconfig_is_used_and_its_password_is_in_no_process_list(
    repo: Repo, own_home: Path, tmp_path: Path, section: str
) -> None:
    with serve_http(repo.path.parent, secret=b"hunter2", proxy_login="user:hunter2") as (proxy, requests):
        write_gitconfig(own_home, f"{section}\n  proxy = {proxy.replace('//', '//user:hunter2@')}\n")
        url = "http://forge.invalid/up.git"
        assert list_refs(url, seconds=20).heads == {"main": head(repo)}
        place = Place(url=url, commit=head(repo))
        assert fetch_folders(open_store(tmp_path / "up.git"), place, ("tools",)).received
    assert requests
    assert all(request.startswith("http://forge.invalid/") for request in requests)


def test_gitconfig_wins_over_the_variables_and_an_empty_proxy_is_none(
    repo: Repo, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with serve_http(repo.path.parent) as (url, _):
        with pytest.raises(SourceError, match="onnect"):
            list_refs(f"{url}/up.git", seconds=10)
        write_gitconfig(own_home, "[http]\n  proxy =\n")
        assert list_refs(f"{url}/up.git", seconds=20).heads == {"main": head(repo)}


def test_the_proxy_that_requests_takes_is_taken(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_http(repo.path.parent) as (proxy, requests):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        list_refs("http://forge.invalid/up.git", seconds=20)
        assert requests
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        with pytest.raises(SourceError, match="onnect"):
            list_refs("http://forge.invalid/up.git", seconds=20)


def test_nothing_else_of_gitconfig_is_read(repo: Repo, own_home: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    write_gitconfig(
        own_home,
        f'[url "ext::sh -c touch% {mark}"]\n  insteadOf = http\n[credential]\n  helper = !touch {mark}\n'
        f"[core]\n  hooksPath = /x\n  sshCommand = touch {mark}\n  fsmonitor = touch {mark}\n"
        f"[http]\n  sslVerify = false\n  extraHeader = X: y\n  cookieFile = /etc/passwd\n"
        f'[remote "toolkit"]\n  uploadpack = touch {mark}\n  vcs = x\n',
    )
    with serve_http(repo.path.parent) as (url, _):
        assert list_refs(f"{url}/up.git", seconds=20).heads == {"main": head(repo)}
        assert read_settings(f"{url}/up.git") == {"remote.toolkit.url": f"{url}/up.git"}
    assert not mark.exists()


def test_other_protocols_ask_no_gitconfig(own_home: Path, tmp_path: Path) -> None:
    write_gitconfig(own_home, "[http]\n  proxy = http://proxy:1\n[broken\n")
    for url in (f"file://{tmp_path}", "git@host:x.git", "git://host/x", "ssh://git:hunter2@host/x"):
        assert read_settings(url) == {"remote.toolkit.url": url}


@pytest.mark.parametrize("value", ["ftp://x y", "proxy\\t:1", "x://proxy", "/etc/passwd", "http://"])
def test_what_is_no_proxy_is_refused(own_home: Path, value: str) -> None:
    write_gitconfig(own_home, f'[http]\n  proxy = "{value}"\n')
    with pytest.raises(SourceError, match="no proxy") as error:
        list_refs("http://host.invalid/x", seconds=5)
    assert "git config" in error.value.fix


def test_a_broken_gitconfig_is_named(own_home: Path) -> None:
    write_gitconfig(own_home, "[http\n")
    with pytest.raises(SourceError, match=r"git cannot read its settings: .*\.gitconfig") as error:
        list_refs("http://host.invalid/x", seconds=5)
    assert "mend" in error.value.fix


@pytest.mark.root
def test_under_sudo_the_invoking_users_settings_are_not_roots(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_gitconfig(own_home, "[http]\n  proxy = http://theirs:1\n")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / ".gitconfig").write_text("[http]\n  proxy = http://roots:1\n")
    monkeypatch.setattr(git_access, "_find_home", lambda uid: str(tmp_path / "root"))
    assert read_settings("http://h/x")["http.proxy"] == "http://theirs:1"
    os.chown(own_home, 65534, 65534)
    assert read_settings("http://h/x")["http.proxy"] == "http://roots:1"
    (tmp_path / "other").write_text("[http]\n  proxy = http://other:1\n")
    os.chown(tmp_path / "other", 65534, 65534)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "other"))
    assert read_settings("http://h/x")["http.proxy"] == "http://roots:1"


# --- Certificates -----------------------------------------------------------------------------------------------------


def test_a_server_that_nobody_vouches_for_is_refused(repo: Repo, tmp_path: Path) -> None:
    _, both = make_certificate(tmp_path)
    with serve_http(repo.path.parent, tls=both) as (url, _), pytest.raises(SourceError, match="ertificate") as error:
        list_refs(f"{url}/up.git", seconds=20)
    assert "update-ca-certificates" in error.value.fix


@pytest.mark.parametrize(
    "place",
    [
        *("http.sslCAInfo", "url", "~", "http.sslCAPath"),
        *("GIT_SSL_CAINFO", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "folder"),
    ],
)
def test_a_certificate_is_found_where_git_and_requests_look(
    repo: Repo, own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    certificate, both = make_certificate(tmp_path)
    folder = tmp_path / "certificates"
    folder.mkdir()
    (folder / "ca.pem").write_bytes(certificate.read_bytes())
    subprocess.run(["openssl", "rehash", folder], check=True)
    (own_home / "own.pem").write_bytes(certificate.read_bytes())
    with serve_http(repo.path.parent, tls=both) as (url, _):
        match place:
            case "http.sslCAInfo":
                write_gitconfig(own_home, f"[http]\n  sslCAInfo = {certificate}\n")
            case "url":
                write_gitconfig(own_home, f'[http]\n  sslCAInfo = /none\n[http "{url}"]\n  sslCAInfo = {certificate}\n')
            case "~":
                write_gitconfig(own_home, "[http]\n  sslCAInfo = ~/own.pem\n")
            case "http.sslCAPath":
                write_gitconfig(own_home, f"[http]\n  sslCAPath = {folder}\n")
            case "folder":
                monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(folder))
            case variable:
                monkeypatch.setenv(variable, str(certificate))
        assert list_refs(f"{url}/up.git", seconds=20).heads == {"main": head(repo)}


@pytest.mark.parametrize("value", ["/nonexistent/ca.pem", "relative.pem"])
def test_certificates_that_are_not_there_are_named(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    _, both = make_certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", value)
    with serve_http(repo.path.parent, tls=both) as (url, _), pytest.raises(SourceError, match=value) as error:
        list_refs(f"{url}/up.git", seconds=20)
    assert "REQUESTS_CA_BUNDLE" in error.value.fix


# --- Tokens -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "bare", "login"),
    [
        ("https://h/x.git", "https://h/x.git", ""),
        ("https://u:p@h:8/x.git", "https://h:8/x.git", "u:p"),
        ("https://token@h/x", "https://h/x", "token:"),
        ("https://u%40x:p%2Fq%3A@[::1]:8/x", "https://[::1]:8/x", "u@x:p/q:"),
        ("https://u:p@q@h/x", "https://h/x", "u:p@q"),
        ("ssh://git:p@h/x", "ssh://git:p@h/x", ""),
        ("git@h:x", "git@h:x", ""),
        ("file:///a@b/c", "file:///a@b/c", ""),
        ("https://h/a@b", "https://h/a@b", ""),
    ],
)
def test_a_login_is_taken_out_of_the_url(url: str, bare: str, login: str) -> None:
    assert split_login(url) == (bare, login)


def test_a_token_in_the_url_logs_in_and_is_in_no_process_list(repo: Repo, tmp_path: Path) -> None:
    with serve_http(repo.path.parent, login="bot:hunter2", secret=b"hunter2") as (base, requests):
        url = base.replace("//", "//bot:hunter2@") + "/up.git"
        assert list_refs(url, seconds=20).heads == {"main": head(repo)}
        place = Place(url=url, commit=head(repo))
        assert fetch_folders(open_store(tmp_path / "up.git"), place, ("tools",)).received
        assert "the secret is in a process list" not in requests
        with pytest.raises(SourceError) as error:
            list_refs(url.replace("hunter2", "hunter3"), seconds=20)
        assert "token" in error.value.fix
        assert "hunter" not in error.value.what
        kept = (file for file in (tmp_path / "up.git").rglob("*") if file.is_file())
        assert not [file for file in kept if b"hunter2" in file.read_bytes()]


def test_a_token_is_sent_to_no_other_server(repo: Repo) -> None:
    seen: list[Message] = []
    with (
        serve_http(repo.path.parent, headers_seen=seen) as (other, requests),
        serve_http(repo.path.parent, moved=other) as (base, _),
    ):
        with pytest.raises(SourceError) as error:
            list_refs(base.replace("//", "//bot:hunter2@") + "/up.git", seconds=20)
        assert "new url" in error.value.fix
        assert requests == []
        assert list_refs(f"{base}/up.git", seconds=20).heads == {"main": head(repo)}  # without one, it is followed
    assert [one["Authorization"] for one in seen] == [None] * len(seen)
