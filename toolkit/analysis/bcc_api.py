"""Which release of bcc a tool needs: by the modules, methods and macros of bcc's that it uses."""

from __future__ import annotations

import ast
import re

from toolkit.analysis.bcc_values import all_nodes
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
    tried = {
        node
        for statement in all_nodes(tree)
        if isinstance(statement, ast.Try) and statement.handlers
        for part in statement.body
        for node in ast.walk(part)
    }
    releases = [release for node in all_nodes(tree) if node not in tried for release in _releases(node)]
    newest = max(releases, default=())
    return one(NeedKind.ENGINE, "bcc" + (">=" + ".".join(map(str, newest)) if newest else ""))


def _releases(node: ast.AST) -> list[tuple[int, ...]]:
    if isinstance(node, ast.ImportFrom):
        names = [node.module or "", *(f"{node.module}.{item.name}" for item in node.names)]
        return [_MODULES[name] for name in names if name in _MODULES]
    if isinstance(node, ast.Import):
        return [_MODULES[item.name] for item in node.names if item.name in _MODULES]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return [_METHODS[node.func.attr]] if node.func.attr in _METHODS else []
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [_MACROS[name] for name in _MACRO.findall(node.value)]
    return []
