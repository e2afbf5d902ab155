"""Which revision of a source fits an engine: the newest release not newer than it. Pure.

bpftrace 0.17 cannot parse the tools of bpftrace 0.23, and bcc's tools use what their release of bcc brought; so the
tools come from the tag of the engine's own release, or of the last one before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

PREFIX = "v"
LONGEST = 5  # numbers of a version that are compared

_NUMBERS = re.compile(r"\d{1,9}(?:\.\d{1,9}){0,4}", re.ASCII)
_ENGINE = re.compile(rf"\s*v?({_NUMBERS.pattern})", re.ASCII)
# 0.24.0-rc1, 0.24.0~rc1, 0.24rc0, 0.24-beta: before the release whose numbers they carry.
_EARLY = re.compile(r"\s*v?[\d.]+[-~+_]?(?:rc|alpha|beta|pre|dev)", re.ASCII | re.IGNORECASE)


class Release(NamedTuple):
    """A tag that is a release; the version padded with zeros, and how many numbers the tag has."""

    version: tuple[int, ...]
    precision: int
    tag: str


def parse_tag(tag: str, prefix: str = PREFIX) -> tuple[int, ...] | None:
    """The version in a tag's name, None for what is no release: v0.17.0 is (0, 17, 0), v0.24-rc0 and 0.29.0 are None.

    `prefix` is what stands before the version, taken literally.
    """
    rest = tag.removeprefix(prefix)
    if not tag.startswith(prefix) or not _NUMBERS.fullmatch(rest):
        return None
    return tuple(map(int, rest.split(".")))


def newest_tag(tags: Iterable[str], prefix: str = PREFIX) -> str | None:
    """The newest release among the tags, None when there is no release."""
    return max(_find_releases(tags, prefix), default=Release((), 0, "")).tag or None


def match_tag(tags: Iterable[str], version: str | tuple[int, ...], prefix: str = PREFIX) -> str | None:
    """The newest release not newer than an engine of this version, compared as exactly as the tag is.

    The tag v0.9 fits 0.9.4; 0.17.1 takes v0.17.1, or v0.17.0 where that is missing, and never v0.18.0. A version as
    text may say that it is a release candidate, which is older than its release. None when there is none:
    `explain_mismatch` says why.
    """
    early = isinstance(version, str) and _EARLY.match(version) is not None
    numbers = _read_version(version)
    if not numbers:
        return None
    fitting = [one for one in _find_releases(tags, prefix) if _fits(one, _pad(numbers), early=early)]
    return max(fitting).tag if fitting else None


def explain_mismatch(
    tags: Iterable[str], version: str | tuple[int, ...], engine: str = "the engine", prefix: str = PREFIX
) -> str:
    """Why no tag fits an engine, as a part of a sentence."""
    releases = _find_releases(tags, prefix)
    if not releases:
        return f"no tag is a release, such as {prefix}1.0"
    if not _read_version(version):
        return f"the version of {engine} is not known"
    shown = version if isinstance(version, str) else ".".join(map(str, version))
    return f"{engine} {shown} is older than every release; the oldest is {min(releases).tag}"


def _read_version(version: str | tuple[int, ...]) -> tuple[int, ...]:
    if isinstance(version, tuple):
        return version
    match = _ENGINE.match(version)
    return tuple(map(int, match[1].split("."))) if match else ()


def _find_releases(tags: Iterable[str], prefix: str) -> list[Release]:
    parsed = ((parse_tag(tag, prefix), tag) for tag in tags)
    return [Release(_pad(version), len(version), tag) for version, tag in parsed if version is not None]


def _pad(version: tuple[int, ...]) -> tuple[int, ...]:
    # 0.9 and 0.9.0 are the same release.
    return (*version, *(0,) * LONGEST)[:LONGEST]


def _fits(release: Release, engine: tuple[int, ...], *, early: bool) -> bool:
    theirs, mine = release.version[: release.precision], engine[: release.precision]
    return theirs < mine or (theirs == mine and not (early and release.version == engine))
