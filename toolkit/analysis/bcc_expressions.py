"""The expressions of a bcc tool, evaluated as far as they can be known without running it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from toolkit.analysis.bcc_calls import Seen, call_method, compile_text, enable_probe, open_part
from toolkit.analysis.bcc_nodes import dotted
from toolkit.analysis.bcc_options import DECLARING, declare, dest_of
from toolkit.analysis.bcc_values import (
    HOLE,
    MAX_ITEMS,
    UNKNOWN,
    Asked,
    Function,
    Options,
    Unknown,
    Value,
    add,
    as_text,
    bounded,
    braces,
    constant,
    percent,
    replace,
    truth,
)
from toolkit.model import Need, NeedKind

_ENDINGS = frozenset({"exit", "quit", "sys.exit", "os._exit"})
_UNCHANGED = frozenset({"encode", "decode", "strip", "lstrip", "rstrip", "expandtabs"})
_CHANGING = frozenset({"append", "extend", "insert", "add", "update", "pop", "remove", "setdefault"})
_SAME_PARSER = frozenset({"add_mutually_exclusive_group", "add_argument_group", "add_subparsers", "add_parser"})


Given = tuple[tuple[Value, ...], dict[str, Value]]  # the arguments of a call
Literals = Callable[[ast.Call], Given | None]


class Ended(Exception):
    """The tool ends here: exit(), raise or an error of its option parser."""


class Expressions:
    """Evaluates expressions in an environment."""

    def __init__(self, seen: Seen, literals: Literals, parts: Mapping[str, str]) -> None:
        self.seen = seen
        self._literals = literals
        self.parts = parts  # by name: C text in files of its own
        self.scopes: list[dict[str, Value]] = [{"__name__": "__main__"}]
        self.every_option = False  # as if the user had chosen each of them, as far as that does not end the tool

    def value(self, node: ast.expr | None) -> Value:
        """The value of an expression; it is asked for a quarter of a million times in a sync of BCC."""
        kind = type(node)
        return _EXPRESSIONS[kind](self, node) if kind in _EXPRESSIONS else UNKNOWN

    def condition(self, node: ast.expr) -> bool | None:
        """Whether an expression is true on this path; None when only running would tell."""
        value = self.value(node)
        if isinstance(value, Asked):
            return self.decide(value.key) is value.positive
        return truth(value)

    def decide(self, _key: str) -> bool:
        """What the host answers on this path; which paths there are is not this class's concern."""
        return True

    def lookup(self, name: str) -> Value:
        """The value of a name in the innermost scope that has it."""
        innermost = self.scopes[-1]
        return innermost[name] if name in innermost else self.scopes[0].get(name, UNKNOWN)

    def call_function(self, _function: Function, _given: tuple[Value, ...], _by_name: dict[str, Value]) -> Value:
        """Call one of the tool's own functions; statements are not this class's concern."""
        return UNKNOWN

    def _constant(self, node: ast.Constant) -> Value:
        return constant(node.value)

    def _named(self, node: ast.Name) -> Value:
        return self.lookup(node.id)

    def _items(self, node: ast.Tuple | ast.List) -> Value:
        return tuple([self.value(item) for item in node.elts[:1000]])

    def _joined(self, node: ast.JoinedStr) -> Value:
        return bounded("".join(as_text(self.value(part)) for part in node.values))

    def _formatted(self, node: ast.FormattedValue) -> Value:
        return as_text(self.value(node.value))

    def _attribute(self, node: ast.Attribute) -> Value:
        owner = self.value(node.value)
        if isinstance(owner, Options):
            return owner.values.get(node.attr, UNKNOWN)
        path = dotted(node)
        # Names of perf events are read from the source: PerfType.SOFTWARE.
        return path if path.startswith(("PerfType.", "PerfSWConfig.", "PerfHWConfig.")) else UNKNOWN

    def _dict(self, node: ast.Dict) -> Value:
        keys = [self.value(key) if key else UNKNOWN for key in node.keys[:1000]]
        values = [self.value(value) for value in node.values[:1000]]
        return {key: value for key, value in zip(keys, values, strict=False) if isinstance(key, str)}

    def _subscript(self, node: ast.Subscript) -> Value:
        owner, key = self.value(node.value), self.value(node.slice)
        if isinstance(owner, dict) and isinstance(key, str):
            return owner.get(key, UNKNOWN)
        if isinstance(owner, tuple) and isinstance(key, int) and -len(owner) <= key < len(owner):
            return owner[key]
        return UNKNOWN

    def _unary(self, node: ast.UnaryOp) -> Value:
        if isinstance(node.op, ast.Not):
            operand = self.value(node.operand)
            known = truth(operand)
            return operand.negated() if isinstance(operand, Asked) else UNKNOWN if known is None else not known
        if isinstance(node.op, ast.USub):
            number = self.value(node.operand)
            return -number if isinstance(number, (int, float)) else UNKNOWN
        return UNKNOWN

    def _binary(self, node: ast.BinOp) -> Value:
        if isinstance(node.op, ast.Add):
            return add(self.value(node.left), self.value(node.right))
        if isinstance(node.op, ast.Mod):
            return percent(self.value(node.left), self.value(node.right))
        return UNKNOWN

    def _comparison(self, node: ast.Compare) -> Value:
        if len(node.ops) != 1:
            return UNKNOWN
        return _compare(self.value(node.left), node.ops[0], self.value(node.comparators[0]))

    def _either(self, node: ast.IfExp) -> Value:
        known = self.condition(node.test)
        return self.value(node.body if known is not False else node.orelse)

    def _comprehension(self, node: ast.GeneratorExp | ast.ListComp) -> Value:
        """`x for x in text.split() if …`: an item whose condition is not known stays."""
        generator = node.generators[0]
        items = self.value(generator.iter) if len(node.generators) == 1 else UNKNOWN
        if not isinstance(items, tuple) or not isinstance(generator.target, ast.Name):
            return UNKNOWN
        found: list[Value] = []
        self.scopes.append(dict(self.scopes[-1]))
        for item in items:
            self.scopes[-1][generator.target.id] = item
            if all(self.condition(condition) is not False for condition in generator.ifs):
                found.append(self.value(node.elt))
        self.scopes.pop()
        return tuple(found)

    def _bool_op(self, node: ast.BoolOp) -> Value:
        """`and` and `or`; an answer of the host is decided in turn, as Python would ask."""
        stops_at = isinstance(node.op, ast.Or)
        result: Value = UNKNOWN
        unknown = False
        for operand in node.values:
            value = self.value(operand)
            if isinstance(value, Asked):
                value = self.decide(value.key) is value.positive
            known = truth(value)
            if known is stops_at and not unknown:
                return value
            unknown = unknown or known is None
            result = value
        return UNKNOWN if unknown else result

    def _call(self, node: ast.Call) -> Value:
        given, by_name = self._literals(node) or self._arguments(node)
        path = dotted(node.func)
        if path in _ENDINGS or (path.endswith((".error", ".exit")) and not path.startswith("logging")):
            raise Ended
        if isinstance(node.func, ast.Name):
            return self._call_name(node.func.id, given, by_name)
        if path == "bcc.BPF":
            compile_text(given, by_name, self.parts, self.seen)
            return UNKNOWN
        if isinstance(node.func, ast.Attribute):
            return self._call_method(node.func, given, by_name)
        return UNKNOWN

    def _arguments(self, node: ast.Call) -> Given:
        given = tuple([self.value(item.value if isinstance(item, ast.Starred) else item) for item in node.args[:100]])
        return given, {item.arg: self.value(item.value) for item in node.keywords[:100] if item.arg}

    def _call_name(self, name: str, given: tuple[Value, ...], by_name: dict[str, Value]) -> Value:
        found = self.lookup(name)
        if isinstance(found, Function):
            return self.call_function(found, given, by_name)
        if name == "BPF":
            compile_text(given, by_name, self.parts, self.seen)
        elif name == "open" and given:
            self._open(as_text(given[0]))
            return as_text(given[0])  # a file is what it is called: enough to know /proc/kallsyms
        elif name == "USDT":
            self.seen.attached.append((Need(kind=NeedKind.USDT),))
            return by_name.get("path", given[1] if len(given) > 1 else UNKNOWN)  # as with a file: it is what is traced
        elif name in ("ArgumentParser", "OptionParser"):
            return Options()
        elif name in ("str", "bytes") and given and isinstance(given[0], (str, int)):
            return as_text(given[0])
        elif name == "len" and given and isinstance(given[0], Asked):
            return given[0]
        elif name == "len" and given and isinstance(given[0], (str, tuple, dict)):
            # What begins empty is filled in ways that are not followed.
            known = HOLE not in given[0] if isinstance(given[0], str) else bool(given[0])
            return len(given[0]) if known else UNKNOWN
        return UNKNOWN

    def _open(self, path: str) -> None:
        if path.startswith("/sys/") and HOLE not in path and not self.seen.trying:
            self.seen.opened.append(path)
        open_part(path, self.parts, self.seen)

    def _call_method(self, node: ast.Attribute, given: tuple[Value, ...], by_name: dict[str, Value]) -> Value:
        owner = self.value(node.value)
        method = node.attr
        if method == "enable_probe":  # enable_probe_or_bail is for tools that know many languages, and use one
            enable_probe(owner, given, by_name, self.seen)
            return UNKNOWN
        if isinstance(owner, str) and method == "read":
            return self.parts.get(owner, UNKNOWN)
        if isinstance(owner, str):
            return _text_method(owner, method, given, by_name)
        if isinstance(owner, Options):
            return self._parser_method(owner, method, given, by_name)
        if isinstance(owner, (tuple, dict)) and method in _CHANGING and isinstance(node.value, ast.Name):
            self.scopes[-1][node.value.id] = UNKNOWN  # changed in a way that is not followed
        if method in ("ArgumentParser", "OptionParser"):
            return Options()
        if method == "wrapper" and given and isinstance(given[0], Function):
            return self.call_function(given[0], (UNKNOWN, *given[1:]), {})  # curses.wrapper(f, …) is f(screen, …)
        return call_method(method, given, by_name, self.seen)

    def _parser_method(
        self, parser: Options, method: str, given: tuple[Value, ...], by_name: dict[str, Value]
    ) -> Value:
        if method in DECLARING:
            names = tuple(name for name in given if isinstance(name, str))
            chosen = declare(names, by_name)
            parser.values[dest_of(names, by_name)] = UNKNOWN if self.every_option else chosen
        if method in _SAME_PARSER or method == "parse_args":
            return parser
        if method == "set_defaults":
            parser.values.update(by_name)
        return (parser, UNKNOWN) if method == "parse_known_args" else UNKNOWN


