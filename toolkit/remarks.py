"""What engines say beside a tool's output while it runs: compiler warnings, lost events, full maps. Pure, streaming.

`Folder` takes lines that warn of nothing out of stderr. It knows the few shapes of such lines and shows everything
else, errors above all, with the trace of includes before them and the notes below them. `Remarks` counts what makes
an output incomplete, in either stream.
"""

from __future__ import annotations

import re

import msgspec

from toolkit.runs import Form

LONGEST_LINE = 4096  # bytes; what is longer is shown as it is, and not searched
MOST_FOLDED = 64 << 10  # bytes of folded lines that are kept, to be shown when the tool fails
MOST_INCLUDES = 64  # lines of one trace
LONGEST_MAP = 16 << 20  # bytes; a map printed as JSON is one line
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
_LOST = re.compile(
    rb"^(?:WARNING: |\[\w+\] )?(?:Possibly )?lost (\d{1,18}) (?:events?|samples?)\b", re.IGNORECASE | re.MULTILINE
)
# Said once for each key that found no room, by versions that say it (since 0.20), or with -k.
_FULL = re.compile(rb"^.*\bWARNING: (?:Map full; |Failed to map_update_elem: .*\(-7\))", re.MULTILINE)
_KEY = re.compile(rb"^(?:(@\w*)\[|$)", re.MULTILINE)

# The same of `bpftrace -f json`, which says all of it on stdout.
_MESSAGE = re.compile(rb'^\{"type": "(?:(lost_events|helper_error)|map|hist|stats|tseries)".*$', re.MULTILINE)
_MAP_BEGINS = tuple(b'{"type": "%s"' % kind for kind in (b"map", b"hist", b"stats", b"tseries"))
_EVENTS = re.compile(rb'"events": (\d{1,18})\b')
_REFUSED = re.compile(rb'"msg": "Map full; |"helper": "(?:bpf_)?map_update_elem", "retcode": -7\b')


class _PrintedMaps(msgspec.Struct, gc=False):
    """A message of maps with keys; one of a map without is none."""

    data: dict[str, dict[str, msgspec.Raw]]


_PRINTED_MAPS = msgspec.json.Decoder(_PrintedMaps)


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
    """What an engine said that makes the output incomplete, read from the bytes: frames of a flood are not read.

    `keys` is how many a map of bpftrace may have, 0: none. `form` is that of stdout.
    """

    def __init__(self, keys: int = 0, form: Form = Form.TEXT) -> None:
        self.lost = 0  # events
        self.refused = 0  # times that a map was said to be full
        self._keys = keys
        self._json = form is Form.BPFTRACE_JSON
        self._rests = {"O": bytearray(), "E": bytearray()}
        self._counts: dict[bytes, int] = {}  # printed keys of the map that is being printed
        self._most: dict[bytes, int] = {}  # the same of each map, at most

    def hear(self, stream: str, data: bytes) -> None:
        """Take bytes of stream O (stdout) or E (stderr)."""
        rest = self._rests[stream]
        first, last = data.find(b"\n"), data.rfind(b"\n")
        if first < 0:
            self._keep(rest, data)
            return
        # The line that began before, and all others where they are: a flood is not copied.
        line = bytes(rest + data[:first])
        rest.clear()
        self._search(stream, line, 0, len(line))
        self._search(stream, data, first + 1, last)
        self._keep(rest, data[last + 1 :])

    def _keep(self, rest: bytearray, data: bytes) -> None:
        """The beginning of a line that is not complete; of a map printed as JSON all of it."""
        begin = bytes(rest[:20]) + data[:20]
        most = LONGEST_MAP if self._json and begin.startswith(_MAP_BEGINS) else LONGEST_LINE
        rest += data[: max(most - len(rest), 0)]

    def _search(self, stream: str, data: bytes, start: int, end: int) -> None:
        """Whole lines, of which the newline of the last is left out: behind it there is no empty line."""
        if stream == "O" and self._json:
            self._search_messages(data, start, end)
            return
        if data.find(b"ost ", start, end) >= 0:
            self.lost += sum(int(count) for count in _LOST.findall(data, start, end))
        if stream == "O" and not self._keys:
            return  # only bpftrace prints maps there, and warns of them
        if data.find(b"WARNING: ", start, end) >= 0:
            self.refused += len(_FULL.findall(data, start, end))
        if stream == "O":
            self._count_keys(data, start, end)

    def _search_messages(self, data: bytes, start: int, end: int) -> None:
        for found in _MESSAGE.finditer(data, start, end):
            if found[1] == b"lost_events":
                events = _EVENTS.search(found[0])
                self.lost += int(events[1]) if events else 0
            elif found[1] == b"helper_error":
                self.refused += _REFUSED.search(found[0]) is not None
            else:
                self._count_printed(found[0])

    def _count_printed(self, line: bytes) -> None:
        """Count the keys of a map that is printed as JSON."""
        try:
            printed = _PRINTED_MAPS.decode(line.decode("utf-8", "replace"))
        except msgspec.MsgspecError:
            return
        for name, entries in printed.data.items():
            self._note(name.encode("utf-8", "replace"), len(entries))

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
                self._note(name, count)

    def _note(self, name: bytes, count: int) -> None:
        """So many keys of a map were printed."""
        if len(self._most) < MOST_MAPS or name in self._most:
            self._most[name] = max(count, self._most.get(name, 0))
