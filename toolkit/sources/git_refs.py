"""The branches and tags of a source, asked in one request.

`ls-remote --heads --tags` has the server filter (bcc: 7 KB); a pattern such as HEAD is filtered here, after the
refs of every pull request came too (bcc: 236 KB). So the default branch is guessed from the branches, and asked for
only where they leave a doubt.
"""

from __future__ import annotations

import re

from toolkit.errors import SourceError
from toolkit.model import Value
from toolkit.sources.git_access import REMOTE, reach_remote
from toolkit.sources.git_errors import at_source, explain
from toolkit.sources.git_limits import GitLimits
from toolkit.sources.git_names import is_plain_name, redact, tidy
from toolkit.sources.git_process import NOWHERE, Said, run_git

MOST_NOTES = 20
LISTING = GitLimits(output_bytes=16 << 20)

_LINE = re.compile(rb"([0-9a-f]{40})\trefs/(heads|tags)/([^\t]+?)(\^\{\})?", re.DOTALL)
_SHA256 = re.compile(rb"[0-9a-f]{64}\t")
_SYMREF = re.compile(rb"^ref: refs/heads/([^\t\n]+)\tHEAD$", re.MULTILINE)


class Refs(Value, frozen=True):
    """What a source offers: names without refs/heads/ or refs/tags/, each with the commit that it names."""

    heads: dict[str, str] = {}
    tags: dict[str, str] = {}  # annotated tags are peeled
    skipped: tuple[str, ...] = ()  # names that were not taken, each with its reason


def list_refs(url: str, *, seconds: float) -> Refs:
    """Ask a source for its branches and tags. Raises SettingsError for its url, SourceError for its server."""
    said = _ask(url, ("--heads", "--tags"), (), seconds)
    refs = read_refs(said.stdout, url)
    if refs == Refs():
        # To git a page that says 200 to everything, such as a proxy's login, is an empty repository of the old kind.
        raise SourceError(
            f"{tidy(redact(url))} has no branch and no tag",
            fix="look at the url, and at what a browser shows there; an empty repository gets a first commit",
        )
    return refs


def find_default(url: str, refs: Refs, *, seconds: float) -> str:
    """The default branch: the only one, or the one that the server's HEAD names. Raises SourceError."""
    if len(refs.heads) == 1:
        return next(iter(refs.heads))
    match = _SYMREF.search(_ask(url, ("--symref",), ("HEAD",), seconds).stdout)
    name = match[1].decode("ascii", "replace") if match else ""
    if name not in refs.heads:
        raise SourceError(
            f"{tidy(redact(url))} names no default branch",
            fix=f"name one in the settings: {', '.join(sorted(refs.heads)[:5]) or 'it has none at all'}",
        )
    return name


def read_refs(listing: bytes, url: str) -> Refs:
    """Read what ls-remote printed; pure. Raises SourceError for a repository of another object format."""
    found: dict[bytes, dict[str, str]] = {b"heads": {}, b"tags": {}}
    peeled: dict[str, str] = {}
    skipped: list[str] = []
    for line in listing.split(b"\n"):
        if _SHA256.match(line):
            raise SourceError(
                f"{tidy(redact(url))} names its objects by SHA-256, which toolkit does not read",
                fix="serve a SHA-1 repository, which is what every forge makes",
            )
        match = _LINE.fullmatch(line)
        name = match[3].decode("ascii", "backslashreplace") if match else ""
        if match is None or not is_plain_name(name):
            skipped += [line.split(b"\t")[-1].decode("ascii", "backslashreplace")] if line else []
        elif match[4]:
            peeled[name] = match[1].decode()
        else:
            found[match[2]][name] = match[1].decode()
    tags = {name: peeled.get(name, commit) for name, commit in found[b"tags"].items()}
    return Refs(heads=found[b"heads"], tags=tags, skipped=_note(skipped))


def _note(names: list[str]) -> tuple[str, ...]:
    notes = [f"{tidy(name)!r} is not a name that a branch or tag of a source may have" for name in names[:MOST_NOTES]]
    more = len(names) - MOST_NOTES
    return (*notes, f"and {more} more") if more > 0 else tuple(notes)


def _ask(url: str, options: tuple[str, ...], patterns: tuple[str, ...], seconds: float) -> Said:
    action = "cannot list the branches and tags of"
    arguments = ("ls-remote", "--quiet", *options, "--", REMOTE, *patterns)
    try:
        environ = reach_remote(url)
        said = run_git(arguments, seconds=seconds, repository=NOWHERE, limits=LISTING, environ=environ, asks=True)
    except SourceError as error:
        raise at_source(action, url, error) from error
    if not said.ok:
        raise explain(action, url, said.stderr)
    return said
