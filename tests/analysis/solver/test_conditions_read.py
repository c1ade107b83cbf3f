"""Conditions as formulas, read with small requests: they say what the tests of `policy` say, and every request keeps the rules of keys."""

import itertools
from collections.abc import Iterator, Mapping
from functools import lru_cache

import pytest

from sekisho import policy
from sekisho.analysis.solver import conditions, contexts
from sekisho.analysis.solver.contexts import Context, Key
from sekisho.analysis.solver.effort import TooHard
from sekisho.analysis.solver.formulas import FALSE, Formula
from sekisho.policy import conditions as evaluated
from sekisho.policy.document import Condition
from tests.analysis.solver.documents import allow
from tests.analysis.solver.documents import policy as document
from tests.analysis.solver.requests_read import Asked

Values = str | tuple[str, ...]
ARN, OTHER = "arn:aws:iam::111122223333:user/ann", "arn:aws:iam::111122223333:user/bob"
TYPES = {
    "String": (
        ["Equals", "NotEquals", "EqualsIgnoreCase", "NotEqualsIgnoreCase", "Like", "NotLike"],
        [["ann"], ["a*", "B?b"], ["${a:w}"], ["x", "${a:w, 'ann'}"], ["${a:w}n", "bob"], [""]],
        ["ann", "ANN", "bob", "a*", ""],
    ),
    "Arn": (
        ["Equals", "NotEquals", "Like", "NotLike"],
        [[ARN], ["arn:aws:iam::*:user/*"], [OTHER, "ann"], ["ann"]],
        [ARN, OTHER, "ann", ""],
    ),
    "Numeric": (
        ["Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"],
        [["5"], ["5", "7.5"], ["five"], ["six", "7"], ["0"], ["-0.25"]],
        ["4", "5", "5.0", "7.5", "8", "0", "-1", "five", ""],
    ),
    "Date": (
        ["Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"],
        [["2026-01-01T00:00:00Z"], ["never", "1767225600"], ["never"]],
        ["2025-12-31T00:00:00Z", "2026-01-01T00:00:00Z", "1767225600", "2027-01-01T00:00:00Z", "5 o'clock", ""],
    ),
    "": (["Bool"], [["true"], ["false"], ["true", "false"], ["maybe"], ["maybe", "true"]], ["true", "false", "TRUE", "maybe", ""]),
    "Binary": (["Equals"], [["QUI="], ["QUI=", "QUJD"], ["?"], ["?", "QUI="], [""]], ["QUI=", "QUJD", "?", ""]),
    "IpAddress": (
        [""],
        [["10.0.0.0/8"], ["10.0.0.1", "2001:db8::/32"], ["home"], ["home", "10.0.0.0/8"]],
        ["10.0.0.1", "11.0.0.1", "2001:db8::1", "home", ""],
    ),
    "NotIpAddress": (
        [""],
        [["10.0.0.0/8"], ["10.0.0.1", "2001:db8::/32"], ["home"], ["home", "10.0.0.0/8"]],
        ["10.0.0.1", "11.0.0.1", "2001:db8::1", "home", ""],
    ),
}
AFFIXES = [("", ""), ("", "IfExists"), ("ForAnyValue:", ""), ("ForAllValues:", "")]
OPERATORS = [f"{type_}{name}" for type_, (names, _, _) in TYPES.items() for name in names]


def requests(key: Key, texts: list[str]) -> Iterator[Mapping[str, Values]]:
    """With all that a key can be: absent, one value, lists."""
    yield {}
    if key.single:
        yield from ({key.name: text} for text in texts)
    if key.listed:
        yield {key.name: ()}
        yield from ({key.name: (text,)} for text in texts)
        yield from ({key.name: pair} for pair in itertools.pairwise([*texts, texts[0]]))


@lru_cache(maxsize=64)
def asking(operator: str, key: str) -> policy.Program:
    """A policy that asks for a key; which values it lists does not matter to a Context."""
    return policy.compiled(document(allow(condition={operator: {key: "x"}})))


def of(condition: Condition) -> Context:
    """The keys of a policy with that condition."""
    return Context([asking(f"{condition.operator.rpartition(':')[0]}:StringEquals".removeprefix(":"), condition.key)])


