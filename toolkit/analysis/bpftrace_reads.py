"""What the bodies of a bpftrace program read and call: tracepoint fields, data symbols, files, helper functions."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from toolkit.analysis.bpftrace_faults import map_uses
from toolkit.analysis.bpftrace_lexer import Token, TokenKind
from toolkit.analysis.bpftrace_missing import FORGIVING, STRICT, Block
from toolkit.analysis.needs import one, unique
from toolkit.model import Need, NeedKind, Requirement

# The BPF helper functions behind builtins and functions that not every kernel has; others are as old as bpftrace.
_HELPERS = {
    "path": "bpf_d_path",  # v5.10
    "override": "bpf_override_return",  # v4.16, with CONFIG_BPF_KPROBE_OVERRIDE
    "signal": "bpf_send_signal",  # v5.3
    "signal_thread": "bpf_send_signal_thread",  # v5.5
    "skboutput": "bpf_skb_output",  # v5.5
    "socket_cookie": "bpf_get_socket_cookie",
    "jiffies": "bpf_jiffies64",  # v5.6
    "percpu_kaddr": "bpf_per_cpu_ptr",  # v5.10
    "cgroup": "bpf_get_current_cgroup_id",  # v4.18
    "write_user": "bpf_probe_write_user",
}
_WITHOUT_ADDRESS = frozenset({"kretprobe", "uretprobe"})  # where `func` asks bpf_get_func_ip (v5.15) since 0.21
Body = tuple[Token, ...]


def read_requirements(bodies: tuple[Body, ...], blocks: tuple[Block, ...], wish: str) -> Iterator[Requirement]:
    """What the probes read; bodies and blocks are of the same probes in the same order."""
    # bpftrace pull request 3974
    yield Requirement(any_of=(Need(kind=NeedKind.MAP_TYPE, name="ringbuf"),), since=STRICT[0])
    for body, block in zip(bodies, blocks, strict=True):
        yield from _tracepoint_fields(body, block)
        yield from _helpers(body, block)
        yield from _named_in_calls(body)
    if wish in FORGIVING:
        yield from _maps_of_pruned_probes(bodies, blocks)


def _tracepoint_fields(body: Body, block: Block) -> Iterator[Requirement]:
    """`args->x` and `args.x` must be fields of every tracepoint of a list."""
    events = [need.name for point, need in block.places if need.kind is NeedKind.TRACEPOINT]
    fields = dict.fromkeys(
        third.text
        for first, second, third in zip(body, body[1:], body[2:], strict=False)
        if first.text == "args" and second.text in ("->", ".") and third.kind is TokenKind.WORD
    )
    for event in events:
        yield from (one(NeedKind.TRACEPOINT_FIELD, f"{event}.{field}") for field in fields)
    if events and fields:
        # bpftrace pull request 4864
        yield Requirement(any_of=(Need(kind=NeedKind.BTF),), since="0.25")


def _helpers(body: Body, block: Block) -> Iterator[Requirement]:
    before = ""
    for word, after in pairwise((*body, Token(TokenKind.SYMBOL, ""))):
        named = word.kind is TokenKind.WORD and before not in (".", "->")
        if named and word.text in _HELPERS and (after.text == "(" or word.text in ("jiffies", "cgroup")):
            yield one(NeedKind.HELPER, _HELPERS[word.text])
        elif named and word.text == "func" and any(point.provider in _WITHOUT_ADDRESS for point in block.points):
            yield Requirement(any_of=(Need(kind=NeedKind.HELPER, name="bpf_get_func_ip"),), since="0.21")
        elif named and word.text in ("true", "false"):
            # Before 0.24 they are constants of the kernel's BTF.
            yield Requirement(any_of=(Need(kind=NeedKind.BTF),), until="0.24")
        before = word.text


def _named_in_calls(body: Body) -> Iterator[Requirement]:
    for name, parenthesis, argument in zip(body, body[1:], body[2:], strict=False):
        if parenthesis.text != "(" or argument.kind is not TokenKind.STRING:
            continue
        if name.text in ("kaddr", "percpu_kaddr"):
            yield one(NeedKind.KERNEL_SYMBOL, argument.text)
        elif name.text == "cgroupid" and argument.text.startswith("/"):
            yield one(NeedKind.FILE, argument.text)


def _maps_of_pruned_probes(bodies: tuple[Body, ...], blocks: tuple[Block, ...]) -> Iterator[Requirement]:
    """A map that is read in one probe must be set in one that is left: what cannot attach goes before types count."""
    uses = [tuple(map_uses(body)) for body in bodies]
    setting: dict[str, dict[int, Block]] = {}
    reading: dict[str, set[int]] = {}
    for number, (found, block) in enumerate(zip(uses, blocks, strict=True)):
        for use in found:
            if use.sets:
                setting.setdefault(use.name, {})[number] = block
            else:
                reading.setdefault(use.name, set()).add(number)
    for name, setters in setting.items():
        elsewhere = reading.get(name, set()) - setters.keys()
        if elsewhere and all(len(block.places) == len(block.points) for block in setters.values()):
            yield Requirement(
                any_of=unique(need for block in setters.values() for _, need in block.places), since=STRICT[0]
            )
