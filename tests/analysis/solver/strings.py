"""A question as SMT-LIB text with the theory of strings, for other solvers: one `str.in_re` for each variable and disjunct.

The product asks its languages itself and never a solver of strings, so this is a second way from the same formulas to an answer.
"""

from collections.abc import Iterable
from decimal import Context
from typing import Any

from sekisho.analysis.solver import contexts, questions
from sekisho.analysis.solver.effort import TooHard
from sekisho.analysis.solver.formulas import Compare, Every, Fact, Formula, In, Linked, Masked, Not, Some, atoms
from sekisho.analysis.solver.languages import Chars, Item, Language, Run
from tests.analysis.solver.pairs import Pair

_EXACT = Context(prec=256)
_OPERATORS = {"lt": "<", "le": "<=", "eq": "=", "ge": ">=", "gt": ">"}


def of_pair(made: Pair) -> str | None:
    """The text of whether the new policy of a pair grants more; None where patterns have values of other texts in them."""
    before, after = (questions.read(text, made.kind) for text in (made.existing, made.new))
    question = questions.Question(after, made.kind, 1000, before)
    try:
        formulas = [*question.formulas(contexts.Context([after, before])), *question.rules]
    except TooHard:
        return None
    return text(formulas)


def text(formulas: Iterable[Formula]) -> str | None:
    """The text of some formulas."""
    listed = list(formulas)
    names: dict[str, str] = {}
    scale = max((-int(atom.value.as_tuple().exponent) for one in listed for atom in atoms(one) if isinstance(atom, Compare)), default=0) + 1
    for atom in (atom for one in listed for atom in atoms(one)):
        if isinstance(atom, Linked):
            return None
        name = atom.name if isinstance(atom, Fact) else atom.variable
        names[name] = {Fact: "Bool", In: "String", Compare: "Int", Masked: "(_ BitVec 129)"}[type(atom)]
    lines = ["(set-logic ALL)", *(f"(declare-const |{name}| {sort})" for name, sort in names.items())]
    for name in (name for name, sort in names.items() if sort.startswith("(_ BitVec")):
        upper = f"((_ extract 127 32) |{name}|)"
        lines.append(f"(assert (ite (= ((_ extract 128 128) |{name}|) #b1) (= {upper} (_ bv0 96)) (not (= {upper} (_ bv65535 96)))))")
    lines += [f"(assert {_term(one, scale)})" for one in listed]
    return "\n".join((*lines, "(check-sat)"))


def _term(formula: Formula, scale: int) -> str:
    if isinstance(formula, Not):
        return f"(not {_term(formula.inner, scale)})"
    if isinstance(formula, (Every, Some)):
        parts = [_term(part, scale) for part in formula.parts]
        every = isinstance(formula, Every)
        return f"({'and' if every else 'or'} {' '.join(parts)})" if parts else str(every).lower()
    if isinstance(formula, Fact):
        return f"|{formula.name}|"
    if isinstance(formula, In):
        return f"(str.in_re |{formula.variable}| {_language(formula.language)})"
    if isinstance(formula, Compare):
        value = int(_EXACT.scaleb(formula.value, scale))
        return f"({_OPERATORS[formula.operator]} |{formula.variable}| {value if value >= 0 else f'(- {-value})'})"
    assert isinstance(formula, Masked)
    return f"(= (bvand |{formula.variable}| (_ bv{formula.mask} 129)) (_ bv{formula.first} 129))"


def _language(language: Language) -> str:
    runs = [_run(run) for run in sorted(language.runs, key=repr)]
    return runs[0] if len(runs) == 1 else f"(re.union {' '.join(runs)})" if runs else "re.none"


def _run(run: Run) -> str:
    parts = [_item(item) for item in run]
    return parts[0] if len(parts) == 1 else f"(re.++ {' '.join(parts)})" if parts else '(str.to_re "")'


def _item(item: Item) -> str:
    found = _chars(item.chars)
    return f"(re.* {found})" if item.repeats else found


def _chars(chars: Chars) -> str:
    listed = [f'(str.to_re "{_escaped(char)}")' for char in sorted(chars.chars)]
    found = listed[0] if len(listed) == 1 else f"(re.union {' '.join(listed)})" if listed else "re.none"
    if not chars.negated:
        return found
    return f"(re.inter re.allchar (re.comp {found}))" if listed else "re.allchar"


def _escaped(char: str) -> str:
    return char if char.isalnum() and char.isascii() else f"\\u{{{ord(char):x}}}"


def by_z3(asked: str | None, milliseconds: int) -> str:
    """z3's own answer with its strings: `sat`, `unsat` or `unknown`."""
    import z3

    if asked is None:
        return "unknown"
    solver = z3.Solver()
    solver.set("timeout", milliseconds)
    solver.from_string(asked)
    return str(solver.check())


def by_cvc5(asked: str | None, milliseconds: int) -> str:
    """cvc5's answer."""
    import cvc5

    if asked is None:
        return "unknown"
    solver: Any = cvc5.Solver()
    solver.setOption("tlimit-per", str(milliseconds))
    solver.setOption("strings-exp", "true")
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, asked, "question")
    manager = parser.getSymbolManager()
    said = ""
    while not (command := parser.nextCommand()).isNull():
        said += str(command.invoke(solver, manager)).strip()
    return said or "unknown"
