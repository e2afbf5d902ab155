"""What engines say beside a tool's output while it runs: compiler warnings, lost events, full maps. Pure, streaming.

`Folder` takes lines that warn of nothing out of stderr. It knows the few shapes of such lines and shows everything
else, errors above all, with the trace of includes before them and the notes below them. `Remarks` counts what makes
an output incomplete, in either stream.
"""

from __future__ import annotations

import re

LONGEST_LINE = 4096  # bytes; what is longer is shown as it is, and not searched
MOST_FOLDED = 64 << 10  # bytes of folded lines that are kept, to be shown when the tool fails
MOST_INCLUDES = 64  # lines of one trace
MOST_MAPS = 256  # names of maps
MAP_KEYS = 4096  # that a map of bpftrace has at most, unless it is told otherwise, in every version so far

# clang's diagnostics: "FILE:LINE:COLUMN: warning: …". bpftrace's own say "WARNING:" and are no noise: they tell what
# will not be traced.
_DIAGNOSTIC = re.compile(rb"[^\s:][^:\n]*:\d+:\d+: (warning|remark|note|error|fatal error): ")
_INCLUDED = re.compile(rb"(?:In file included|                ) from \S.*[:,]\s*$")
# The line that a diagnostic is about, and the one below it with the caret; since clang 16 with "   22 | " before them.
_NUMBERED = re.compile(rb"\s*\d* \| ")
_CARET = re.compile(rb"[ \t~]*\^[ \t~^]*+\s*$")
_COUNTED = re.compile(rb"\d+ warnings? generated\.\s*$")
# Since 3.12 Python says this of escapes in bcc's scripts, with the line of the script below it.
_PYTHON = re.compile(rb"/\S+:\d+: (?:Syntax|Deprecation|PendingDeprecation|Future|Resource)Warning: ")
# bcc asks for the module with the kernel's headers, and says by itself what it lacks when there is none.
_MODPROBE = re.compile(rb"modprobe: (?:FATAL|ERROR|WARNING): ")

# "Lost 5 events" (bpftrace), "lost 5 events on CPU #0" (libbpf-tools), "Possibly lost 5 samples" (bcc).
_LOST = re.compile(rb"^(?:Possibly )?lost (\d{1,18}) (?:events|samples)\b", re.IGNORECASE | re.MULTILINE)
# Said once for each key that found no room, by versions that say it (since 0.20), or with -k.
_FULL = re.compile(rb"^.*\bWARNING: (?:Map full; |Failed to map_update_elem: .*\(-7\))", re.MULTILINE)
_KEY = re.compile(rb"^(?:(@\w*)\[|$)", re.MULTILINE)


