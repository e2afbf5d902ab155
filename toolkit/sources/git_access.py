"""How a server is reached: its url, what logs in there, the proxy and the certificates, as settings for a git command.

They travel in git's environment (GIT_CONFIG_COUNT), which only this user and root can read: a process list shows
neither a token nor a proxy's password. Of the caller's and the system's gitconfig, the proxy and the certificates for
an http server are read, and nothing that rewrites urls or starts programs.
"""

from __future__ import annotations

import base64
import os
import pwd
import re
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from toolkit.errors import SourceError
from toolkit.sources.git_names import normal_url, tidy
from toolkit.sources.git_process import NOWHERE, OWN, run_git

REMOTE = "toolkit"  # what our commands call the server, so that its url is no argument
LONGEST = 2000
PROXY = re.compile(r"(?:(?:https?|socks4a?|socks5h?)://)?[^\s/]+/?", re.IGNORECASE)
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")  # in the order of requests, then of OpenSSL


def reach_remote(url: str, settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment in which git knows a source as the remote `toolkit`, with further settings for it.

    Raises SettingsError for a url that git must not get, SourceError for a setting that cannot be used.
    """
    address, login = split_login(normal_url(url))
    given = {f"remote.{REMOTE}.url": address, **(settings or {})}
    if address.startswith(("http://", "https://")):
        given |= _find_http_settings(address, os.environ)
    if login:
        # As a header it is in no argument of git-remote-https either. Another server must never see it.
        secret = base64.b64encode(login.encode()).decode()
        given |= {"http.extraHeader": f"Authorization: Basic {secret}", "http.followRedirects": "false"}
    return {**OWN, **encode_settings(given)}


def encode_settings(settings: Mapping[str, str]) -> dict[str, str]:
    """Settings as git reads them from its environment, since 2.31."""
    numbered = tuple(enumerate(settings.items()))
    keys = {f"GIT_CONFIG_KEY_{number}": key for number, (key, _) in numbered}
    values = {f"GIT_CONFIG_VALUE_{number}": value for number, (_, value) in numbered}
    return {"GIT_CONFIG_COUNT": str(len(numbered)), **keys, **values}


def split_login(url: str) -> tuple[str, str]:
    """An http url without user and password, and these as `user:password`; other urls as they are."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or "@" not in parts.netloc:
        return url, ""
    login, _, host = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    return parts._replace(netloc=host).geturl(), f"{unquote(user)}:{unquote(password)}"


def _find_http_settings(url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Proxy and certificates as git and requests would find them: git's variables, gitconfig, then the others."""
    own = _read_gitconfig(url, environ)
    found: dict[str, str] = {}
    proxy = own.get("http.proxy")
    if proxy is None and url.startswith("http://") and "http_proxy" not in environ:
        proxy = environ.get("HTTP_PROXY")  # curl leaves it to CGI programs, requests does not
    if proxy is not None:  # an empty one means none, whatever https_proxy says
        found["http.proxy"] = _check_proxy(proxy)
    bundle = next((environ[name] for name in BUNDLES if environ.get(name)), "")
    file = environ.get("GIT_SSL_CAINFO") or own.get("http.sslcainfo", "")
    folder = environ.get("GIT_SSL_CAPATH") or own.get("http.sslcapath", "")
    if bundle and not file and not folder:
        file, folder = ("", bundle) if os.path.isdir(bundle) else (bundle, "")
    found |= {"http.sslCAInfo": _check_path(file)} if file else {}
    found |= {"http.sslCAPath": _check_path(folder)} if folder else {}
    return found


def _read_gitconfig(url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What the caller's and the system's gitconfig say of http for this url, keys in lower case; runs nothing."""
    places = _find_gitconfig(environ)
    asked = ("config", "--includes", "-z", "--get-urlmatch", "http", url)
    said = run_git(asked, seconds=10, repository=NOWHERE, environ=places, asks=True)
    if not said.ok and said.stderr:
        raise SourceError(f"git cannot read its settings: {tidy(said.stderr)}", fix="mend that file, or remove it")
    lines = (one.partition("\n") for one in said.stdout.decode("utf-8", "replace").split("\0") if one)
    return {key: f"{places['HOME']}{value[1:]}" if value.startswith("~/") else value for key, _, value in lines}


def _find_gitconfig(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment in which git finds this user's gitconfig and the system's.

    What the variables name counts where it is this user's: under sudo HOME can be the invoking user's, and another
    user's settings do not decide which server root believes.
    """
    uid = os.geteuid()
    named = ("HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM")
    own = {name: environ[name] for name in named if _is_own(environ.get(name, ""), uid)}
    home = own.get("HOME") or _find_home(uid)
    default = {name: value for name, value in OWN.items() if name != "GIT_CONFIG_GLOBAL"}
    switch = {"GIT_CONFIG_NOSYSTEM": environ.get("GIT_CONFIG_NOSYSTEM", "0")}
    return {**default, "XDG_CONFIG_HOME": f"{home}/.config", **own, "HOME": home, **switch}


def _is_own(path: str, uid: int) -> bool:
    try:
        return path == os.devnull or (path.startswith("/") and os.stat(path).st_uid == uid)
    except OSError:
        return False


def _find_home(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_dir
    except KeyError:
        return OWN["HOME"]


def _check_proxy(value: str) -> str:
    if value and (len(value) > LONGEST or not value.isprintable() or not PROXY.fullmatch(value)):
        raise SourceError(
            "http.proxy of git's settings is no proxy", fix="give http://host:port; git config --list shows where"
        )
    return value


def _check_path(value: str) -> str:
    if not value.startswith("/") or not value.isprintable() or not os.access(value, os.R_OK):
        raise SourceError(
            f"there are no certificates in {tidy(value)!r}",
            fix="look at http.sslCAInfo of git config, GIT_SSL_CAINFO, REQUESTS_CA_BUNDLE and SSL_CERT_FILE",
        )
    return value
