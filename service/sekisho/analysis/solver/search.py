"""Whether a formula can be true, and how: z3 over facts, numbers and addresses, languages beside it.

To z3 each question about a text is a bit. What it finds is cut down to the bits that the formula needs, and the languages of each text are
asked whether one text fits them; where none does, z3 learns which of the bits cannot stand together, and looks on. So z3 never sees a
pattern, and one question about a text costs what its few patterns cost, however many there are. Where nothing is left, nothing there is.

A pattern with values of other texts in it is asked with the values that were chosen; where no text fits then, that proves nothing about
other values. What does prove it: the same pattern with anything, or with one unknown character, in the place of each value (`shapes`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any

import z3

from sekisho.analysis.solver import languages, shapes
from sekisho.analysis.solver.effort import Effort, TooHard
from sekisho.analysis.solver.formulas import Atom, Compare, Every, Fact, Formula, In, Linked, Masked, Not, Some, atoms
from sekisho.analysis.solver.languages import Language

Literal = tuple[Atom, bool]
_ADDRESS = 129
_EXACT = Context(prec=256)
"""Arithmetic that rounds no number that is translated: that of the thread stops at 28 digits."""
_COMPARED = {
    "lt": lambda one, other: one < other,
    "le": lambda one, other: one <= other,
    "eq": lambda one, other: one == other,
    "ge": lambda one, other: one >= other,
    "gt": lambda one, other: one > other,
}
_MEMORY = 1_024  # MiB that z3 may take
_ROUNDS = 4_000  # models that are looked at


@dataclass(slots=True)
class Model:
    """Values of variables under which a formula is true: facts, numbers and addresses as z3 has them, and the literals about texts."""

    facts: Mapping[str, bool]
    numbers: Mapping[str, Decimal]
    addresses: Mapping[str, int]
    literals: Sequence[Literal]

    def of(self, variable: str) -> tuple[list[Language], list[Language], list[tuple[Linked, bool]]]:
        """What is asked of a text: the languages that it is in, those that it is not in, and the patterns with other texts in them."""
        within = [atom.language for atom, wanted in self.literals if isinstance(atom, In) and atom.variable == variable and wanted]
        without = [atom.language for atom, wanted in self.literals if isinstance(atom, In) and atom.variable == variable and not wanted]
        linked = [(atom, wanted) for atom, wanted in self.literals if isinstance(atom, Linked) and atom.variable == variable]
        return within, without, linked


@dataclass(slots=True)
class Search:
    """The models of some formulas, one after another."""

    formulas: Sequence[Formula]
    effort: Effort
    rules: tuple[Formula, ...] = ()
    """What holds in many questions; z3's terms of it are made once."""
    _bits: dict[Atom, Any] = field(default_factory=dict)
    _numbers: dict[str, Any] = field(default_factory=dict)
    _addresses: dict[str, Any] = field(default_factory=dict)
    _scales: dict[str, int] = field(default_factory=dict)
    _context: Any = None
    _solver: Any = None

    def __post_init__(self) -> None:
        self._context = z3.main_ctx()
        self._solver = z3.SimpleSolver(ctx=self._context)
        self._solver.set("timeout", max(1, self.effort.milliseconds))
        self._solver.set("max_memory", _MEMORY)
        for atom in self._atoms():
            if isinstance(atom, Compare):
                digits = -int(atom.value.as_tuple().exponent)
                self._scales[atom.variable] = max(self._scales.get(atom.variable, 1), digits + 1)
        if self.rules:
            term, bits = _translated(self.rules)
            self._bits.update(bits)
            self._solver.add(term)
        for formula in self.formulas:
            self._solver.add(_term(formula, self._known_bit))

    def __iter__(self) -> "Search":
        return self

    def __next__(self) -> Model:
        """The next model; StopIteration where there is none, TooHard where effort or z3's patience ends."""
        for _ in range(_ROUNDS):
            self.effort.spend(20)
            try:
                found = self._solver.check()
            except z3.Z3Exception as error:
                raise TooHard(f"z3 says: {error}") from None
            if found == z3.unsat:
                raise StopIteration
            if found != z3.sat:
                raise TooHard(f"z3 says: {self._solver.reason_unknown()}")
            model = self._solver.model()
            literals = self._needed(model)
            conflict = self._conflict(literals)
            if conflict is None:
                return self._read(model, literals)
            self.rule_out(conflict)
        raise TooHard("the question has too many cases")

    def rule_out(self, literals: Iterable[Literal]) -> None:
        """Look no more at what has all of these."""
        bits = [self._known_bit(atom) for atom, _ in literals]
        wanted = [wanted for _, wanted in literals]
        self._solver.add(z3.Or([z3.Not(bit) if true else bit for bit, true in zip(bits, wanted, strict=True)] or [z3.BoolVal(False)]))

    def _atoms(self) -> Iterable[Atom]:
        return (atom for formula in self.formulas for atom in atoms(formula))

    def _known_bit(self, atom: Atom) -> Any:
        """The bit of an atom, made when it is first asked for."""
        if atom not in self._bits:
            self._bits[atom] = self._bit(atom)
        return self._bits[atom]

    def _bit(self, atom: Atom) -> Any:
        if isinstance(atom, Compare):
            number = self._numbers.setdefault(atom.variable, z3.Int(atom.variable, self._context))
            constant = int(_EXACT.scaleb(atom.value, self._scales[atom.variable]))
            return _COMPARED[atom.operator](number, z3.IntVal(constant, self._context))
        if isinstance(atom, Masked):
            address = self._address(atom.variable)
            return address & z3.BitVecVal(atom.mask, _ADDRESS, self._context) == z3.BitVecVal(atom.first, _ADDRESS, self._context)
        return z3.Bool(atom.name if isinstance(atom, Fact) else f"text {len(self._bits)}", self._context)

    def _address(self, name: str) -> Any:
        """An address as `policy.operands` has it: IPv4 has a bit of its own, and no IPv6 address is one of IPv4 in disguise."""
        address = self._addresses.get(name)
        if address is None:
            address = self._addresses[name] = z3.BitVec(name, _ADDRESS, self._context)
            upper = z3.Extract(127, 32, address)
            four = z3.Extract(128, 128, address) == 1
            self._solver.add(z3.If(four, upper == 0, upper != 0xFFFF))
        return address

    def _needed(self, model: Any) -> list[Literal]:
        """The literals about texts and facts that make the formulas true in a model, without those that do not matter."""
        values = {atom: z3.is_true(model.eval(bit, model_completion=True)) for atom, bit in self._bits.items()}
        needed: dict[Literal, None] = {}
        for formula in (*self.formulas, *self.rules):
            needed.update(dict.fromkeys(_reasons(formula, True, values, needed)))
        return list(needed)

    def _conflict(self, literals: Sequence[Literal]) -> list[Literal] | None:
        """Literals among these that no texts satisfy; None where nothing shows that."""
        by: dict[str, list[Literal]] = {}
        for literal in literals:
            if isinstance(literal[0], (In, Linked)):
                by.setdefault(literal[0].variable, []).append(literal)
        for found in by.values():
            if self._is_empty(found):
                return self._least(found)
        return None

    def _least(self, literals: list[Literal]) -> list[Literal]:
        """Fewer of them, which no texts satisfy either; few texts are soon looked at, and stay."""
        kept = literals
        for literal in sorted(literals, key=lambda one: one[1]):
            if literal[1] and isinstance(literal[0], In) and literal[0].language.is_closed:
                continue
            fewer = [one for one in kept if one is not literal]
            if fewer and self._is_empty(fewer):
                kept = fewer
        return kept

    def _is_empty(self, literals: Sequence[Literal]) -> bool:
        """Whether no text has all of these, which are of one variable; whatever the values in patterns are."""
        within = [atom.language for atom, wanted in literals if wanted and isinstance(atom, In)]
        without = [atom.language for atom, wanted in literals if not wanted and isinstance(atom, In)]
        linked = [atom for atom, wanted in literals if wanted and isinstance(atom, Linked)]
        loose = [shapes.relaxed(atom.shape, atom.parts) for atom in linked]
        wanted = [*within, *loose]
        self.effort.spend(1)
        if languages.guess(wanted, without) is None and languages.find(wanted, without, self.effort) is None:
            return True
        spared = [atom for atom, wanted in literals if not wanted and isinstance(atom, Linked)]
        return any(self._is_covered(atom, spared, without) for atom in linked)

    def _is_covered(self, atom: Linked, spared: Sequence[Linked], without: Sequence[Language]) -> bool:
        """Whether all that a pattern matches is in some of the others, for any values of their variables."""
        symbols: dict[str, str] = {}
        wide = shapes.symbolic(atom.shape, atom.parts, symbols, wide=True)
        narrow = [shapes.symbolic(one.shape, one.parts, symbols, wide=False) for one in spared]
        if wide is None or len(symbols) > shapes.MAX_SYMBOLS:
            return False
        others = [one for one in narrow if one is not None] + [shapes.without_symbols(one) for one in without]
        return languages.find([wide], others, self.effort) is None

    def _read(self, model: Any, literals: list[Literal]) -> Model:
        facts = {
            atom.name: z3.is_true(model.eval(bit, model_completion=True)) for atom, bit in self._bits.items() if isinstance(atom, Fact)
        }
        numbers = {
            name: _EXACT.scaleb(Decimal(model.eval(number, model_completion=True).as_long()), -self._scales[name])
            for name, number in self._numbers.items()
        }
        addresses = {name: model.eval(address, model_completion=True).as_long() for name, address in self._addresses.items()}
        return Model(facts, numbers, addresses, literals)