class Folder:
    """Takes stderr in any pieces and gives what is to be shown; every byte is either shown or folded, once."""

    def __init__(self) -> None:
        self.lines = 0  # that were folded
        self.folded = b""  # the first of them
        self._rest = b""  # the beginning of a line
        self._through = False  # the rest of this line is shown: its beginning was
        self._warned = False  # the last diagnostic was a warning, and so its notes are folded
        self._below = ""  # what may stand below the last line: "quote" of a diagnostic or "script" of Python's
        self._quote = b""  # a line that a diagnostic quotes, if a caret follows
        self._includes: list[bytes] = []  # where the next diagnostic is, if one follows

    def feed(self, data: bytes) -> bytes:
        """Take bytes; gives those that can be shown now."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        shown = b"".join(self._take(line + b"\n") for line in lines)
        return shown + self.flush() if len(self._rest) > LONGEST_LINE else shown

    def flush(self) -> bytes:
        """Show what waits for a line that does not come: a prompt has no end of line."""
        waiting, self._quote = self._quote, b""
        shown = waiting + self._release(b"") + self._rest
        if self._rest:
            self._rest, self._through = b"", True
        return shown

    def _take(self, line: bytes) -> bytes:
        if self._through:
            self._through = False
            return line
        quote, self._quote = self._quote, b""
        if quote and _CARET.match(line):
            return self._fold(quote, line)
        return quote + self._judge(line)

    def _judge(self, line: bytes) -> bytes:
        below, self._below = self._below, ""
        if len(line) > LONGEST_LINE:
            return self._release(line)
        diagnostic = _DIAGNOSTIC.match(line)
        if diagnostic:
            if diagnostic[1] != b"note":
                self._warned = diagnostic[1] in (b"warning", b"remark")
            if not self._warned:
                return self._release(line)
            self._below = "quote"
            return self._fold(line)
        if _INCLUDED.match(line) and len(self._includes) < MOST_INCLUDES:
            self._includes.append(line)
            return b""
        if _MODPROBE.match(line) or _COUNTED.match(line):
            return self._release(b"") + self._fold(line)
        if _PYTHON.match(line):
            self._below = "script"
            return self._release(b"") + self._fold(line)
        if below == "quote" and _NUMBERED.match(line):
            self._below = "quote"
            return self._fold(line)
        if below == "script" and line.startswith(b"  "):
            return self._fold(line)
        if below == "quote":
            self._quote = line
            return b""
        return self._release(line)

    def _fold(self, *lines: bytes) -> bytes:
        for line in (*self._includes, *lines):
            self.lines += 1
            self.folded += line[: MOST_FOLDED - len(self.folded)]
        self._includes.clear()
        return b""

    def _release(self, line: bytes) -> bytes:
        shown = b"".join((*self._includes, line))
        self._includes.clear()
        return shown


class Remarks:
    """What an engine said that makes the output incomplete; `keys` is how many a map of bpftrace may have, 0: none."""

    def __init__(self, keys: int = 0) -> None:
        self.lost = 0  # events, as told on stderr; those on stdout are frames
        self.refused = 0  # times that a map was said to be full
        self._keys = keys
        self._rests = {"O": b"", "E": b""}
        self._counts: dict[bytes, int] = {}  # printed keys of the map that is being printed
        self._most: dict[bytes, int] = {}  # the same of each map, at most

    def hear(self, stream: str, data: bytes) -> None:
        """Take bytes of stream O (stdout) or E (stderr)."""
        if stream == "O" and not self._keys:
            return  # only bpftrace warns there, and looking at a flood costs
        first, last = data.find(b"\n"), data.rfind(b"\n")
        if first < 0:
            self._rests[stream] = (self._rests[stream] + data)[:LONGEST_LINE]
            return
        # The line that began before, and all others where they are: a flood is not copied.
        self._search(stream, self._rests[stream] + data[:first], 0, len(self._rests[stream]) + first)
        self._search(stream, data, first + 1, last)
        self._rests[stream] = data[last + 1 :][:LONGEST_LINE]

    def _search(self, stream: str, data: bytes, start: int, end: int) -> None:
        """Whole lines, of which the newline of the last is left out: behind it there is no empty line."""
        if stream == "E":
            self.lost += sum(int(count) for count in _LOST.findall(data, start, end))
        if data.find(b"WARNING: ", start, end) >= 0:
            self.refused += len(_FULL.findall(data, start, end))
        if stream == "O":
            self._count_keys(data, start, end)

    @property
    def full(self) -> tuple[str, ...]:
        """The maps that were printed with as many keys as they may have: keys that came later are missing."""
        return tuple(sorted(name.decode() for name, most in self._most.items() if most >= self._keys))

    def _count_keys(self, data: bytes, start: int, end: int) -> None:
        """Count lines such as `@name[key]: 5`; bpftrace prints an empty line after each map."""
        if not self._counts and data.find(b"@", start, end) < 0:
            return
        for match in _KEY.finditer(data, start, end):
            name = match[1]
            if name is None:
                self._counts.clear()
            elif name in self._counts or len(self._counts) < MOST_MAPS:
                self._counts[name] = count = self._counts.get(name, 0) + 1
                if len(self._most) < MOST_MAPS or name in self._most:
                    self._most[name] = max(count, self._most.get(name, 0))
