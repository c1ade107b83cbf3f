"""Formulas over the variables of one request: what a policy says, before anybody solves it.

Variables are named by text. The atoms:

    Fact      a variable that is true or false, such as the presence of a key
    In        a text is in a language
    Linked    a text fits a pattern in which values of other variables stand
    Compare   a number beside a constant
    Masked    an address within a range
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from sekisho.analysis.solver.languages import NOTHING, Language
from sekisho.policy.variables import Part, Variable


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that is so or not."""

    name: str


@dataclass(frozen=True, slots=True)
class In:
    """The text of a variable is in a language."""

    variable: str
    language: Language


@dataclass(frozen=True, slots=True)
class Linked:
    """The text of a variable fits a pattern of a shape of `shapes`, with the values of keys in the places of policy variables."""

    variable: str
    shape: str
    parts: tuple[Part, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that the pattern names."""
        return tuple(dict.fromkeys(part.key for part in self.parts if isinstance(part, Variable)))


@dataclass(frozen=True, slots=True)
class Compare:
    """A number beside a constant; the operator is `lt`, `le`, `eq`, `ge` or `gt`."""

    variable: str
    operator: str
    value: Decimal


@dataclass(frozen=True, slots=True)
class Masked:
    """An address, as a number of `policy.operands.address`, within a range."""

    variable: str
    first: int
    mask: int


@dataclass(frozen=True, slots=True)
class Not:
    """The contrary."""

    inner: "Formula"


@dataclass(frozen=True, slots=True)
class Every:
    """All of them."""

    parts: tuple["Formula", ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one of them."""

    parts: tuple["Formula", ...]


Atom: TypeAlias = Fact | In | Linked | Compare | Masked
Formula: TypeAlias = Atom | Not | Every | Some

TRUE, FALSE = Every(()), Some(())


def constant(value: bool) -> Formula:
    """What is always so, or never."""
    return TRUE if value else FALSE


def every(parts: Iterable[Formula]) -> Formula:
    """All of them, made plain."""
    kept: dict[Formula, None] = {}
    for part in parts:
        if part == FALSE:
            return FALSE
        kept.update(dict.fromkeys(part.parts if isinstance(part, Every) else (part,)))
    return next(iter(kept)) if len(kept) == 1 else Every(tuple(kept))


def some(parts: Iterable[Formula]) -> Formula:
    """At least one of them, made plain."""
    kept: dict[Formula, None] = {}
    for part in parts:
        if part == TRUE:
            return TRUE
        kept.update(dict.fromkeys(part.parts if isinstance(part, Some) else (part,)))
    return next(iter(kept)) if len(kept) == 1 else Some(tuple(kept))


def no(part: Formula) -> Formula:
    """The contrary, made plain."""
    if isinstance(part, Not):
        return part.inner
    if part in (TRUE, FALSE):
        return FALSE if part == TRUE else TRUE
    return Not(part)


def within(variable: str, language: Language) -> Formula:
    """The text of the variable is in the language."""
    return In(variable, language) if language != NOTHING else FALSE


def atoms(formula: Formula) -> Iterator[Atom]:
    """All atoms, some more than once."""
    if isinstance(formula, Not):
        yield from atoms(formula.inner)
    elif isinstance(formula, (Every, Some)):
        for part in formula.parts:
            yield from atoms(part)
    else:
        yield formula
