"""Every way that a bcc tool can take through its Python, depending on what it asks the host.

A tool asks (`BPF.get_kprobe_functions`, `BPF.tracepoint_exists`, `BPF.support_kfunc`, try … except) and attaches
accordingly. Each path is followed from the start with one combination of answers, and with the options that a user
gets who chooses none. Nothing is imported or executed.
"""

from __future__ import annotations

import ast
import re
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.analysis.bcc_calls import Seen
from toolkit.analysis.bcc_expressions import Ended, Expressions
from toolkit.analysis.bcc_values import UNKNOWN, Function, Options, Value, add
from toolkit.model import Need, NeedKind

_MAX_PATHS = 200
_MAX_STEPS = 20_000
_MAX_CALLS = 8
_MAX_ROUNDS = 64
_SECONDS = 0.4
_HOW_TO_READ = ("kernel_struct_has_field", "kernel_enum_has_val")  # these never decide what is attached
_MAX_WAYS = 16
_IDENTIFIER = re.compile(r"[A-Za-z_]\w{2,}")


@dataclass(frozen=True)
class Path:
    """What a tool does for one combination of answers; `works` is False when it ends before it traces."""

    seen: Seen
    works: bool


@dataclass(frozen=True)
class Paths:
    """The paths through a tool; `complete` is False when there are more than were followed."""

    found: tuple[Path, ...]
    complete: bool
    every_option: Path  # what it does when the user chooses what can be chosen
    ways: tuple[Path, ...] = ()  # the first path again, with other answers to what decides only how something is read


def all_paths(tree: ast.Module) -> Paths:
    """The paths through a tool, first the one where the host answers yes to everything."""
    found: list[Path] = []
    waiting: deque[tuple[bool, ...]] = deque([()])
    started = time.monotonic()
    # Those with few no's come first: should there be too many, then each answer has still been no once.
    while waiting and len(found) < _MAX_PATHS and time.monotonic() - started < _SECONDS:
        given = waiting.popleft()
        run = _Run(given)
        found.append(run.follow(tree))
        waiting.extend((*run.answers[:number], False) for number in range(len(given), len(run.answers)))
    generous = _Run(())
    generous.every_option = True
    every = generous.follow(tree)
    return Paths(tuple(found), complete=not waiting, every_option=every, ways=_other_ways(tree, started))


def _other_ways(tree: ast.Module, started: float) -> tuple[Path, ...]:
    """The first path with no to the first, the first two … of its questions about structures: `if a … elif b …`."""
    found: list[Path] = []
    asked = 1
    while len(found) < min(asked, _MAX_WAYS) and time.monotonic() - started < _SECONDS:
        run = _Run((), refused=len(found) + 1)
        found.append(run.follow(tree))
        asked = len(run.ways)
    return tuple(found)


class _Return(Exception):
    def __init__(self, value: Value) -> None:
        self.value = value


class _Loop(Exception):
    """break or continue."""


class _Traces(Exception):
    """The tool has reached its main loop."""


