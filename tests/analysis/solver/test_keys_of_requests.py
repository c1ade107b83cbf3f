"""Condition keys as facts: the ways in which a key can be there, and no other, keep its rules."""

import itertools
from dataclasses import dataclass

import pytest

from sekisho import policy
from sekisho.analysis.solver import languages
from sekisho.analysis.solver.contexts import Context, Key
from sekisho.analysis.solver.formulas import FALSE, Fact, Formula, In, Linked, atoms, constant, every, no, some, within
from sekisho.analysis.solver.languages import literals
from sekisho.policy.variables import Variable
from tests.analysis.solver.documents import allow
from tests.analysis.solver.documents import policy as document
from tests.analysis.solver.requests_read import Asked

PLAIN, EITHER, SEVERAL = Key("a:k"), Key("a:k", 2, listed=True), Key("a:k", 2, single=False, listed=True)
THREE = Key("a:k", 3, listed=True)


@dataclass(frozen=True)
class Supposed(Asked):
    """What may be no request at all: some facts are true, all others are not."""

    facts: frozenset[str] = frozenset()

    def _is_fact(self, name: str) -> bool:
        return name in self.facts


def supposed(*names: str) -> Supposed:
    return Supposed(facts=frozenset(names))


def meeting(key: Key, formula: Formula) -> set[str]:
    """All that keeps a key's rules and meets a formula, in short: `-` absent, `L` a list, and the places that have values."""
    names = {"absent a:k": "-", "list a:k": "L", **{f"value a:k {place}": str(place) for place in range(key.places)}}
    found = set()
    for chosen in itertools.product((False, True), repeat=len(names)):
        true = [name for name, one in zip(names, chosen, strict=True) if one]
        if all(map(supposed(*true).meets, [*key.rules(), formula])):
            found.add("".join(names[name] for name in true))
    return found


WAYS = {
    "plain": (PLAIN, {"", "-", "L", "0", "-L", "-0", "L0", "-L0"}),  # it has but one fact: the others are not asked
    "either": (EITHER, {"-", "0", "L", "L0", "L01"}),
    "several": (SEVERAL, {"-", "", "0", "01", "-L", "L", "L0", "L01"}),
    "either, of three": (THREE, {"-", "0", "L", "L0", "L01", "L012"}),
}


@pytest.mark.parametrize("name", WAYS)
def test_the_ways_in_which_a_key_is_there(name: str) -> None:
    key, ways = WAYS[name]
    assert meeting(key, every(())) == ways
    assert meeting(key, key.absent) == {one for one in ways if "-" in one}
    told = {atom.name for rule in key.rules() for atom in atoms(rule) if isinstance(atom, Fact)}
    assert told <= {"absent a:k", "list a:k", *(f"value a:k {place}" for place in range(key.places))}


SAID = {
    "either is single": (EITHER, EITHER.is_single, {"0"}),
    "either is a list": (EITHER, EITHER.is_list, {"L", "L0", "L01"}),
    "either has a first value": (EITHER, EITHER.has(0), {"0", "L0", "L01"}),
    "either has a second value": (EITHER, EITHER.has(1), {"L01"}),
    "several is single": (SEVERAL, SEVERAL.is_single, set()),
    "several is a list": (SEVERAL, SEVERAL.is_list, {"", "0", "01", "L", "L0", "L01"}),
    "plain is a list": (PLAIN, PLAIN.is_list, set()),
    "plain is single": (PLAIN, PLAIN.is_single, {"", "L", "0", "L0"}),
    "plain has a value": (PLAIN, PLAIN.has(0), {"", "L", "0", "L0"}),
}


@pytest.mark.parametrize("name", SAID)
def test_what_is_said_of_a_key(name: str) -> None:
    key, formula, expected = SAID[name]
    assert meeting(key, formula) == expected


def test_a_key_that_nobody_describes_has_one_value() -> None:
    assert Key("a:k", 1, single=True, listed=False) == PLAIN
    assert PLAIN.rules() == [] == Key("aws:principalarn").rules()
    assert PLAIN.variable(0) == "key a:k 0"


@pytest.mark.parametrize("key", [PLAIN, EITHER, SEVERAL])
def test_nothing(key: Key) -> None:
    """Whatever `Null` takes for nothing: no key, an empty list, an empty text alone."""
    requests: list[tuple[str, ...]] = [("absent a:k",)]
    if key.listed:
        requests += [("list a:k",), ("list a:k", "value a:k 0")]
    requests += [("value a:k 0",)]
    assert all(supposed(*one).meets(key.is_nothing()) for one in requests)
    filled = Supposed(keys={"a:k": ("x", "")}, facts=frozenset(("list a:k", "value a:k 0")))
    assert not filled.meets(key.is_nothing())
    if key.places > 1:
        assert not supposed("list a:k", "value a:k 0", "value a:k 1").meets(key.is_nothing())


