"""Small faults put into a module's syntax tree, one at a time: the operators of the mutation campaign.

A Site is a place and an operator; sites are counted in the order of the tree, so that an index means the same fault in the same text.
Left alone are what cannot change a decision: annotations, decorators, docstrings, asserts, imports, aliases of types, the words of errors;
and named limits, of which one more or less is as good.
"""

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

Fault = tuple[str, ast.AST | None]  # what was done, and the node that stands there instead; None removes it

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
NAMES = {
    "any": "all",
    "all": "any",
    "min": "max",
    "max": "min",
    "DIRECT": "LIMITED",
    "LIMITED": "ACCOUNT",
    "ACCOUNT": "NONE",
    "NONE": "ACCOUNT",
    "ANY": "ONE",
    "ONE": "ANY",
    "FOR_ALL": "FOR_ANY",
    "FOR_ANY": "FOR_ALL",
    "ALLOWED": "IMPLICITLY_DENIED",
    "IMPLICITLY_DENIED": "EXPLICITLY_DENIED",
    "EXPLICITLY_DENIED": "IMPLICITLY_DENIED",
    "IDENTITY": "BOUNDARY",
    "BOUNDARY": "SESSION",
    "SESSION": "IDENTITY",
    "SCP": "RCP",
    "RCP": "SCP",
    "TRUST": "RESOURCE",
    "RESOURCE": "TRUST",
}
ATTRIBUTES = {
    "startswith": "endswith",
    "endswith": "startswith",
    "partition": "rpartition",
    "rpartition": "partition",
    "removeprefix": "removesuffix",
    "removesuffix": "removeprefix",
    "union": "intersection",
    "eq": "ne",
    "lt": "le",
    "le": "lt",
    "gt": "ge",
    "ge": "gt",
    "ALLOWED": "IMPLICITLY_DENIED",
    "IMPLICITLY_DENIED": "EXPLICITLY_DENIED",
    "EXPLICITLY_DENIED": "IMPLICITLY_DENIED",
    "IDENTITY": "BOUNDARY",
    "BOUNDARY": "SESSION",
    "SESSION": "IDENTITY",
    "SCP": "RCP",
    "RCP": "SCP",
    "TRUST": "RESOURCE",
    "RESOURCE": "TRUST",
}
DROPPED_CALLS = frozenset(("lower", "strip", "isdigit", "isascii"))
MUTED_CALLS = frozenset(("TypeVar", "TooMuchWork"))


@dataclass(frozen=True, slots=True)
class Site:
    """A fault that can be made: where, and by which operator."""

    index: int
    line: int
    operator: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault in one file of the package; `name` is the file's, as docs/mutation.md has it."""

    path: Path
    name: str
    site: Site

    def __str__(self) -> str:
        return f"{self.name}:{self.site.line} {self.site.operator}"


def sites(source: str) -> list[Site]:
    """All faults of a module's text."""
    walker = _Walker(-1)
    walker.visit(ast.parse(source))
    return walker.sites


def mutated(source: str, index: int) -> ast.Module:
    """The tree with one fault."""
    tree = _Walker(index).visit(ast.parse(source))
    assert isinstance(tree, ast.Module)
    return ast.fix_missing_locations(tree)


class _Walker(ast.NodeTransformer):
    """Counts faults, and makes the one that is wanted."""

    def __init__(self, wanted: int) -> None:
        self.sites: list[Site] = []
        self._wanted = wanted

    def visit(self, node: ast.AST) -> ast.AST | None:
        if _is_left_alone(node):
            return node
        found: list[ast.AST | None] = []
        for operator, other in _faults(node):
            if len(self.sites) == self._wanted:
                found.append(other)
            self.sites.append(Site(len(self.sites), _line(node), operator))
        if found:
            return ast.Pass(lineno=getattr(node, "lineno", 1), col_offset=0) if found[0] is None else ast.copy_location(found[0], node)
        if isinstance(node, ast.AnnAssign):
            node.value = self.visit(node.value) if node.value is not None else None  # type: ignore[assignment]
            return node
        if isinstance(node, ast.FunctionDef):
            node.args = self.visit(node.args)  # type: ignore[assignment]
            node.body = [self.visit(statement) for statement in node.body]  # type: ignore[misc]
            return node
        if isinstance(node, ast.ClassDef):
            node.body = [self.visit(statement) for statement in node.body]  # type: ignore[misc]
            return node
        if isinstance(node, ast.arg):
            return node
        return self.generic_visit(node)


def _is_left_alone(node: ast.AST) -> bool:
    if isinstance(node, (ast.Import, ast.ImportFrom, ast.Assert, ast.JoinedStr, ast.Global)):
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
        return all(isinstance(name, ast.Name) and name.id.isupper() for name in node.targets[0].elts) and all(
            map(_is_number, node.value.elts)
        )
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        name = node.targets[0].id
        is_type, is_limit = name[:1].isupper() and not name.isupper(), "MAX_" in name or (name.isupper() and _is_number(node.value))
        return name.startswith("__") or is_type or is_limit
    if isinstance(node, ast.Call):
        return isinstance(node.func, (ast.Name, ast.Attribute)) and _called(node.func) in MUTED_CALLS
    return False


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int)