class _Run(Expressions):
    """One path: statements in order, with the given answers and yes to every further question."""

    def __init__(self, answers: Sequence[bool], refused: int = 0) -> None:
        super().__init__(self._decide, Seen())
        self.answers = list(answers)
        self.ways: dict[str, bool] = {}
        self._refused = refused
        self._asked: dict[str, bool] = {}
        self._steps = 0

    def follow(self, tree: ast.Module) -> Path:
        works = True
        try:
            self._block(tree.body)
        except Ended:
            works = False
        except (_Traces, _Return, _Loop):
            pass
        return Path(self.seen, works)

    def _decide(self, key: str) -> bool:
        if key.startswith(_HOW_TO_READ):
            return self.ways.setdefault(key, len(self.ways) >= self._refused)
        if key not in self._asked:
            number = len(self._asked)
            if number >= len(self.answers):
                self.answers.append(True)
            self._asked[key] = self.answers[number]
        return self._asked[key]

    def call_function(self, _function: Function, _given: tuple[Value, ...], _by_name: dict[str, Value]) -> Value:
        if len(self.scopes) > _MAX_CALLS:
            return UNKNOWN
        arguments = _function.node.args
        names = [item.arg for item in (*arguments.posonlyargs, *arguments.args)]
        defaults = [self.value(item) for item in arguments.defaults]
        scope: dict[str, Value] = dict(zip(names[len(names) - len(defaults) :], defaults, strict=False))
        scope.update(zip(names, _given, strict=False))
        scope.update(_by_name)
        self.scopes.append(scope)
        try:
            self._block(_function.node.body)
        except _Return as returned:
            return returned.value
        except _Loop:
            return UNKNOWN
        finally:
            self.scopes.pop()
        return None

    def _block(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            self._steps += 1
            if self._steps > _MAX_STEPS:
                raise _Traces
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Expr):
            self.value(node.value)
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            self._assign(node)
        elif isinstance(node, ast.If):
            self._if(node)
        elif isinstance(node, (ast.For, ast.While)):
            self._loop(node)
        elif isinstance(node, ast.Try):
            self._try(node)
        elif isinstance(node, ast.With):
            self._with(node)
        elif isinstance(node, ast.FunctionDef):
            self.scopes[-1][node.name] = Function(node)
        else:
            self._jump(node)

    def _jump(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Return):
            raise _Return(self.value(node.value))
        if isinstance(node, ast.Raise):
            raise Ended
        if isinstance(node, (ast.Break, ast.Continue)):
            raise _Loop

    def _assign(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> None:
        value = self.value(node.value)
        if isinstance(node, ast.AugAssign):
            added = isinstance(node.op, ast.Add)
            self._bind(node.target, add(self.value(node.target), value) if added else UNKNOWN)
        elif isinstance(node, ast.AnnAssign):
            self._bind(node.target, value)
        else:
            for target in node.targets:
                self._bind(target, value)

    def _bind(self, target: ast.expr, value: Value) -> None:
        if isinstance(target, ast.Name):
            self.scopes[-1][target.id] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            known = value if isinstance(value, tuple) and len(value) == len(target.elts) else None
            parser = isinstance(value, Options) and len(target.elts) > 0  # (options, args) = parser.parse_args()
            for number, item in enumerate(target.elts):
                self._bind(item, known[number] if known else value if parser and number == 0 else UNKNOWN)
        elif isinstance(target, ast.Attribute):
            owner = self.value(target.value)
            if isinstance(owner, Options):
                owner.values[target.attr] = value
        elif isinstance(target, ast.Subscript):
            self._bind(target.value, UNKNOWN)  # changed in a way that is not followed

    def _if(self, node: ast.If) -> None:
        """A condition that only running would tell is taken to be what lets the tool go on."""
        known = self.condition(node.test)
        if known is None:
            known = not ends(node.body)
            both = _returns(node.body) or (node.orelse and not ends(node.orelse) and _attaches(node))
            if known and both:
                known = self._decide(f"line {node.lineno}")
        self._block(node.body if known else node.orelse)

    def _loop(self, node: ast.For | ast.While) -> None:
        if isinstance(node, ast.While):
            for _ in range(2):
                known = self.condition(node.test)
                if not known:
                    return
                self._round(node.body)
            raise _Traces
        items = self.value(node.iter)
        known_items = items[:_MAX_ROUNDS] if isinstance(items, tuple) else (UNKNOWN,)
        for item in known_items:
            self._bind(node.target, item)
            if not self._round(node.body):
                break

    def _round(self, body: Sequence[ast.stmt]) -> bool:
        """One round of a loop; what ends it early ends it for all rounds, near enough."""
        try:
            self._block(body)
        except _Loop:
            return any(isinstance(item, ast.Continue) for statement in body for item in ast.walk(statement))
        return True

    def _try(self, node: ast.Try) -> None:
        """Where something is attached in a try, it may fail: then the handler goes on without it."""
        asked = bool(node.handlers) and _attaches_in(node.body)
        if not asked or self._decide(f"try {node.lineno}"):
            self.seen.trying += bool(node.handlers)
            try:
                self._block(node.body)
            except Ended:
                if not node.handlers or ends(node.handlers[0].body):
                    raise
            finally:
                self.seen.trying -= bool(node.handlers)
            self._block(node.orelse)
        else:
            self._block(node.handlers[0].body)
        self._block(node.finalbody)

    def _with(self, node: ast.With) -> None:
        for item in node.items:
            opened = self.value(item.context_expr)
            if item.optional_vars:
                self._bind(item.optional_vars, UNKNOWN)
            if opened == "/proc/kallsyms":
                self.seen.symbols.extend(_compared_names(node))
        self._block(node.body)


def ends(statements: Sequence[ast.stmt]) -> bool:
    """Whether a block ends the tool or passes something over: exit(), raise, continue or a bare return is in it."""
    for statement in statements:
        if isinstance(statement, (ast.Raise, ast.Continue)):
            return True
        if isinstance(statement, ast.Return) and statement.value is None:
            return True
        call = statement.value if isinstance(statement, ast.Expr) else None
        if isinstance(call, ast.Call):
            name = ast.unparse(call.func)
            if name in ("exit", "quit", "sys.exit", "os._exit", "usage") or name.endswith(".error"):
                return True
    return False


def _returns(statements: Sequence[ast.stmt]) -> bool:
    return any(isinstance(statement, ast.Return) for statement in statements)


def _attaches(node: ast.stmt) -> bool:
    for item in ast.walk(node):
        if isinstance(item, ast.Attribute) and item.attr.startswith("attach_"):
            return True
        if isinstance(item, ast.Name) and item.id == "BPF":
            return True
    return False


def _attaches_in(statements: Sequence[ast.stmt]) -> bool:
    return any(
        isinstance(item, ast.Attribute) and item.attr.startswith("attach_")
        for statement in statements
        for item in ast.walk(statement)
    )


def _compared_names(node: ast.With) -> list[tuple[Need, ...]]:
    """The symbols that a tool looks for in /proc/kallsyms: it compares each line's name with them."""
    names: list[str] = []
    for item in ast.walk(node):
        if isinstance(item, ast.Compare) and isinstance(item.ops[0], (ast.Eq, ast.In)):
            sides = (item.left, *item.comparators)
            texts = [side.value for side in sides if isinstance(side, ast.Constant) and isinstance(side.value, str)]
            names.extend(text for text in texts if _IDENTIFIER.fullmatch(text))
    needs = tuple(Need(kind=NeedKind.KERNEL_SYMBOL, name=name) for name in dict.fromkeys(names))
    return [needs] if needs else []