_EXPRESSIONS: dict[type[ast.expr] | type[None], Callable[[Expressions, Any], Value]] = {
    ast.Constant: Expressions._constant,
    ast.Name: Expressions._named,
    ast.Call: Expressions._call,
    ast.Attribute: Expressions._attribute,
    ast.Tuple: Expressions._items,
    ast.List: Expressions._items,
    ast.Dict: Expressions._dict,
    ast.Subscript: Expressions._subscript,
    ast.JoinedStr: Expressions._joined,
    ast.FormattedValue: Expressions._formatted,
    ast.BoolOp: Expressions._bool_op,
    ast.UnaryOp: Expressions._unary,
    ast.BinOp: Expressions._binary,
    ast.Compare: Expressions._comparison,
    ast.IfExp: Expressions._either,
    ast.GeneratorExp: Expressions._comprehension,
    ast.ListComp: Expressions._comprehension,
}


def read_literals(node: ast.Call) -> Given | None:
    """The arguments of a call when all of them are literals, as in most declarations of an option, else None."""
    if not all(isinstance(item, ast.Constant) for item in node.args):
        return None
    if not all(isinstance(item.value, ast.Constant) for item in node.keywords):
        return None
    given = tuple(constant(item.value) for item in node.args[:100] if isinstance(item, ast.Constant))
    named = ((item.arg, item.value) for item in node.keywords[:100])
    return given, {name: constant(value.value) for name, value in named if name and isinstance(value, ast.Constant)}


