"""Which release of bcc a tool needs: by the modules, methods and macros of bcc's that it uses."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from toolkit.analysis.bcc_nodes import nodes_of, texts_of, walk
from toolkit.analysis.needs import one
from toolkit.model import NeedKind, Requirement

# The first release that has each; what is older than 0.16 (2020) is left out.
_MODULES = {"bcc.exec": (0, 36)}
_METHODS = {
    "open_ring_buffer": (0, 16),
    "items_lookup_batch": (0, 20),
    "items_lookup_and_delete_batch": (0, 20),
    "items_update_batch": (0, 20),
    "items_delete_batch": (0, 20),
    "attach_func": (0, 21),
    "support_raw_tracepoint_in_module": (0, 21),
    "attach_perf_event_raw": (0, 22),
    "kernel_struct_has_field": (0, 23),
    "get_probe_limit": (0, 24),
    "perf_buffer_consume": (0, 24),
    "attach_fmod_ret": (0, 35),
    "support_fmod_ret": (0, 35),
    "kernel_enum_has_val": (0, 35),
}
_MACROS = {
    "BPF_RINGBUF_OUTPUT": (0, 16),
    "KMOD_RET": (0, 19),
    "TP_DATA_LOC_READ_STR": (0, 24),
    "BPF_TASK_STORAGE": (0, 24),
    "MODULE_KFUNC_PROBE": (0, 28),
    "MODULE_KRETFUNC_PROBE": (0, 28),
}
_MACRO = re.compile("|".join(rf"\b{name}\b" for name in _MACROS))


def needed_release(tree: ast.Module) -> Requirement:
    """The engine, in the oldest release that has all of bcc that the tool uses; what it tries to use counts not."""
    used = tuple(_uses(tree))
    tried = set(_tried(tree)) if used else ()
    newest = max((release for node, release in used if node not in tried), default=())
    return one(NeedKind.ENGINE, "bcc" + (">=" + ".".join(map(str, newest)) if newest else ""))


def _uses(tree: ast.Module) -> Iterator[tuple[ast.AST, tuple[int, ...]]]:
    """What came with a release, wherever it stands."""
    for imports in nodes_of(tree, ast.ImportFrom):
        names = (imports.module or "", *(f"{imports.module}.{item.name}" for item in imports.names))
        yield from ((imports, _MODULES[name]) for name in names if name in _MODULES)
    for whole in nodes_of(tree, ast.Import):
        yield from ((whole, _MODULES[item.name]) for item in whole.names if item.name in _MODULES)
    for call in nodes_of(tree, ast.Call):
        if isinstance(call.func, ast.Attribute) and call.func.attr in _METHODS:
            yield call, _METHODS[call.func.attr]
    everything = "\n".join(texts_of(tree))
    if any(name in everything for name in _MACROS):  # few have one, and the pattern is tried at every letter
        for text in nodes_of(tree, ast.Constant):
            if isinstance(text.value, str):
                yield from ((text, _MACROS[name]) for name in _MACRO.findall(text.value))


def _tried(tree: ast.Module) -> Iterator[ast.AST]:
    for statement in nodes_of(tree, ast.Try):
        if statement.handlers:
            yield from walk(*statement.body)
