"""Every way that a bcc tool can take through its Python, depending on what it asks the host.

A tool asks (`BPF.get_kprobe_functions`, `BPF.tracepoint_exists`, `BPF.support_kfunc`, try … except) and attaches
accordingly. Each path is followed from the start with one combination of answers, and with the options that a user
gets who chooses none. Nothing is imported or executed.
"""

from __future__ import annotations

import ast
import functools
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.analysis.bcc_calls import Seen
from toolkit.analysis.bcc_expressions import Ended, Expressions, read_literals
from toolkit.analysis.bcc_nodes import dotted, nodes_of, walk
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
    every_option: Path  # what it opens when the user chooses what can be chosen
    ways: tuple[Path, ...] = ()  # the first path again, with other answers to what decides only how something is read


def all_paths(tree: ast.Module, parts: Mapping[str, str]) -> Paths:
    """The paths through a tool, first the one where the host answers yes to everything; `parts` by name."""
    started = time.monotonic()
    shape = _Shape(parts)
    run = _Run(shape)
    first, differs = run.follow(tree), bool(run.ways)
    found = [first]
    waiting = deque(_turns(run, 0))
    # Those with few no's come first: should there be too many, then each answer has still been no once.
    while waiting and len(found) < _MAX_PATHS and time.monotonic() - started < _SECONDS:
        given = waiting.popleft()
        run = _Run(shape, given)
        found.append(run.follow(tree))
        waiting.extend(_turns(run, len(given)))
    every = _choose_all(tree, shape, first)
    ways = _other_ways(tree, shape, started) if differs else (first,)
    return Paths(tuple(found), complete=not waiting, every_option=every, ways=ways)


def _turns(run: _Run, known: int) -> Iterator[tuple[bool, ...]]:
    """The answers that lead to other paths: those of this one up to each that was not given, which becomes no."""
    return ((*run.answers[:number], False) for number in range(known, len(run.answers)))


def _choose_all(tree: ast.Module, shape: _Shape, first: Path) -> Path:
    """The first path as if every option were chosen, or as it is for a tool that never opens anything."""
    if not any(name.id == "open" for name in nodes_of(tree, ast.Name)):
        return first
    generous = _Run(shape)
    generous.every_option = True
    return generous.follow(tree)


def _other_ways(tree: ast.Module, shape: _Shape, started: float) -> tuple[Path, ...]:
    """The first path with no to the first, the first two … of its questions about structures: `if a … elif b …`."""
    found: list[Path] = []
    asked = 1
    while len(found) < min(asked, _MAX_WAYS) and time.monotonic() - started < _SECONDS:
        run = _Run(shape, refused=len(found) + 1)
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


class _Shape:
    """What the paths through one program ask of its statements, each once."""

    def __init__(self, parts: Mapping[str, str]) -> None:
        self.parts = parts
        self.fork = functools.cache(_fork)
        self.may_fail = functools.cache(_may_fail)
        self.literals = functools.cache(read_literals)