def _compare(left: Value, operator: ast.cmpop, right: Value) -> Value:
    if isinstance(left, Asked):
        return _compare_answer(left, operator, right)
    if isinstance(left, Unknown) or isinstance(right, (Unknown, Asked)):
        return UNKNOWN
    if any(isinstance(side, str) and HOLE in side for side in (left, right)):
        return UNKNOWN
    if isinstance(operator, (ast.Eq, ast.Is)):
        return left == right
    if isinstance(operator, (ast.NotEq, ast.IsNot)):
        return left != right
    if isinstance(operator, (ast.In, ast.NotIn)) and isinstance(right, (str, tuple, dict)):
        inside = left in right if isinstance(left, str) or not isinstance(right, str) else False
        return inside if isinstance(operator, ast.In) else not inside
    numbers = isinstance(left, (int, float)) and isinstance(right, (int, float))
    return _compare_numbers(left, operator, right) if numbers else UNKNOWN


def _compare_numbers(left: Value, operator: ast.cmpop, right: Value) -> Value:
    if not isinstance(left, (int, float)) or not isinstance(right, (int, float)):
        return UNKNOWN
    if isinstance(operator, (ast.Lt, ast.LtE)):
        return left < right or (left == right and isinstance(operator, ast.LtE))
    if isinstance(operator, (ast.Gt, ast.GtE)):
        return left > right or (left == right and isinstance(operator, ast.GtE))
    return UNKNOWN