@pytest.mark.parametrize("name", ["aws:principalarn", "aws:principalaccount", "aws:principaltype", "aws:username"])
def test_keys_that_the_principal_determines(name: str) -> None:
    key, arn = Key(name), "arn:aws:iam::111122223333:user/ann"
    values = {"aws:principalarn": arn, "aws:principalaccount": "111122223333", "aws:principaltype": "User", "aws:username": "ann"}
    user, service = Asked("user", arn), Asked("service", "sns.amazonaws.com")
    assert key.follows
    assert [one.meets(key.absent) for one in (user, service)] == [False, True]
    assert [one.meets(key.has(0)) for one in (user, service)] == [True, False]
    assert [user.meets(key.text(0, literals([text]))) for text in (values[name], "x")] == [True, False]
    assert not Key("a:k").follows


def test_the_user_id_is_one_variable_however_it_is_asked() -> None:
    key = Key("aws:userid")
    assert Asked("user", user_id="AIDAONE").meets(key.text(0, literals(["AIDAONE"])))
    assert not Asked("service", user_id="AIDAONE").meets(key.text(0, literals(["AIDAONE"])))
    assert Asked("root", "arn:aws:iam::111122223333:root").meets(key.text(0, literals(["111122223333"])))
    assert [Asked(kind, keys=keys).meets(every(key.rules())) for kind in ("user", "service") for keys in ({}, {"aws:userid": "A"})] == [
        False, True, True, False,
    ]  # fmt: skip


def test_keys_of_identities() -> None:
    for name in ("aws:principalorgid", "aws:principalorgpaths", "aws:principaltag/team", "aws:sourceidentity"):
        assert [Asked(kind, keys=keys).meets(every(Key(name).rules())) for kind in ("user", "service") for keys in ({}, {name: "x"})] == [
            True, True, True, False,
        ]  # fmt: skip


def test_readings_of_an_empty_text() -> None:
    """It is no number, no date, no boolean and no address; whether bytes may be none is left open."""
    context = Context([policy.compiled(document(allow(condition={"StringEquals": {"a:k": "x"}})))])
    key = context.key("a:k")
    for reading in ("text", "number", "date", "bool", "address", "bytes"):
        assert context.read(key, 0, reading) == "key a:k 0"
    rules = every(context.rules())
    unread = {f"unread key a:k 0 {reading}" for reading in ("number", "date", "bool", "address")}
    assert supposed(*unread).meets(rules)
    assert not any(supposed(*(unread - {one})).meets(rules) for one in unread)
    assert Supposed(keys={"a:k": "5"}).meets(rules)


def test_a_value_says_one_sequence_of_bytes() -> None:
    context = Context([])
    one, other = (context.is_bytes("key a:k 0 bytes", value) for value in (b"AB", b"ABC"))
    context.is_bytes("key b:k 0 bytes", b"AB")
    rules = every(context.rules())
    assert [
        supposed(*names).meets(rules) for names in ((), ("key a:k 0 bytes 4142",), ("key a:k 0 bytes 4142", "key b:k 0 bytes 4142"))
    ] == [True] * 3
    assert not supposed("key a:k 0 bytes 4142", "key a:k 0 bytes 414243").meets(rules)
    assert supposed("key a:k 0 bytes 4142").meets(one)
    assert not supposed("key a:k 0 bytes 4142").meets(other)


A, B = within("v", literals(["a"])), within("v", literals(["b"]))
TRUE = every(())


def test_formulas_are_made_plain() -> None:
    assert constant(True) == TRUE == no(FALSE)
    assert constant(False) == FALSE == no(TRUE) == some(())
    assert every((A, B)) != some((A, B))
    assert every((A,)) == A == some((A,)) == every((A, A)) == some((A, A)) == every((A, TRUE)) == some((A, FALSE))
    assert every((A, FALSE, B)) == FALSE
    assert some((A, TRUE, B)) == TRUE
    assert every((every((A, B)), A)) == every((A, B)) != every((B, A))
    assert some((some((A, B)), A)) == some((A, B)) != some((B, A))
    assert every((some((A, B)), A)) != every((A, B))
    assert some((every((A, B)), A)) != some((A, B))
    assert no(no(A)) == A != no(A)
    assert In("v", literals(["a"])) == A
    assert within("v", languages.NOTHING) == FALSE


def test_atoms() -> None:
    assert list(atoms(every((no(A), some((B, A)))))) == [A, B, A]
    assert list(atoms(TRUE)) == list(atoms(FALSE)) == []


def test_keys_of_a_pattern() -> None:
    assert Linked("v", "like", ("a", Variable("a:w"), Variable("a:v"), Variable("a:w"))).keys == ("a:w", "a:v")
    assert Linked("v", "like", ("a",)).keys == ()
