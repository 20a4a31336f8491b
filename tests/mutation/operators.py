"""Make small faults that a programmer could make, one at a time.

They are in comparisons, arithmetic, constants, arguments, the handling of NaN, and order.
"""

from __future__ import annotations

import ast
import copy
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
TWINS = [
    ("minimum", "maximum"),
    ("min", "max"),
    ("argmin", "argmax"),
    ("any", "all"),
    ("sum", "mean"),
    ("zeros", "ones"),
]
TWINS += [("floor", "ceil"), ("floor_share", "ceil_share")]
SWAPS = (
    dict(TWINS)
    | {b: a for a, b in TWINS}
    | {f"nan{name}": name for name in ("sum", "mean", "max", "min", "median", "quantile")}
)
SWAPS |= {"sf": "cdf", "std": "var", "bootstrap_means": "resampled_means", "sorted": "list"}
"""One function for another."""
UNDONE = frozenset({"nan_to_num", "abs", "sqrt", "clip", "widened", "unique"})
"""Functions that are left out: what they are given takes their place."""
EQUIVALENT = frozenset({"strict", "dtype", "invalid", "divide", "lineterminator", "encoding"})
"""Arguments whose loss changes nothing that a number could show."""


@dataclass(frozen=True)
class Mutant:
    """One fault.

    Attributes:
        file: relative to the repository.
        function: qualified name, or `<module>`.
        line: in the file as it is.
        operator: the kind of fault.
        context: first line of the statement.
        before, after: the expression or statement.
        number: of all faults of the file, in order.
        source: digest of the function or class that it is in, without its docstrings.
        repeat: how many times the same was there before in statements that look the same.
    """

    file: str
    function: str
    line: int
    operator: str
    context: str
    before: str
    after: str
    number: int
    source: str
    repeat: int = 0

    @property
    def key(self) -> str:
        """What it is, wherever it stands: lines may move."""
        return " | ".join(
            (self.file, self.function, self.context, f"{self.before} -> {self.after}", str(self.repeat))
        )


@dataclass(frozen=True)
class _Site:
    parent: ast.AST
    field: str
    index: int | None
    node: ast.AST
    function: str
    statement: ast.stmt
    top: ast.stmt


def mutants_of(file: str, source: str) -> list[Mutant]:
    """All faults that can be made in a file, in the order of its lines."""
    mutants: list[Mutant] = []
    seen: Counter[str] = Counter()
    tree = ast.parse(source)
    digests = {part: hashlib.sha256(_code_of(part).encode()).hexdigest()[:12] for part in tree.body}
    contexts: dict[ast.stmt, str] = {}
    for number, (site, operator, replacement) in enumerate(_faults(tree)):
        line = getattr(site.node, "lineno", site.statement.lineno)
        if site.statement not in contexts:
            contexts[site.statement] = ast.unparse(site.statement).splitlines()[0][:160]
        before, after = _shown(site.node), _shown(replacement)
        mutant = Mutant(
            file,
            site.function,
            line,
            operator,
            contexts[site.statement],
            before,
            after,
            number,
            digests[site.top],
        )
        mutants.append(replace(mutant, repeat=seen[mutant.key]))
        seen[mutant.key] += 1
    return mutants


def mutated(source: str, number: int) -> str:
    """The source with one of its faults made; comments are lost."""
    tree = ast.parse(source)
    site, _, replacement = next(fault for i, fault in enumerate(_faults(tree)) if i == number)
    ast.copy_location(replacement, site.node)
    if site.index is None:
        setattr(site.parent, site.field, replacement)
    else:
        getattr(site.parent, site.field)[site.index] = replacement
    return ast.unparse(ast.fix_missing_locations(tree))


def _code_of(part: ast.stmt) -> str:
    """Return a function or class without comments and docstrings, which may change and change no fault."""
    part = copy.deepcopy(part)
    for node in ast.walk(part):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            node.body = [each for each in node.body if not _is_docstring(each)]
    return ast.unparse(part)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _faults(tree: ast.Module) -> Iterator[tuple[_Site, str, ast.AST]]:
    for site in _sites(tree):
        for operator, replacement in _alternatives(site.node):
            yield site, operator, replacement