def translated(condition: Condition) -> Formula:
    """What an Allow says by it."""
    return conditions.of(condition, of(condition), deny=False, dynamic=True)


def disagreements(condition: Condition, texts: list[str], *, deny: bool, dynamic: bool = True) -> list[Mapping[str, Values]]:
    """The requests of which the formula does not say what the evaluator says, or that break a rule."""
    context = of(condition)
    formula = conditions.of(condition, context, deny=deny, dynamic=dynamic)
    test = evaluated.compiled(condition, deny=deny, dynamic=dynamic).test
    rules = context.rules()
    found: list[Mapping[str, Values]] = []
    for request in requests(context.key(condition.key.lower()), texts):
        for word in ({}, {"a:w": "ann"}) if "${" in "".join(condition.values) else ({},):
            keys = {**request, **word}
            asked = Asked("user", ARN, keys=keys)
            if asked.meets(formula) is not test(policy.Context(keys)) or not all(map(asked.meets, rules)):
                found.append(keys)
    return found


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("key", ["a:k", "aws:TagKeys"])
def test_every_operator(operator: str, key: str) -> None:
    type_ = max((one for one in TYPES if operator.startswith(one)), key=len)
    _, several, texts = TYPES[type_]
    for (before, after), values, deny in itertools.product(AFFIXES, several, (False, True)):
        if key == "aws:TagKeys" and after:
            continue
        condition = Condition(f"{before}{operator}{after}", key, tuple(values))
        assert disagreements(condition, texts, deny=deny) == [], (condition, deny)


@pytest.mark.parametrize("key", ["a:k", "aws:TagKeys"])
@pytest.mark.parametrize("values", [("true",), ("false",), ("true", "false"), ("TRUE",)])
def test_null(key: str, values: tuple[str, ...]) -> None:
    for deny in (False, True):
        assert disagreements(Condition("Null", key, values), ["", "a"], deny=deny) == []


@pytest.mark.parametrize("operator", ["StringEquals", "StringNotEquals", "Bool", "NumericEquals", "ArnLike", "ForAllValues:StringLike"])
def test_no_values(operator: str) -> None:
    for deny in (False, True):
        assert disagreements(Condition(operator, "a:k", ()), ["", "a", "true"], deny=deny) == []


@pytest.mark.parametrize("deny", [False, True])
def test_no_such_operator(deny: bool) -> None:
    assert disagreements(Condition("StringLooks", "a:k", ("a",)), ["", "a"], deny=deny) == []


@pytest.mark.parametrize("operator", ["StringEquals", "StringLike", "StringNotEquals", "ForAnyValue:StringEquals"])
def test_documents_of_old_have_no_variables(operator: str) -> None:
    condition = Condition(operator, "a:k", ("${a:w}",))
    for deny in (False, True):
        assert disagreements(condition, ["${a:w}", "ann", ""], deny=deny, dynamic=False) == []


UNREAD = [
    ("NumericEquals", "5"),
    ("Bool", "true"),
    ("IpAddress", "10.0.0.1"),
    ("BinaryEquals", "QUI="),
    ("DateEquals", "2026-01-01T00:00:00Z"),
]


@pytest.mark.parametrize(("operator", "value"), UNREAD)
def test_only_texts_have_variables(operator: str, value: str) -> None:
    for deny in (False, True):
        assert disagreements(Condition(operator, "a:k", (f"{value}${{a:w}}",)), [value, ""], deny=deny) == []


OF_USER = {"aws:PrincipalArn": ARN, "aws:PrincipalAccount": "111122223333", "aws:PrincipalType": "User", "aws:username": "ann"}
OF_TEXTS = [
    f"{before}{operator}"
    for operator in OPERATORS
    if operator.startswith(("String", "Arn"))
    for before in ("", "ForAnyValue:", "ForAllValues:")
]


