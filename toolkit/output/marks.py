"""Lines that say something of what stands below them: the time, a title, that events were lost."""

from __future__ import annotations

import re

CLOCK = r"\d{1,2}:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?[AP]M)?"
DAY = r"\d{1,4}[-/]\d{1,2}[-/]\d{2,4}"
DATE = rf"[A-Z][a-z]{{2}} [A-Z][a-z]{{2}} [ \d]\d {CLOCK} (?:[A-Z]+ )?\d{{4}}"
TIME = re.compile(
    rf"(?:time: )?((?:{DAY}[ T])?{CLOCK}(?:Z|[+-]\d\d:?\d\d)?|{DATE})(?: loadavg: .*)?",
    re.IGNORECASE,
)
HEADLINE = re.compile(rf"\[({CLOCK})\] (.*):")
ROW_TIME = re.compile(rf"\[?({CLOCK})\]?:? +(\S.*)")
LOST = re.compile(
    r"(?:WARNING: |\[\w+\] )?(?:Possibly )?lost (\d{1,18}) (?:events?|samples?)(?: on CPU ?#?\d+)?[.!]?",
    re.IGNORECASE,
)
PREAMBLE = re.compile(r"\^C|.*\.\.\.\]?|(?:Attach|Trac|Sampl|Monitor|Profil|Summari|Measur|Count)\w+ .*|.*\. .*")
LONGEST_TITLE = 200


def read_time(text: str) -> str:
    """The time that a line of nothing else holds, as it stands there; empty if it is another line."""
    if len(text) > LONGEST_TITLE or ":" not in text:
        return ""
    found = TIME.fullmatch(text.strip(" \t-=[]")) or TIME.fullmatch(text.strip(" \t-=[]:"))
    return found[1] if found else ""


def read_headline(text: str) -> tuple[str, str] | None:
    """Time and title of a line that has both: `[10:00:00] Top stacks:`."""
    found = HEADLINE.fullmatch(text) if text.startswith("[") and len(text) <= LONGEST_TITLE else None
    return (found[1], found[2]) if found else None


def read_lost(text: str) -> int | None:
    """How many events a line says were lost, in the words of BCC, libbpf and bpftrace; None if it is another line."""
    found = LOST.fullmatch(text.strip()) if len(text) < 80 and "ost " in text else None
    return int(found[1]) if found else None


def read_title(text: str) -> str:
    """What a line may name the frame directly below it; empty where it is a sentence or a preamble."""
    headline = read_headline(text)
    title = (headline[1] if headline else text).strip().removesuffix(":").rstrip()
    if not title or len(title) > LONGEST_TITLE or PREAMBLE.fullmatch(title) or title.endswith("."):
        return ""
    return title
