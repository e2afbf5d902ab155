"""What a tool's header comment or docstring says about it: the summary and the usage line."""

from __future__ import annotations

import re

_USAGE = re.compile(r"^\W{0,8}usage\s*:\s*(.*)$", re.IGNORECASE)
# A name before the summary: `runqlat - …`, `runqlat<tab>…`, `runqlat: …`, `runqlat.bt …`, `runqlat Summarize …`.
_NAMED = re.compile(
    r"[\w.+-]+(?:\s+-{1,2}\s+|\s*:\s+|\t\s*|\s{2,}|(?<=\.bt)\s|(?<=\.py)\s)\s*(\S.*)"
    r"|[a-z][a-z0-9_]+\s+([A-Z].*)"
)
# Where the summary is over, although no empty line says so.
_NOT_SUMMARY = re.compile(r"For Linux|USAGE|Usage|usage|This |Copyright|Licensed|Written|\$|#")
_MAX_SUMMARY = 160


def summary_of(comment: str) -> str:
    """The summary in `name - summary`, `name<tab>summary` or `name  summary`; without a name, the first line."""
    lines = comment.strip().splitlines()
    if len(lines) > 2 and " " not in lines[0].strip() and not lines[1].strip():
        lines = lines[2:]  # the name on a line of its own
    if not lines or _USAGE.match(lines[0]):
        return ""
    named = _NAMED.match(lines[0].strip())
    text = (named.group(1) or named.group(2)) if named else lines[0].strip()
    for line in lines[1:4]:
        if text.endswith(".") or not line.strip() or _NOT_SUMMARY.match(line.strip()):
            break
        text = f"{text} {line.strip()}"
    text = re.split(r" ?[Ff]or Linux\b|\. (?=[A-Z])", " ".join(text.split()))[0]
    return text.rstrip().removesuffix(".")[:_MAX_SUMMARY]


def usage_of(comment: str) -> str:
    """The usage line with its indented continuations, on one line; empty when there is none."""
    lines = comment.splitlines()
    for number, line in enumerate(lines):
        match = _USAGE.match(line)
        if not match:
            continue
        text = [match.group(1)]
        for following in lines[number + 1 : number + 8]:
            goes_on = following.startswith((" ", "\t")) and following.strip().startswith(("[", "-", "{"))
            if text[0] and not goes_on:
                break
            text = [*text, following] if text[0] else [following]
        return " ".join(" ".join(text).split())
    return ""
