"""What git said when it failed, as a message with a next step. Pure: texts in, a SourceError out.

The needles are git's, curl's and ssh's own words in the C locale; the first that fits decides, so the ones that say
more stand first.
"""

from __future__ import annotations

from typing import NamedTuple

from toolkit.errors import SourceError
from toolkit.sources.git_names import redact, tidy


class Cause(NamedTuple):
    """Words in what git said, and what a person can do about them."""

    needles: tuple[str, ...]
    fix: str


# A server that gives out what its refs name, and nothing else.
REFUSALS = ("not our ref", "unadvertised object", "couldn't find remote ref", "no such remote ref")

CAUSES = (
    Cause(
        ("died of signal 25", "File too large", "pack exceeds maximum"),
        "it sends more than a source of tools may: take the large files out of it, or let its server filter "
        "(git config uploadpack.allowFilter true)",
    ),
    Cause(
        ("Out of memory", "out of memory", "mmap failed", "died of signal 9"),
        "it needs more memory than git is given here; take the large files out of the repository",
    ),
    Cause(
        ("No space left on device", "Out of diskspace", "Read-only file system", "Disk quota exceeded"),
        "free some space, or set TOOLKIT_HOME to a folder that can be written",
    ),
    Cause(
        (
            "fsck error",
            "error in tree",
            "error in packed object",
            "inflate",
            "invalid index-pack",
            "bad pack",
            "early EOF",
        ),
        "the server sends damaged or refused objects: run git fsck there; the last good state stays in use",
    ),
    Cause(REFUSALS, "the server does not hold it any more, or does not give it out: sync to what it has now"),
    Cause(("Could not resolve proxy", "Proxy", "proxy", "error: 407"), "look at https_proxy, http_proxy and no_proxy"),
    Cause(
        ("Could not resolve host", "Name or service not known", "Temporary failure in name resolution"),
        "look at the host's name and DNS, or set https_proxy",
    ),
    Cause(("Host key verification failed",), "add the server's key to known_hosts of this user: ssh-keyscan HOST"),
    Cause(("error: 30",), "the repository moved: give its new url; a token follows no redirect"),
    Cause(
        (
            "could not read Username",
            "could not read Password",
            "Authentication failed",
            "Permission denied",
            "error: 40",
        ),
        "give this host a deploy key (ssh) or a token in the url, and see that it may read the repository",
    ),
    Cause(
        ("certificate has expired", "certificate is not yet valid", "certificate is not yet activated"),
        "look at this host's clock (timedatectl) first, then at the server's certificate",
    ),
    Cause(
        ("SSL", "certificate", "gnutls", "TLS"),
        "add the server's CA to this host's trust store (update-ca-certificates, update-ca-trust)",
    ),
    Cause(
        ("dubious ownership",),
        "git reads no local repository that another user owns: serve it over ssh, http or git, or chown it",
    ),
    Cause(("dumb http",), "serve the repository with git http-backend; a plain web server cannot send parts of it"),
    Cause(
        (
            "Connection refused",
            "Failed to connect",
            "Could not connect",
            "timed out",
            "unable to connect",
            "Operation too slow",
        ),
        "see that the server is up and this host may reach it, or set https_proxy; the next sync tries again",
    ),
    Cause(
        (
            "not found",
            "does not appear to be a git repository",
            "does not exist",
            "access denied or repository not exported",
        ),
        "look at the url, and at whether this host may see the repository",
    ),
)
OTHERWISE = "see whether the server is well; the next sync tries again, and the last good state stays in use"
_MARKS = ("fatal: ", "error: ", "remote: error: ", "remote: fatal: ", "remote: ", "ssh: ", "ERR ")


def is_refusal(stderr: str) -> bool:
    """Whether the server would not give out what was asked by its id or name."""
    return any(needle in stderr for needle in REFUSALS)


def explain(action: str, url: str, stderr: str) -> SourceError:
    """What failed ("cannot list the refs of"), on which source, what git said about it, and what to do."""
    lines = [line.strip() for line in stderr.replace("\r", "\n").splitlines() if line.strip()]
    for cause in CAUSES:
        for line in lines:
            if any(needle in line for needle in cause.needles):
                return _build(action, url, line, cause.fix)
    marked = [line for line in lines if line.startswith(_MARKS)]
    return _build(action, url, (marked or lines or ["git said nothing"])[-1], OTHERWISE)


def at_source(action: str, url: str, error: SourceError) -> SourceError:
    """The same error with the source that it is about: a deadline, a missing program."""
    return _build(action, url, error.what, error.fix, damaged=error.damaged)


def _build(action: str, url: str, said: str, fix: str, *, damaged: bool = False) -> SourceError:
    for mark in _MARKS:
        said = said.removeprefix(mark)
    return SourceError(f"{action} {tidy(redact(url))}: {tidy(redact(said))}", fix=fix, damaged=damaged)