def _compare_answer(answer: Asked, operator: ast.cmpop, right: Value) -> Value:
    """`ksymname(x) != -1`, `kernel_struct_has_field(…) == 1`, `len(get_kprobe_functions(x)) > 0`."""
    no = -1 if answer.key.startswith("ksymname") else 0
    if isinstance(operator, (ast.Eq, ast.Is)):
        return answer.negated() if right == no else answer
    if isinstance(operator, (ast.NotEq, ast.IsNot)):
        return answer if right == no else answer.negated()
    if isinstance(operator, (ast.Gt, ast.GtE)):
        return answer
    return answer.negated() if isinstance(operator, (ast.Lt, ast.LtE)) else UNKNOWN


def _text_method(text: str, method: str, given: tuple[Value, ...], by_name: dict[str, Value]) -> Value:
    if method in _UNCHANGED:
        return text if method in ("encode", "decode") or HOLE in text else text.strip()
    if method == "replace" and len(given) > 1:
        return replace(text, given[0], given[1])
    if method == "format":
        return braces(text, given, by_name)
    if method == "join" and given and isinstance(given[0], tuple):
        return bounded(text.join(as_text(item) for item in given[0]))
    if method in ("split", "splitlines"):
        separator = given[0] if given and method == "split" else "\n" if method == "splitlines" else None
        return tuple(text.split(separator)[:MAX_ITEMS]) if separator is None or isinstance(separator, str) else UNKNOWN
    if method in ("lower", "upper"):
        return text.lower() if method == "lower" else text.upper()
    if method in ("startswith", "endswith") and given and isinstance(given[0], str) and HOLE not in text:
        return text.startswith(given[0]) if method == "startswith" else text.endswith(given[0])
    return UNKNOWN