def _sites(tree: ast.Module) -> Iterator[_Site]:
    """Nodes that may be changed.

    Annotations, decorators, docstrings, imports, messages of errors and format strings are left alone.
    """

    def walk(
        node: ast.AST, function: str, statement: ast.stmt | None, top: ast.stmt | None
    ) -> Iterator[_Site]:
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns", "decorator_list", "bases"):
                continue
            for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if not isinstance(child, ast.AST) or isinstance(
                    child, ast.JoinedStr | ast.Raise | ast.Import | ast.ImportFrom
                ):
                    continue
                if _is_docstring(child):
                    continue
                own = child if isinstance(child, ast.stmt) else statement
                inside = function
                if isinstance(child, ast.FunctionDef | ast.ClassDef):
                    inside = child.name if function == "<module>" else f"{function}.{child.name}"
                whole = top or own
                if own is not None and whole is not None:
                    yield _Site(node, field, index, child, inside, own, whole)
                yield from walk(child, inside, own, whole)

    yield from walk(tree, "<module>", None, None)


def _alternatives(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.Compare(left, ops, comparators):
            for i, op in enumerate(ops):
                for other in COMPARISONS.get(type(op), ()):
                    yield "comparison", ast.Compare(left, [*ops[:i], other(), *ops[i + 1 :]], comparators)
        case ast.BinOp(left, op, right) if (
            type(op) in ARITHMETIC and not _is_text(left) and not _is_text(right)
        ):
            yield "arithmetic", ast.BinOp(left, ARITHMETIC[type(op)](), right)
        case ast.AugAssign(target, op, value) if type(op) in ARITHMETIC:
            yield "arithmetic", ast.AugAssign(target, ARITHMETIC[type(op)](), value)
            yield "left out", ast.Pass()
        case ast.UnaryOp(ast.USub() | ast.Not() | ast.Invert(), operand):
            yield "sign or negation", operand
        case ast.BoolOp(op, values):
            yield "and, or", ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
        case ast.Constant(value):
            yield from (("constant", ast.Constant(other)) for other in _constants(value))
        case ast.Return(value) if value is not None and not (
            isinstance(value, ast.Constant) and value.value is None
        ):
            yield "returns nothing", ast.Return(ast.Constant(None))
        case ast.If(test, body, orelse):
            yield "condition", ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.IfExp(test, body, orelse):
            yield "condition", ast.IfExp(test, orelse, body)
        case ast.comprehension(target, iterable, ifs, is_async) if ifs:
            yield (
                "condition",
                ast.comprehension(target, iterable, [ast.UnaryOp(ast.Not(), ifs[0]), *ifs[1:]], is_async),
            )
        case ast.Break() | ast.Continue():
            yield "left out", ast.Pass()
        case ast.Expr(ast.Call()):
            yield "left out", ast.Pass()
        case ast.Assign([ast.Subscript()], _):
            yield "left out", ast.Pass()
        case ast.Call(function, arguments, keywords):
            yield from _calls(function, arguments, keywords)


def _calls(
    function: ast.expr, arguments: list[ast.expr], keywords: list[ast.keyword]
) -> Iterator[tuple[str, ast.AST]]:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    for i, keyword in enumerate(keywords):
        if (
            keyword.arg is not None and keyword.arg not in EQUIVALENT and not name[:1].isupper()
        ):  # a record without a field is no record
            yield "argument left out", ast.Call(function, arguments, [*keywords[:i], *keywords[i + 1 :]])
    if name in SWAPS:
        other: Any = (
            ast.Attribute(function.value, SWAPS[name], ast.Load())
            if isinstance(function, ast.Attribute)
            else ast.Name(SWAPS[name], ast.Load())
        )
        dropped = [] if name == "sorted" else keywords
        yield "function", ast.Call(other, arguments, dropped)
    if name in UNDONE and arguments:
        yield "function left out", arguments[0]
    if name == "where" and len(arguments) == 3:
        yield "function", ast.Call(function, [arguments[0], arguments[2], arguments[1]], keywords)


def _constants(value: object) -> tuple[object, ...]:
    if isinstance(value, bool):
        return (not value,)
    if isinstance(value, int):
        return (value + 1, value - 1)
    if isinstance(value, float):
        return (value + 1.0,) if value == 0.0 else (value + 1.0, value / 2.0)
    return ()


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _shown(node: ast.AST) -> str:
    if isinstance(node, ast.comprehension):
        return "".join(f" if {ast.unparse(test)}" for test in node.ifs).strip()
    if isinstance(node, ast.If):
        return f"if {ast.unparse(node.test)}"
    return ast.unparse(node).splitlines()[0][:160]
