"""What engines say when they cannot load or attach: the line that names the cause, by their texts. Pure."""

from __future__ import annotations

import re

from toolkit.model import Value

LONGEST = 200  # characters of a line that is kept
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]|\x1b\\[[0-9;]*[A-Za-z]")

# Said on the way to a start that may well succeed.
_NOISE = re.compile(
    r"RLIMIT_MEMLOCK|ulimit -l|Could not read symbols from|attaching (?:to it )?will likely fail"
    r"|^HINT: |^\s*[~^]+\s*$|^Attach(?:ing|ed) \d+ probes?|macro redefined|previous definition is here",
    re.IGNORECASE,
)
# That it did not work, but not why: better than nothing, and worse than any other line.
_GENERIC = re.compile(
    r"^Traceback|^  File |^    |^Exception: Failed to compile|^\d+ (?:errors?|warnings?)\b.* generated"
    r"|^(?:libbpf: )?failed to [^:]*(?:: -?\d+)?$|^failed to attach BPF programs: "
    r"|^libbpf: prog '[^']*': failed to [^:]*: -?\d+$|^libbpf: permission error while running as root"
    r"|-- (?:BEGIN|END) PROG LOAD LOG|^processed \d+ insns|^\d+: \(|^; |^ERROR: failed to detach probe",
    re.IGNORECASE,
)
_ERROR = re.compile(r"\bERROR\b|\w*(?:Error|Exception): |\[Errno \d+\]")
_FAILURE = re.compile(
    r"\b(?:failed|unable|cannot|could not|no such|not (?:found|supported|permitted))\b", re.IGNORECASE
)
_COMPILER = re.compile(r"(?:^|[:\s])(?:fatal )?error: ")
# An attach point that was given up while the tool goes on. bpftrace: "could not attach probe …, skipping" until 0.23
# (AttachedProbe::attach_kprobe), "Unable to attach probe: …. Skipping." since 0.24 (log_probe_attach_failure). libbpf:
# "prog 'x': failed to …". bcc's Python: "cannot attach kprobe, probe entry may not exist".
_GIVEN_UP = (
    re.compile(r"could not attach probe (?P<point>\S+?),? skipping", re.IGNORECASE),
    re.compile(r"unable to attach probe:? (?P<point>\S+?)\. skipping", re.IGNORECASE),
    re.compile(r"^(?:\S+ )?warning: .*\bskipping(?: probe| attachment)?\.?$", re.IGNORECASE),
    re.compile(r"^libbpf: prog '(?P<point>[^']+)': failed to (?:auto-)?(?:attach|create)"),
    re.compile(r"^cannot attach (?P<point>k(?:ret)?probe)", re.IGNORECASE),
)
_USAGE = re.compile(
    r"^\s*usage\b|(?:arguments?|specifiers?|option) (?:are|is) required|must be specified|please specify"
    r"|(?:expected|needs?|requires?|missing) (?:at least )?(?:an? |one |the )?(?:argument|parameter|pid)s?\b",
    re.IGNORECASE,
)


class Complaints(Value, frozen=True):
    """What an engine said of its troubles.

    `cause`: the line that tells why it gave up, if it did. `warning`: the first line on an attach point that it went on
    without, and `given_up` all of those points, or the whole line where it names none.
    """

    cause: str = ""
    warning: str = ""
    given_up: tuple[str, ...] = ()
    failed: bool = False  # the cause speaks of a failure, also where the exit status does not
    asks_for_arguments: bool = False


def read_complaints(stderr: bytes, stdout: bytes = b"") -> Complaints:
    """Take the engine's own lines out of what a tool printed; give `stdout` only of one that traced nothing."""
    lines, others = clean_lines(stderr), clean_lines(stdout)
    cause = _find_cause(lines) or _find_cause(others)
    return Complaints(
        cause=cause,
        failed=bool(_ERROR.search(cause) or _FAILURE.search(cause)),
        warning=next((line.strip() for line in lines if _find_given_up(line)), ""),
        given_up=tuple(dict.fromkeys(point for line in lines for point in _find_given_up(line))),
        asks_for_arguments=any(_USAGE.search(line) for line in (*lines, *others)),
    )


def clean_lines(data: bytes) -> tuple[str, ...]:
    """The lines of a text without control characters; long ones are cut, empty ones left out."""
    text = data.decode("utf-8", "replace").replace("\r", "\n")
    lines = (CONTROL.sub("", line).rstrip()[:LONGEST] for line in text.split("\n"))
    return tuple(line for line in lines if line.strip())


def _find_cause(lines: tuple[str, ...]) -> str:
    """The compiler's first error; else the last line that speaks of one and tells why, else the last that tells why."""
    told = tuple(line.strip() for line in lines if not _NOISE.search(line))
    compiler = next((line for line in told if _COMPILER.search(line) and not _ERROR.search(line)), "")
    if compiler:
        return compiler
    telling = tuple(line.strip() for line in lines if not _NOISE.search(line) and not _GENERIC.search(line))
    errors = tuple(line for line in telling if _ERROR.search(line))
    return (*told[:1], *telling[-1:], *errors[-1:], "")[-2] if told else ""


def _find_given_up(line: str) -> tuple[str, ...]:
    for pattern in _GIVEN_UP:
        match = pattern.search(line)
        if match:
            return (match.groupdict().get("point") or line.strip(),)
    return ()