@pytest.mark.parametrize("name", OF_USER)
@pytest.mark.parametrize("operator", OF_TEXTS)
def test_keys_that_the_principal_determines(operator: str, name: str) -> None:
    own, key = OF_USER[name], name.lower()
    for values in ([own], ["x"], ["*"], [f"{own[:2]}*", "arn:aws:iam::*:user/b*"], [own.upper()]):
        for deny in (False, True):
            condition = Condition(operator, name, tuple(values))
            formula = conditions.of(condition, of(condition), deny=deny, dynamic=True)
            test = evaluated.compiled(condition, deny=deny, dynamic=True).test
            for asked in (Asked("user", ARN, keys={key: own}), Asked("service", "sns.amazonaws.com")):
                assert asked.meets(formula) is test(policy.Context(asked.keys)), (condition, deny, asked.kind)


KEYS = {
    "of nobody": (["a:k"], [("StringEquals", 1)], Key("a:k")),
    "of nobody, asked twice": (["a:k"], [("StringEquals", 2)], Key("a:k")),
    "with a quantifier": (["a:k"], [("ForAnyValue:StringEquals", 1)], Key("a:k", 2, listed=True)),
    "with a quantifier, twice": (["A:K"], [("ForAllValues:StringEquals", 2)], Key("a:k", 3, listed=True)),
    "of one value": (["aws:SourceVpc"], [("StringEquals", 1)], Key("aws:sourcevpc")),
    "of one value, with a quantifier": (["aws:SourceVpc"], [("ForAnyValue:StringEquals", 1)], Key("aws:sourcevpc")),
    "of several": (["aws:TagKeys"], [("StringEquals", 1)], Key("aws:tagkeys", 2, single=False, listed=True)),
    "of several, often": (["aws:TagKeys"], [("StringEquals", 9)], Key("aws:tagkeys", 8, single=False, listed=True)),
    "with a quantifier, often": (["a:k"], [("ForAllValues:StringEquals", 9)], Key("a:k", 8, listed=True)),
    "of the principal": (["aws:PrincipalArn"], [("ForAnyValue:StringEquals", 1)], Key("aws:principalarn")),
    "with no such operator": (["a:k"], [("ForNoValue:StringEquals", 1)], Key("a:k")),
}  # fmt: skip


@pytest.mark.parametrize("name", KEYS)
def test_places(name: str) -> None:
    (key,), ((operator, times),), expected = KEYS[name]
    program = policy.compiled(document(*[allow(condition={operator: {key: "x"}})] * times))
    assert Context([program]).keys == {expected.name: expected}
    assert Context([program]).key(expected.name) == expected


@pytest.mark.parametrize(
    ("times", "operator", "whole"),
    [(7, "ForAnyValue:StringEquals", True), (8, "ForAnyValue:StringEquals", False), (9, "StringEquals", True)],
)
def test_a_context_is_whole(times: int, operator: str, whole: bool) -> None:
    assert Context([policy.compiled(document(*[allow(condition={operator: {"a:k": "x"}})] * times))]).is_whole is whole


def test_a_key_that_nobody_asks_for_has_one_place() -> None:
    context = Context([])
    assert context.is_whole
    assert context.key("a:k") == Key("a:k")
    assert context.key("aws:tagkeys") == Key("aws:tagkeys", 2, single=False, listed=True)
    assert context.key("a:k") is context.keys["a:k"]


def test_keys_that_follow_are_read_as_text() -> None:
    context = Context([])
    assert context.read(context.key("aws:username"), 0, "text") == "key aws:username 0"
    with pytest.raises(TooHard, match="`aws:username` is asked with an operator that is not one for text or ARNs"):
        context.read(context.key("aws:username"), 0, "number")


IMPOSSIBLE = {
    "an identity's key without an account": Asked("service", keys={"aws:principalorgid": "o-1"}),
    "a tag without an account": Asked("anonymous", keys={"aws:principaltag/team": "a"}),
    "paths without an account": Asked("federated", keys={"aws:principalorgpaths": ("o-1/r-1/",)}),
    "a source identity without an account": Asked("service", keys={"aws:sourceidentity": "a"}),
    "a user id without an account": Asked("service", keys={"aws:userid": "a"}),
    "no user id": Asked("user", user_id="AIDAONE"),
}
USED = ["aws:PrincipalOrgID", "aws:PrincipalTag/team", "aws:PrincipalOrgPaths", "aws:SourceIdentity", "aws:userid"]


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_requests_that_there_cannot_be(name: str) -> None:
    rules = Context([policy.compiled(document(*(allow(condition={"StringEquals": {key: "x"}}) for key in USED)))]).rules()
    assert not all(map(IMPOSSIBLE[name].meets, rules))
    assert all(map(Asked("service").meets, rules))
    assert all(map(Asked("user", user_id="a", keys={"aws:userid": "a", "aws:principalorgpaths": ("o-1/r-1/",)}).meets, rules))