class _Run(Expressions):
    """One path: statements in order, with the given answers and yes to every further question."""

    def __init__(self, shape: _Shape, answers: Sequence[bool] = (), refused: int = 0) -> None:
        super().__init__(Seen(), shape.literals, shape.parts)
        self._shape = shape
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

    def decide(self, _key: str) -> bool:
        if _key.startswith(_HOW_TO_READ):
            return self.ways.setdefault(_key, len(self.ways) >= self._refused)
        if _key not in self._asked:
            number = len(self._asked)
            if number >= len(self.answers):
                self.answers.append(True)
            self._asked[_key] = self.answers[number]
        return self._asked[_key]

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
        kind = type(node)
        if kind in _STATEMENTS:
            _STATEMENTS[kind](self, node)

    def _expression(self, node: ast.Expr) -> None:
        self.value(node.value)

    def _define(self, node: ast.FunctionDef) -> None:
        self.scopes[-1][node.name] = Function(node)

    def _return(self, node: ast.Return) -> None:
        raise _Return(self.value(node.value))

    def _raise(self, _node: ast.Raise) -> None:
        raise Ended

    def _leave_round(self, _node: ast.Break | ast.Continue) -> None:
        raise _Loop

    def _assign(self, node: ast.Assign) -> None:
        value = self.value(node.value)
        for target in node.targets:
            self._bind(target, value)

    def _annotated(self, node: ast.AnnAssign) -> None:
        self._bind(node.target, self.value(node.value))

    def _augmented(self, node: ast.AugAssign) -> None:
        value = self.value(node.value)
        added = isinstance(node.op, ast.Add)
        self._bind(node.target, add(self.value(node.target), value) if added else UNKNOWN)

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
            known, both = self._shape.fork(node)
            if both:
                known = self.decide(f"line {node.lineno}")
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
            return any(isinstance(item, ast.Continue) for item in walk(*body))
        return True

    def _try(self, node: ast.Try) -> None:
        """Where something is attached in a try, it may fail: then the handler goes on without it."""
        if not self._shape.may_fail(node) or self.decide(f"try {node.lineno}"):
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
                self._bind(item.optional_vars, opened if isinstance(opened, str) else UNKNOWN)
            if opened == "/proc/kallsyms":
                self.seen.symbols.extend(_compared_names(node))
        self._block(node.body)


_STATEMENTS: dict[type[ast.stmt], Callable[[_Run, Any], None]] = {
    ast.Expr: _Run._expression,
    ast.Assign: _Run._assign,
    ast.AnnAssign: _Run._annotated,
    ast.AugAssign: _Run._augmented,
    ast.If: _Run._if,
    ast.For: _Run._loop,
    ast.While: _Run._loop,
    ast.Try: _Run._try,
    ast.With: _Run._with,
    ast.FunctionDef: _Run._define,
    ast.Return: _Run._return,
    ast.Raise: _Run._raise,
    ast.Break: _Run._leave_round,
    ast.Continue: _Run._leave_round,
}


def ends(statements: Sequence[ast.stmt]) -> bool:
    """Whether a block ends the tool or passes something over: exit(), raise, continue or a bare return is in it."""
    for statement in statements:
        if isinstance(statement, (ast.Raise, ast.Continue)):
            return True
        if isinstance(statement, ast.Return) and statement.value is None:
            return True
        call = statement.value if isinstance(statement, ast.Expr) else None
        if isinstance(call, ast.Call):
            complains = isinstance(call.func, ast.Attribute) and call.func.attr == "error"
            if complains or dotted(call.func) in ("exit", "quit", "sys.exit", "os._exit", "usage"):
                return True
    return False


def _fork(node: ast.If) -> tuple[bool, bool]:
    """Whether a tool goes on when this holds, and whether it goes on, in another way, when it does not."""
    if ends(node.body):
        return False, False
    if any(isinstance(statement, ast.Return) for statement in node.body):
        return True, True
    return True, bool(node.orelse) and not ends(node.orelse) and _attaches(node)


def _attaches(node: ast.stmt) -> bool:
    for item in walk(node):
        if isinstance(item, ast.Attribute) and item.attr.startswith("attach_"):
            return True
        if isinstance(item, ast.Name) and item.id == "BPF":
            return True
    return False


def _may_fail(node: ast.Try) -> bool:
    """Whether something is attached in a try, and what to do without it is said."""
    items = walk(*node.body) if node.handlers else ()
    return any(isinstance(item, ast.Attribute) and item.attr.startswith("attach_") for item in items)


def _compared_names(node: ast.With) -> list[tuple[Need, ...]]:
    """The symbols that a tool looks for in /proc/kallsyms: it compares each line's name with them."""
    names: list[str] = []
    for item in walk(node):
        if isinstance(item, ast.Compare) and isinstance(item.ops[0], (ast.Eq, ast.In)):
            sides = (item.left, *item.comparators)
            texts = [side.value for side in sides if isinstance(side, ast.Constant) and isinstance(side.value, str)]
            names.extend(text for text in texts if _IDENTIFIER.fullmatch(text))
    needs = tuple(Need(kind=NeedKind.KERNEL_SYMBOL, name=name) for name in dict.fromkeys(names))
    return [needs] if needs else []