@lru_cache(maxsize=8)
def _translated(rules: tuple[Formula, ...]) -> tuple[Any, Mapping[Atom, Any]]:
    """Rules about texts and facts as one term, and the bits in it."""
    bits: dict[Atom, Any] = {}

    def bit(atom: Atom) -> Any:
        if atom not in bits:
            assert isinstance(atom, (Fact, In))
            bits[atom] = z3.Bool(atom.name if isinstance(atom, Fact) else f"rule {len(bits)}")
        return bits[atom]

    return z3.And([_term(rule, bit) for rule in rules]), bits


def _term(formula: Formula, bit: Callable[[Atom], Any]) -> Any:
    """A formula as a term of z3 over the bits of its atoms."""
    if isinstance(formula, Not):
        return z3.Not(_term(formula.inner, bit))
    if isinstance(formula, (Every, Some)):
        parts = [_term(part, bit) for part in formula.parts]
        if not parts:
            return z3.BoolVal(isinstance(formula, Every))
        return z3.And(parts) if isinstance(formula, Every) else z3.Or(parts)
    return bit(formula)


def _reasons(formula: Formula, wanted: bool, values: Mapping[Atom, bool], known: Mapping[Literal, None]) -> list[Literal]:
    """The literals that make a formula true, or not true, under some values: of several ways, the one with the fewest new ones."""
    if isinstance(formula, Not):
        return _reasons(formula.inner, not wanted, values, known)
    if isinstance(formula, (Every, Some)):
        if isinstance(formula, Every) is wanted:
            return [literal for part in formula.parts for literal in _reasons(part, wanted, values, known)]
        ways = [_reasons(part, wanted, values, known) for part in formula.parts if _is(part, values) is wanted]
        return min(ways, key=lambda way: sum(_weight(literal, known) for literal in way))
    return [(formula, wanted)]


def _weight(literal: Literal, known: Mapping[Literal, None]) -> int:
    if literal in known:
        return 0
    return 4 if isinstance(literal[0], (In, Linked)) else 1


def _is(formula: Formula, values: Mapping[Atom, bool]) -> bool:
    if isinstance(formula, Not):
        return not _is(formula.inner, values)
    if isinstance(formula, Every):
        return all(_is(part, values) for part in formula.parts)
    if isinstance(formula, Some):
        return any(_is(part, values) for part in formula.parts)
    return values[formula]
