"""Searches over a few atoms: numbers, addresses, texts and facts, and what a model says of them."""

from collections.abc import Callable
from decimal import Decimal
from itertools import islice

import pytest
import z3

from sekisho.analysis.solver import search
from sekisho.analysis.solver.effort import Effort, TooHard
from sekisho.analysis.solver.formulas import FALSE, Atom, Compare, Fact, Formula, In, Linked, Masked, every, no, some
from sekisho.analysis.solver.languages import EVERYTHING, Language, literals, of
from sekisho.analysis.solver.search import Model, Search
from sekisho.policy import operands
from sekisho.policy.variables import Variable

A, B = Fact("a"), Fact("b")
IN_A, IN_AB, IN_B = In("v", literals(["a"])), In("v", literals(["a", "b"])), In("v", literals(["b"]))


def first(*formulas: Formula, rules: tuple[Formula, ...] = ()) -> Model | None:
    return next(Search(formulas, Effort(1_000), rules), None)


def n(operator: str, value: str) -> Formula:
    return Compare("n", operator, Decimal(value))


NUMBERS: dict[str, tuple[list[Formula], Callable[[Decimal], bool] | None]] = {
    "below": ([n("lt", "5")], lambda value: value < 5),
    "at most": ([n("le", "5"), no(n("lt", "5"))], lambda value: value == 5),
    "just": ([n("eq", "5")], lambda value: value == 5),
    "at least": ([n("ge", "5"), no(n("gt", "5"))], lambda value: value == 5),
    "above": ([n("gt", "5")], lambda value: value > 5),
    "between": ([n("gt", "4"), n("lt", "5")], lambda value: 4 < value < 5),
    "between decimals": ([n("gt", "1.25"), n("lt", "1.26")], lambda value: Decimal("1.25") < value < Decimal("1.26")),
    "of another scale": ([n("gt", "1"), n("lt", "1.001")], lambda value: 1 < value < Decimal("1.001")),
    "hundreds": ([n("eq", "1E+2")], lambda value: value == 100),
    "none below and above": ([n("lt", "5"), n("gt", "5")], None),
    "none below and just": ([n("lt", "5"), n("eq", "5")], None),
    "none below and at least": ([n("lt", "5"), n("ge", "5")], None),
    "none above and at most": ([n("gt", "5"), n("le", "5")], None),
    "long": ([n("gt", "1" * 30), n("lt", f"{'1' * 30}.1")], lambda value: int("1" * 30) < value < Decimal(f"{'1' * 30}.1")),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers(name: str) -> None:
    formulas, is_right = NUMBERS[name]
    model = first(*formulas)
    if is_right is None:
        assert model is None
    else:
        assert model is not None
        assert is_right(model.numbers["n"])


def masked(text: str) -> Masked:
    network = operands.network(text)
    assert network is not None
    return Masked("v", *network)


FOUR = 1 << 128
ADDRESSES: dict[str, tuple[list[Formula], bool]] = {
    "of a range": ([masked("10.0.0.0/8")], True),
    "of a range of IPv6": ([masked("2001:db8::/32")], True),
    "of both": ([masked("10.0.0.0/8"), masked("2001:db8::/32")], False),
    "of none": ([no(masked("0.0.0.0/0")), no(masked("::/0"))], False),
    "of IPv4 with upper bits": ([Masked("v", FOUR | 1 << 40, FOUR | 1 << 40)], False),
    "of IPv4 with the highest bits": ([Masked("v", FOUR | 1 << 127, FOUR | 1 << 127)], False),
    "of IPv4 with the lowest upper bit": ([Masked("v", FOUR | 1 << 32, FOUR | 1 << 32)], False),
    "of IPv4 with all lower bits": ([Masked("v", FOUR | 0xFFFFFFFF, FOUR | 0xFFFFFFFF)], True),
    "of IPv4 in disguise": ([Masked("v", 0xFFFF << 32, ((1 << 97) - 1) << 32)], False),
    "of nearly that": ([Masked("v", 0xFFFE << 32, ((1 << 97) - 1) << 32)], True),
    "of IPv6 with the highest bit": ([Masked("v", 1 << 127, FOUR | 1 << 127)], True),
}


@pytest.mark.parametrize("name", ADDRESSES)
def test_addresses(name: str) -> None:
    formulas, expected = ADDRESSES[name]
    model = first(*formulas)
    assert (model is not None) is expected
    if model is not None:
        masks = [one for one in formulas if isinstance(one, Masked)]
        assert all(model.addresses["v"] & one.mask == one.first for one in masks)


TEXTS: dict[str, tuple[list[Formula], bool]] = {
    "in two": ([IN_A, IN_AB], True),
    "in neither of two": ([IN_A, IN_B], False),
    "in one of two": ([IN_AB, some((no(IN_A), no(IN_B)))], True),
    "in all but what there is": ([IN_AB, no(IN_A), no(IN_B)], False),
    "in another": ([IN_A, In("w", literals(["b"]))], True),
    "in none": ([no(IN_A), In("v", Language([]))], False),
    "nothing": ([FALSE], False),
    "everything": ([every(())], True),
    "either": ([some((every((IN_A, IN_B)), A))], True),
    "neither": ([some((every((IN_A, IN_B)), every((A, no(A)))))], False),
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts(name: str) -> None:
    formulas, expected = TEXTS[name]
    assert (first(*formulas) is not None) is expected
    assert (first(rules=tuple(formulas)) is not None) is expected


def test_a_model_says_what_is_asked_of_a_text() -> None:
    linked = Linked("u", "like", (Variable("a:k"), "x"))
    model = first(IN_AB, no(IN_A), In("w", literals(["c"])), A, no(B), linked)
    assert model is not None
    assert model.of("v") == ([IN_AB.language], [IN_A.language], [])
    assert model.of("u") == ([], [], [(linked, True)])
    assert model.of("w") == ([literals(["c"])], [], [])
    assert model.facts == {"a": True, "b": False}
    assert set(model.literals) == {(IN_AB, True), (IN_A, False), (In("w", literals(["c"])), True), (A, True), (B, False), (linked, True)}


def test_what_is_ruled_out_is_not_found_again() -> None:
    found = Search([some((A, B))], Effort(1_000))
    model = next(found)
    found.rule_out([(A, True)])
    model = next(found)
    assert model.facts == {"a": False, "b": True}
    found.rule_out([(A, False), (B, True)])
    assert list(islice(found, 2)) == []
    found = Search([some((A, B))], Effort(1_000))
    found.rule_out([])
    assert next(found, None) is None


def test_each_look_costs() -> None:
    effort = Effort(1)
    next(Search([A], effort))
    assert effort.left == 60 - 20
    with pytest.raises(TooHard):
        list(islice(Search([A], effort), 9))


LIKE = Linked("v", "like", ("x", Variable("a:k")))
MANY = tuple(Variable(f"a:{i}") for i in range(33))
ANY_CASE = Linked("v", "any case", ("x", Variable("a:k")))
EMPTY: dict[str, tuple[list[search.Literal], bool]] = {
    "a text": ([(IN_A, True)], False),
    "two texts": ([(IN_A, True), (IN_B, True)], True),
    "a text and not": ([(IN_A, True), (IN_AB, False)], True),
    "one of two and not": ([(IN_AB, True), (IN_A, False)], False),
    "not all": ([(In("v", EVERYTHING), False)], True),
    "a pattern with a value": ([(LIKE, True)], False),
    "that and another text": ([(LIKE, True), (IN_A, True)], True),
    "that and not": ([(LIKE, True), (LIKE, False)], True),
    "not": ([(LIKE, False)], False),
    "that and not one that has more": ([(LIKE, True), (Linked("v", "like", ("x", Variable("a:k"), "y")), False)], False),
    "what only a search finds": ([(In("v", Language([(of("ab"),)])), True), (IN_A, False)], False),
    "of 32 variables": ([(Linked("v", "like", MANY[:32]), True), (Linked("v", "like", MANY[:32]), False)], True),
    "of more": ([(Linked("v", "like", MANY), True), (Linked("v", "like", MANY), False)], False),
    "of a shape that lets no value be told": ([(ANY_CASE, True), (ANY_CASE, False)], False),
    "and not one of such a shape": ([(LIKE, True), (ANY_CASE, False)], False),
    "that and not one within": ([(Linked("v", "like", ("x", Variable("a:k"))), True), (In("v", EVERYTHING), False)], True),
}


@pytest.mark.parametrize("name", EMPTY)
def test_no_text_has_all(name: str) -> None:
    literals_, expected = EMPTY[name]
    assert Search([A], Effort(1_000))._is_empty(literals_) is expected


def test_a_guess_is_cheap() -> None:
    searching = Search([A], Effort(1))
    assert not searching._is_empty([(IN_A, True)])
    assert searching.effort.left == 60 - 1


class Odd:
    """A solver that does not know."""

    def __init__(self, problem: str) -> None:
        self._problem = problem

    def check(self) -> object:
        if self._problem:
            raise z3.Z3Exception(self._problem)
        return z3.unknown

    def reason_unknown(self) -> str:
        return "canceled"


@pytest.mark.parametrize(("problem", "said"), [("", "z3 says: canceled"), ("out of memory", "z3 says: out of memory")])
def test_what_z3_does_not_know_is_too_hard(problem: str, said: str) -> None:
    searching = Search([A], Effort(1_000))
    searching._solver = Odd(problem)
    with pytest.raises(TooHard, match=f"^{said}$"):
        next(searching)


def test_too_many_cases_are_too_hard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_ROUNDS", 1)
    assert first(A) is not None
    with pytest.raises(TooHard, match=r"^the question has too many cases$"):
        first(IN_A, IN_B)


def test_what_nothing_is_asked_of_has_a_value_too() -> None:
    model = first(A, some((A, n("lt", "5"))), some((A, masked("10.0.0.0/8"))), some((A, B)))
    assert model is not None
    assert isinstance(model.numbers["n"], Decimal)
    assert isinstance(model.addresses["v"], int)
    assert model.facts["b"] in (True, False)


def test_the_least_that_no_text_has() -> None:
    searching = Search([A], Effort(1_000))
    wide, like = In("v", EVERYTHING), In("v", literals(["c"]))
    assert searching._least([(wide, True), (IN_AB, True), (like, False), (IN_AB, False)]) == [(IN_AB, True), (IN_AB, False)]
    assert searching._least([(In("v", Language([])), True)]) == [(In("v", Language([])), True)]
    assert searching._conflict([(A, True), (IN_A, True), (In("w", literals(["b"])), True)]) is None
    assert searching._conflict([(A, True), (IN_A, True), (In("w", IN_B.language), True), (IN_B, True)]) == [(IN_A, True), (IN_B, True)]


def test_reasons_are_the_fewest() -> None:
    values: dict[Atom, bool] = {A: True, B: True, IN_A: True, IN_B: False}
    known: dict[search.Literal, None] = {(IN_A, True): None}
    assert search._reasons(some((IN_A, A)), True, values, {}) == [(A, True)]  # a fact is cheaper than a text
    assert search._reasons(some((A, IN_A)), True, values, known) == [(IN_A, True)]  # what is known costs nothing
    assert search._reasons(some((every((A, B)), IN_A)), True, values, {}) == [(A, True), (B, True)]
    assert search._reasons(some((IN_B, IN_A)), True, values, {}) == [(IN_A, True)]
    assert search._reasons(every((A, IN_B)), False, values, {}) == [(IN_B, False)]
    assert search._reasons(no(every((A, IN_B))), True, values, {}) == [(IN_B, False)]
    assert search._reasons(some((no(A), IN_B)), False, values, {}) == [(A, True), (IN_B, False)]
    assert search._reasons(every((A, no(IN_B))), True, values, {}) == [(A, True), (IN_B, False)]
    assert search._weight((A, True), {(A, True): None}) == 0
    assert [search._weight((one, True), {}) for one in (A, IN_A, LIKE)] == [1, 4, 4]
    assert [search._is(one, values) for one in (A, IN_B, no(A), no(IN_B), every((A, IN_B)), some((A, IN_B)), every(()), FALSE)] == [
        True, False, False, True, False, True, True, False,
    ]  # fmt: skip