def _line(node: ast.AST) -> int:
    place = node.target if isinstance(node, ast.comprehension) else node
    return getattr(place, "lineno", 0)


def _called(function: ast.Name | ast.Attribute) -> str:
    return function.id if isinstance(function, ast.Name) else function.attr


def _faults(node: ast.AST) -> Iterator[Fault]:
    maker = _MAKERS.get(type(node))
    if maker is not None:
        yield from maker(node)


def _compare(node: ast.Compare) -> Iterator[Fault]:
    for i, operator in enumerate(node.ops):
        for other in COMPARISONS[type(operator)]:
            changed = copy.deepcopy(node)
            changed.ops[i] = other()
            yield f"{type(operator).__name__} -> {other.__name__}", changed


def _bool_op(node: ast.BoolOp) -> Iterator[Fault]:
    other: ast.boolop = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    yield f"{type(node.op).__name__} -> {type(other).__name__}", ast.BoolOp(other, copy.deepcopy(node.values))
    for i in range(len(node.values)):
        left = [copy.deepcopy(value) for j, value in enumerate(node.values) if j != i]
        yield f"operand {i + 1} dropped", left[0] if len(left) == 1 else ast.BoolOp(type(node.op)(), left)


def _unary_op(node: ast.UnaryOp) -> Iterator[Fault]:
    if isinstance(node.op, (ast.Not, ast.USub)):
        yield f"{type(node.op).__name__} dropped", copy.deepcopy(node.operand)


def _bin_op(node: ast.BinOp) -> Iterator[Fault]:
    other = ARITHMETIC.get(type(node.op))
    if other is not None:
        yield f"{type(node.op).__name__} -> {other.__name__}", ast.BinOp(copy.deepcopy(node.left), other(), copy.deepcopy(node.right))


def _branch(node: ast.If | ast.IfExp | ast.While) -> Iterator[Fault]:
    outcomes = (False,) if isinstance(node, ast.While) else (False, True)
    for outcome in outcomes:
        changed = copy.deepcopy(node)
        changed.test = ast.Constant(outcome)
        yield f"condition -> {outcome}", changed
    changed = copy.deepcopy(node)
    changed.test = ast.UnaryOp(ast.Not(), changed.test)
    yield "condition negated", changed


def _comprehension(node: ast.comprehension) -> Iterator[Fault]:
    for i in range(len(node.ifs)):
        changed = copy.deepcopy(node)
        del changed.ifs[i]
        yield "filter dropped", changed


def _constant(node: ast.Constant) -> Iterator[Fault]:
    value = node.value
    if isinstance(value, bool):
        yield f"{value} -> {not value}", ast.Constant(not value)
    elif isinstance(value, int):
        yield f"{value} -> {value + 1}", ast.Constant(value + 1)
        yield f"{value} -> {value - 1}", ast.Constant(value - 1)
    elif isinstance(value, str):
        yield "text changed", ast.Constant(f"{value}~")


def _name(node: ast.Name) -> Iterator[Fault]:
    if isinstance(node.ctx, ast.Load) and node.id in NAMES:
        yield f"{node.id} -> {NAMES[node.id]}", ast.Name(NAMES[node.id], ast.Load())


def _attribute(node: ast.Attribute) -> Iterator[Fault]:
    if node.attr in ATTRIBUTES:
        yield f"{node.attr} -> {ATTRIBUTES[node.attr]}", ast.Attribute(copy.deepcopy(node.value), ATTRIBUTES[node.attr], ast.Load())


def _call(node: ast.Call) -> Iterator[Fault]:
    if isinstance(node.func, ast.Attribute) and node.func.attr in DROPPED_CALLS and not node.args:
        yield f".{node.func.attr}() dropped", copy.deepcopy(node.func.value)


def _return(node: ast.Return) -> Iterator[Fault]:
    if node.value is not None and not isinstance(node.value, ast.Constant):
        yield "returns None", ast.Return(ast.Constant(None))
    yield "return dropped", None


def _removed(node: ast.stmt) -> Iterator[Fault]:
    yield f"{type(node).__name__.lower()} dropped", None


def _break(node: ast.stmt) -> Iterator[Fault]:
    yield "break -> continue", ast.Continue()


def _continue(node: ast.stmt) -> Iterator[Fault]:
    yield "continue -> break", ast.Break()


_MAKERS: dict[type[ast.AST], Callable[..., Iterator[Fault]]] = {
    ast.Compare: _compare,
    ast.BoolOp: _bool_op,
    ast.UnaryOp: _unary_op,
    ast.BinOp: _bin_op,
    ast.If: _branch,
    ast.IfExp: _branch,
    ast.While: _branch,
    ast.comprehension: _comprehension,
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Call: _call,
    ast.Return: _return,
    ast.Raise: _removed,
    ast.Expr: _removed,
    ast.AugAssign: _removed,
    ast.Break: _break,
    ast.Continue: _continue,
}