def test_the_clock_and_the_owner_are_always_there() -> None:
    assert {
        name for name in ("aws:currenttime", "aws:epochtime", "aws:resourceaccount", "a:k") if Key(name).absent == FALSE
    } == contexts.ALWAYS
    assert {"aws:currenttime", "aws:epochtime", "aws:resourceaccount"} == contexts.ALWAYS


@pytest.mark.parametrize(
    ("value", "is_told"),
    [
        ("9" * 30, True),
        ("9" * 31, False),
        ("0." + "0" * 29 + "1", True),
        ("0." + "0" * 30 + "1", False),
        ("1E+29", True),
        ("1E+30", False),
        ("0E+90", True),
    ],
)
def test_numbers_that_are_translated(value: str, is_told: bool) -> None:
    condition = Condition("NumericEquals", "a:k", (value,))
    if is_told:
        assert Asked(keys={"a:k": value}).meets(translated(condition))
    else:
        with pytest.raises(TooHard, match=r"the number .* is too large, or too fine, to be translated"):
            translated(condition)


ARN_OF_WORD = "arn:aws:iam::111122223333:user/${a:w}"
OF_PRINCIPAL = {
    "a name": ("StringEquals", "aws:username", "${a:w}", True),
    "a name that is not": ("StringNotEquals", "aws:username", "${a:w}", True),
    "a name in any case": ("StringEqualsIgnoreCase", "aws:username", "${a:w}", False),
    "a name by a pattern": ("StringLike", "aws:username", "${a:w}", False),
    "a name by a part": ("StringEquals", "aws:username", "x${a:w}", False),
    "a name by what follows": ("StringEquals", "aws:username", "${a:w}x", False),
    "a name by two": ("StringEquals", "aws:username", "${a:w}${a:v}", False),
    "a name with a default": ("StringEquals", "aws:username", "${a:w, 'x'}", False),
    "a name that is another key of the principal": ("StringEquals", "aws:username", "${aws:PrincipalArn}", False),
    "an ARN": ("StringEquals", "aws:PrincipalArn", ARN_OF_WORD, True),
    "an ARN by a pattern": ("StringLike", "aws:PrincipalArn", ARN_OF_WORD, True),
    "an ARN, by its own operator": ("ArnLike", "aws:PrincipalArn", ARN_OF_WORD, True),
    "an ARN that is not": ("ArnNotLike", "aws:PrincipalArn", ARN_OF_WORD, False),
}  # fmt: skip


@pytest.mark.parametrize("name", OF_PRINCIPAL)
def test_variables_beside_keys_of_the_principal(name: str) -> None:
    operator, key, value, is_told = OF_PRINCIPAL[name]
    condition = Condition(operator, key, (value,))
    if is_told:
        translated(condition)
    else:
        with pytest.raises(TooHard, match=r"compared with (a )?variable|, which the principal determines, too"):
            translated(condition)


def test_an_arn_that_is_another_key_s_value() -> None:
    condition = Condition("StringEquals", "aws:PrincipalArn", (ARN_OF_WORD, "x"))
    formula = translated(condition)
    assert [Asked("user", ARN, keys={"a:w": word}).meets(formula) for word in ("ann", "bob")] == [True, False]
    assert not Asked("service", ARN, keys={"a:w": "ann"}).meets(formula)


def test_arns_beside_variables_are_too_hard_where_doubt_decides() -> None:
    condition = Condition("ArnLike", "a:k", (ARN_OF_WORD,))
    with pytest.raises(TooHard, match=r"^ARNs that are compared with variables, where doubt decides, are not translated$"):
        conditions.of(condition, of(condition), deny=True, dynamic=True)
    assert disagreements(condition, [ARN, OTHER, "x", ""], deny=False) == []
