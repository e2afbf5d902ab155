"""What may be handed to git: urls, commits, ref names and folders, each checked here before it becomes an argument.

A url is written by a person, a ref name by whoever can push to the source: both are input from outside. Everything
here is pure; whatever is shown to a person goes through `redact` and `tidy` first, so that neither a password nor a
terminal's control sequence reaches a log.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from toolkit.errors import SettingsError, SourceError

PROTOCOLS = ("file", "git", "http", "https", "ssh")
LONGEST_URL = 2000
LONGEST_SHOWN = 300

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SCP = re.compile(r"(?:[A-Za-z0-9_][\w.+-]*@)?(?:[A-Za-z0-9][\w.-]*|\[[0-9a-fA-F:.]+\]):(?!-)[^:]\S*", re.ASCII)
# One part between slashes. git allows more; what we hold a source at does not need it.
_REF_PART = re.compile(r"[A-Za-z0-9_+=@#%,][\w.+=@#%,~-]*", re.ASCII)
_USERINFO = re.compile(r"\b([a-zA-Z][a-zA-Z0-9+.-]*://)([^/\s'\"]*)@")
_QUERY = re.compile(r"(://[^\s'\"?]*\?)[^\s'\"]+")


def check_url(url: str) -> None:
    """Raise SettingsError for anything but an http, https, ssh, git or file url, user@host:path or an absolute path.

    `ext::`, `fd::` and every other `helper::address` start a program; a leading dash would be an option.
    """
    why = _find_url_problem(url)
    if why:
        raise SettingsError(
            f"{tidy(redact(url)) or 'an empty url'} cannot be a source: {why}",
            fix="give https://host/path, ssh://user@host/path, user@host:path, git://host/path, file:///path or /path",
        )


def _find_url_problem(url: str) -> str:
    if not url or len(url) > LONGEST_URL:
        return f"a url has 1 to {LONGEST_URL} characters"
    if not url.isprintable() or " " in url:
        return "it holds a space or a control character"
    if url.startswith("-"):
        return "it begins with a dash, which git would take for an option"
    if re.match(r"[A-Za-z0-9+.-]*::", url):
        return "git would start a helper program for it"
    if url.startswith("/"):
        return ""
    if "://" in url:
        return _find_address_problem(url)
    return "" if _SCP.fullmatch(url) else "it is neither a url nor an absolute path"


def _find_address_problem(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "its host or port is malformed"
    if parts.scheme not in PROTOCOLS:
        return f"the protocol {parts.scheme!r} is not one of {', '.join(PROTOCOLS)}"
    if parts.scheme == "file":
        return "" if not host and parts.path.startswith("/") else "a file url has three slashes and no host"
    if not re.fullmatch(r"[A-Za-z0-9_][\w.-]*|[0-9a-f:.]+", host, re.ASCII):
        return "it names no host, or a strange one"
    if parts.scheme == "git" and parts.username is not None:
        return "the git protocol knows no users"
    if (parts.username or "").startswith("-"):
        return "its user begins with a dash, which ssh would take for an option"
    return "" if parts.path.strip("/") else "it names a host but no repository"


def normal_url(url: str) -> str:
    """The checked url as git gets it: a path becomes a file url, so that it is never read as a bundle or a name."""
    check_url(url)
    return f"file://{quote(url)}" if url.startswith("/") else url


def check_commit(commit: str) -> str:
    """A full commit or blob id, or SourceError: an abbreviated one could mean another object tomorrow."""
    if not _COMMIT.fullmatch(commit):
        raise SourceError(f"{tidy(commit)!r} is not a full commit id", fix="give all 40 hexadecimal digits")
    return commit


def is_plain_name(name: str) -> bool:
    """Whether a branch or tag name is one that we hold a source at: no option, no wildcard, no revision syntax."""
    parts = name.split("/")
    return (
        len(name) <= 200
        and all(_REF_PART.fullmatch(part) and not part.endswith((".lock", ".")) for part in parts)
        and ".." not in name
    )


def check_ref(ref: str) -> str:
    """A full ref name below refs/heads or refs/tags, or SourceError."""
    for space in ("refs/heads/", "refs/tags/"):
        if ref.startswith(space) and is_plain_name(ref.removeprefix(space)):
            return ref
    raise SourceError(
        f"{tidy(ref)!r} is not a branch or tag that can be taken", fix="name it refs/heads/… or refs/tags/…"
    )


def check_folder(folder: str) -> str:
    """A folder inside the source without its trailing slash, "" for all of it; SettingsError for anything else."""
    plain = folder.rstrip("/") if folder not in ("", ".", "/") else ""
    parts = plain.split("/")
    if plain and (not plain.isprintable() or any(part in ("", ".", "..") or part.startswith("-") for part in parts)):
        raise SettingsError(
            f"{tidy(folder)!r} is not a folder of a source",
            fix="name it from the repository's root: tools or tools/old",
        )
    return plain


def redact(text: str) -> str:
    """The text without what logs a person in: user and password of http urls, passwords of others, queries."""

    def hide(match: re.Match[str]) -> str:
        scheme, user = match.group(1), match.group(2)
        return match.group(0) if scheme == "ssh://" and ":" not in user else f"{scheme}***@"

    return _QUERY.sub(r"\1***", _USERINFO.sub(hide, text))


def tidy(text: str) -> str:
    """One printable line of bounded length, for a message."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in text[: LONGEST_SHOWN + 1].strip())
    return plain if len(plain) <= LONGEST_SHOWN else plain[:LONGEST_SHOWN] + "…"
