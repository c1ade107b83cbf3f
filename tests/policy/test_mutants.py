"""Cases for faults that other tests did not notice."""

import dataclasses
import json
import random
from typing import Any

import pytest

from sekisho import policy
from sekisho.policy import conditions, evaluate, index, keys, patterns
from sekisho.policy.compile import Program, compile_policy, compiled
from sekisho.policy.document import Condition, from_json


def program(statements: list[dict[str, Any]], *, indexed: bool = True) -> Program:
    return compile_policy(from_json({"Version": "2012-10-17", "Statement": statements}), indexed=indexed)


def side_of(made: Program, *, deny: bool = False) -> index.Side:
    """The rules of one effect about s3:GetObject."""
    denies, allows, _ = made.identity_bucket("s3:GetObject")
    side = denies if deny else allows
    assert side is not None
    return side


def matching(made: Program, context: dict[str, Any], *, deny: bool) -> list[int]:
    """The indexes of the statements about s3:GetObject that match."""
    side = side_of(made, deny=deny)
    built = keys.context(context)
    found = [rule.statement.index for rule in evaluate.matching(side, "arn:aws:s3:::b/k", built)]
    assert (evaluate.first(side, "arn:aws:s3:::b/k", built) is not None) is bool(found)
    return found


ASKED: dict[str, tuple[list[str], list[Any]]] = {  # operator: listed values, values of the request
    "StringLike": (["*a*", "*b*", "*ab*", "*?*", "${k:v}*"], ["a", "xabx", "", "c", ["a", "b"], []]),
    "StringEqualsIgnoreCase": (["A", "b", "AB"], ["a", "B", "ab", "c", ["a", "B"]]),
    "NumericLessThan": (["1", "2.5", "none"], ["0", "2", "3", "many", ["0", "3"]]),
    "DateGreaterThan": (["2024-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "soon"], ["2025-01-01T00:00:00Z", "now", "2027-01-01T00:00:00Z"]),
    "Bool": (["true", "false", "perhaps"], ["true", "FALSE", "maybe", ["true", "false"]]),
    "ArnLike": (["arn:aws:sns:*:*:a*", "arn:aws:sqs:*:*:*", "a*"], ["arn:aws:sns:x:y:ab", "arn:aws:sqs:x:y:z", "a"]),
    "NumericLessThanIfExists": (["1", "2.5"], ["0", "2", "3"]),
    "StringNotLike": (["*a*", "*b*"], ["a", "c", ["a", "c"]]),
    "ForAnyValue:StringLike": (["*a*", "*b*"], ["a", "c", ["a", "c"], []]),
}


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
@pytest.mark.parametrize("seed", range(4))
def test_what_cannot_be_looked_up_is_asked_alike_with_and_without_indexes(seed: int, effect: str) -> None:
    """Sixty statements with conditions that have no text or range to be found by; contexts with every kind of value."""
    chance = random.Random(seed)
    operators = list(ASKED)
    statements: list[dict[str, Any]] = []
    for _ in range(60):
        operator = chance.choice(operators)
        listed = chance.sample(ASKED[operator][0], chance.choice([1, 1, 2]))
        statements.append({"Effect": effect, "Action": "s3:*", "Resource": "*", "Condition": {operator: {f"k:{operator}": listed}}})
        if chance.random() < 0.3:
            statements[-1]["Condition"]["StringNotEquals"] = {"k:other": "x"}
        if chance.random() < 0.3:
            statements[-1]["Resource"] = chance.choice(["*b/k", "*c", "*"])
    fast, plain = program(statements), program(statements, indexed=False)
    assert len(side_of(fast, deny=effect == "Deny")[2]) > 0
    for _ in range(80):
        context = {f"k:{operator}": chance.choice(ASKED[operator][1]) for operator in operators if chance.random() < 0.8}
        context.update({key: chance.choice(["x", "y"]) for key in ("k:other", "k:v") if chance.random() < 0.8})
        assert matching(fast, context, deny=effect == "Deny") == matching(plain, context, deny=effect == "Deny")


def test_conditions_that_are_alike_are_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    make = conditions.compiled

    def counting(condition: Condition, *, deny: bool, dynamic: bool) -> conditions.Compiled:
        made = make(condition, deny=deny, dynamic=dynamic)
        fits = made.fits
        assert fits is not None

        def counted(value: str) -> bool:
            asked.append(value)
            return fits(value)

        return made._replace(fits=counted)

    monkeypatch.setattr(conditions, "compiled", counting)
    statements = [
        {"Effect": "Allow", "Action": "s3:*", "Resource": f"*{i}", "Condition": {"StringLike": {"k:t": f"*{i % 3}*"}}} for i in range(30)
    ]
    assert matching(program(statements), {"k:t": "x2x"}, deny=False) == []
    assert asked == ["x2x"] * 6  # three conditions, by `matching` and by `first`


def test_few_statements_are_not_gathered() -> None:
    """Below the number that an index is worth, and where nothing is demanded, statements stay one after another."""
    few = [{"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"StringLike": {"k:t": f"*{i}*"}}} for i in range(7)]
    side = side_of(program(few))
    assert (len(side[2]), len(side[3])) == (0, 7)
    mixed = few + [{"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"Bool": {f"k:{i}": "true"}}} for i in range(20)]
    side = side_of(program(mixed))
    assert (len(side[2]), len(side[3])) == (0, 27)
    side = side_of(program([*mixed, {**few[0], "Condition": {"StringLike": {"k:t": "*7*"}}}]))
    assert [(pivot[0], pivot[1], len(pivot[3])) for pivot in side[2]] == [("k:t", None, 8)]
    assert len(side[3]) == 20


HOME = "111122223333"


@pytest.mark.parametrize("key", ["k:text", "k:end", "k:within", "k:net"])
def test_rules_that_only_lack_their_condition_are_found_behind_every_index(key: str) -> None:
    """What covers a resource is asked without a context: an index by conditions must not hide what they rule out."""
    listed = {"k:text": "StringEquals v{}", "k:end": "StringLike *v{}", "k:within": "StringLike *v{}*", "k:net": "IpAddress 10.{}.0.0/16"}
    operator, _, value = listed[key].partition(" ")
    made = program(
        [
            {
                "Effect": "Allow",
                "Action": "s3:*",
                "Resource": "*" if i % 3 else "arn:aws:s3:::none",
                "Condition": {operator: {key: value.format(i)}},
            }
            for i in range(30)
        ]
    )
    side = side_of(made)
    assert {pivot[0] for pivot in side[2]} == {key}
    found = [rule.statement.index for rule in evaluate.covering(side, "arn:aws:s3:::b/k", keys.context({}))]
    assert sorted(found) == [i for i in range(30) if i % 3]


def test_what_covers_a_resource_however_it_is_told() -> None:
    resources = [
        "*",
        "arn:aws:s3:::b/k",
        "arn:aws:s3:::b/*",
        "arn:aws:s3:::*k",
        "arn:aws:s3:::?/k",
        "*x",
        "arn:aws:s3:::${k:v}/k",
        "arn:aws:s3:::${k:n}x",
    ]
    made = program([{"Effect": "Allow", "Action": "s3:*", "Resource": resource} for resource in resources])
    found = evaluate.covering(side_of(made), "arn:aws:s3:::b/k", keys.context({"k:v": "b"}))
    assert sorted(rule.statement.index for rule in found) == [0, 1, 2, 3, 4, 6, 7]  # of the last nobody knows


def test_a_statement_that_covers_twice_is_found_once() -> None:
    made = program([{"Effect": "Allow", "Action": "s3:*", "Resource": ["arn:aws:s3:::b/*", "arn:aws:s3:::b/k", "*k"]}])
    assert [rule.statement.index for rule in evaluate.covering(side_of(made), "arn:aws:s3:::b/k", keys.context({}))] == [0]


SLOW = {  # pattern: whether it takes a step a character, whether three thousand of them are too much for a long resource
    "arn:aws:s3:::b{}/*": (False, False),
    "arn:aws:s3:::*b{}": (False, False),
    "arn:aws:s3:::*a{}*b*c": (False, True),
    "arn:aws:s3:::b{}?": (False, False),
    "arn:aws:*:*:*:b{}/*": (False, True),
    "arn:aws:s3:::*x{}:y": (True, True),
    "arn:aws:s3:::*?x{}": (True, True),
    "arn:aws:s?:::x{}": (True, True),
    "*x{}:y": (True, True),
}


@pytest.mark.parametrize(("pattern", "slow", "refused"), [(pattern, *expected) for pattern, expected in SLOW.items()])
def test_patterns_that_read_every_character_are_known(pattern: str, *, slow: bool, refused: bool) -> None:
    """Thousands of them are not asked: the decision is a denial that says why."""
    assert patterns.is_slow(patterns.tokens(pattern.format(1))) is slow
    made = program([{"Effect": "Allow", "Action": "*", "Resource": [pattern.format(i) for i in range(3000)]}])
    alice = policy.Principal("user", f"arn:aws:iam::{HOME}:user/alice", HOME)
    asked = policy.Request(alice, "s3:GetObject", "arn:aws:s3:::" + "a" * 1900, HOME, keys.context({}))
    decision = policy.decide(asked, policy.Layers(identity=(policy.Attached(made),)))
    assert decision.error.startswith("TooMuchWork: ") is refused


def test_the_role_of_a_session() -> None:
    session = policy.Principal("assumed-role", f"arn:aws:sts::{HOME}:assumed-role/app/s:t", HOME)
    assert session.entity_arn == f"arn:aws:iam::{HOME}:role/app"
    kim = f"arn:aws:sts::{HOME}:federated-user/kim"
    assert dataclasses.replace(session, arn=kim).entity_arn == kim
    assert dataclasses.replace(session, arn="no-arn").entity_arn == "no-arn"


def test_an_empty_name_spares_nobody() -> None:
    """A Deny but for a provider without a name hits those that have none."""
    made = program([{"Effect": "Deny", "Action": "*", "Resource": "*", "NotPrincipal": {"Federated": ["", "accounts.google.com"]}}])
    grantees = made.rules[0].grantees
    assert grantees is not None
    assert grantees.denies(policy.Principal("anonymous", "", ""), bounded=False)
    assert not grantees.denies(policy.Principal("federated", "", "", provider="accounts.google.com"), bounded=False)


def test_a_star_among_services_spares_no_user() -> None:
    """As a Principal of a Deny it hits everybody, as a NotPrincipal it spares nobody who is no service."""
    alice = policy.Principal("user", f"arn:aws:iam::{HOME}:user/alice", HOME)
    for element, hit in (("Principal", True), ("NotPrincipal", True)):
        grantees = program([{"Effect": "Deny", "Action": "*", "Resource": "*", element: {"Service": "*"}}]).rules[0].grantees
        assert grantees is not None
        assert grantees.denies(alice, bounded=False) is hit


PRESENCE = [  # effect, listed words, whether it holds without the key, whether with it
    ("Allow", ["false", "perhaps"], False, True),
    ("Allow", ["true", "perhaps"], True, False),
    ("Allow", ["perhaps"], False, False),
    ("Deny", ["false", "perhaps"], True, True),
    ("Deny", ["true", "perhaps"], True, True),
    ("Deny", ["perhaps"], True, True),
    ("Deny", ["true"], True, False),
]


@pytest.mark.parametrize(("effect", "listed", "absent", "present"), PRESENCE)
def test_presence_with_a_word_that_nobody_can_read(effect: str, listed: list[str], *, absent: bool, present: bool) -> None:
    """What can be read decides; the rest allows nothing and denies."""
    made = program([{"Effect": effect, "Action": "*", "Resource": "*", "Condition": {"Null": {"k:e": listed}}}])
    assert (matching(made, {}, deny=effect == "Deny") == [0]) is absent
    assert (matching(made, {"k:e": "x"}, deny=effect == "Deny") == [0]) is present


@pytest.mark.parametrize(
    ("pattern", "fitting", "others"),
    [
        ("arn:aws:s3:::b/${k:v}/*", ["arn:aws:s3:::b/al/", "arn:aws:s3:::b/al/x"], ["arn:aws:s3:::b/al", "arn:aws:s3:::b/alx/y"]),
        ("arn:aws:s3:::${k:v}*", ["arn:aws:s3:::al", "arn:aws:s3:::alx"], ["arn:aws:s3:::a", "arn:aws:s3:::"]),
        ("${k:v}", ["al"], ["", "alx"]),
        ("${k:v}*", ["al", "alx"], ["", "a"]),
        ("*${k:v}", ["al", "xal"], ["", "alx"]),
        ("${k:v}/*/x*", ["al/b/x", "al/b/xy"], ["al/x", "ax/b/x"]),
    ],
)
def test_resources_with_a_variable(pattern: str, fitting: list[str], others: list[str]) -> None:
    covers = program([{"Effect": "Allow", "Action": "*", "Resource": pattern}]).rules[0].covers_resource
    context = keys.context({"k:v": "al"})
    assert [text for text in (*fitting, *others) if covers(text, context)] == fitting


def test_statements_are_gathered_by_their_rarest_condition() -> None:
    common, rare = {"Bool": {"k:common": "true"}}, [{"StringLike": {"k:rare": f"*{i}*"}} for i in range(20)]
    statements = [{"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {**common, **condition}} for condition in rare]
    assert [pivot[0] for pivot in side_of(program(statements))[2]] == ["k:rare"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a", True), ("c", False), ("xax", False), (["b", "a"], True), (["b", "c"], False), ([], False)],
    ids=["one", "other", "within", "among", "none_of", "empty"],
)
def test_a_deny_of_the_callers_own_name(value: Any, *, expected: bool) -> None:
    made = program([{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"k:e": "${k:v}"}}}])
    assert (matching(made, {"k:e": value, "k:v": "a"}, deny=True) == [0]) is expected


def test_a_trust_policy_is_about_every_resource() -> None:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}
    assert program([statement]).rules[0].covers_resource("anything", keys.context({}))


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_an_address_that_nobody_can_read_behind_an_index(effect: str) -> None:
    """In doubt a Deny holds, found by an index or not."""
    statements = [
        {"Effect": effect, "Action": "*", "Resource": "*", "Condition": {"IpAddress": {"k:i": f"10.{i}.0.0/16"}}} for i in range(20)
    ]
    made = program(statements)
    deny = effect == "Deny"
    assert len(side_of(made, deny=deny)[2]) == 1
    assert matching(made, {"k:i": "10.7.0.1"}, deny=deny) == [7]
    assert matching(made, {"k:i": "nonsense"}, deny=deny) == (list(range(20)) if deny else [])
    assert matching(made, {"k:i": ["10.7.0.1", "10.8.0.1"]}, deny=deny) == ([7, 8] if deny else [])
    assert matching(made, {}, deny=deny) == []


def test_a_canonical_id_is_not_everybody() -> None:
    grantees = program([{"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": {"CanonicalUser": "c1"}}]).rules[0].grantees
    assert grantees is not None
    alice = policy.Principal("user", f"arn:aws:iam::{HOME}:user/al", HOME, canonical="c1")
    assert [grantees.grant(dataclasses.replace(alice, canonical=canonical)) > 0 for canonical in ("c1", "c2", "")] == [True, False, False]


def test_each_prefix_knows_the_longest_that_it_begins_with() -> None:
    listed = ["a", "ab", "abc", "ac", "acd", "b"]
    made = program([{"Effect": "Allow", "Action": "*", "Resource": f"{prefix}*"} for prefix in listed])
    starts, nodes = side_of(made)[1]
    assert starts == tuple(listed)
    assert [up for _, _, up in nodes] == [-1, 0, 1, 0, 3, -1]


@pytest.mark.parametrize(
    ("pattern", "others"), [("arn:aws:s3:::b?*", ["arn:aws:s3:::b"]), ("arn:aws:s3:::b${k:v}*", ["arn:aws:s3:::b", "arn:aws:s3:::bx"])]
)
def test_what_stands_between_a_prefix_and_a_star(pattern: str, others: list[str]) -> None:
    """The index knows the beginning alone; what follows is still asked."""
    made = program([{"Effect": "Allow", "Action": "*", "Resource": pattern}])
    context = keys.context({"k:v": "al"})
    assert evaluate.first(side_of(made), "arn:aws:s3:::bal", context) is not None
    assert evaluate.first(side_of(made), "arn:aws:s3:::balx", context) is not None
    assert [text for text in others if evaluate.first(side_of(made), text, context) is not None] == []


def test_a_document_asked_again_is_forgotten_last(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [json.dumps({"Statement": {"Sid": sid, "Effect": "Allow", "Action": "*", "Resource": "*"}}) for sid in ("LruA", "LruB", "LruC")]
    compiled(json.dumps({"Statement": {"Sid": "LruZ", "Effect": "Allow", "Action": "*", "Resource": "*"}}))
    monkeypatch.setattr("sekisho.policy.compile.MAX_CACHED_CHARACTERS", 2 * len(texts[0]))
    first, second = compiled(texts[0]), compiled(texts[1])
    assert compiled(texts[0]) is first
    compiled(texts[2])
    assert compiled(texts[0]) is first
    assert compiled(texts[1]) is not second


def test_a_canonical_id_stands_for_its_account_among_the_spared() -> None:
    """NotPrincipal spares a user that is listed together with its account, by number or by canonical id."""
    alice = policy.Principal("user", f"arn:aws:iam::{HOME}:user/al", HOME, canonical="c1")
    for listed, spared in (({"CanonicalUser": "c1"}, True), ({"CanonicalUser": "c2"}, False), ({}, False)):
        element = {"AWS": alice.arn, **listed}
        grantees = program([{"Effect": "Deny", "Action": "*", "Resource": "*", "NotPrincipal": element}]).rules[0].grantees
        assert grantees is not None
        assert grantees.denies(alice, bounded=False) is not spared


def test_a_variable_with_a_value_leaves_nothing_open() -> None:
    """What covers is undecided only while a variable lacks its value."""
    made = program([{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::${k:v}"}])
    for context, found in (({"k:v": "b"}, [0]), ({"k:v": "other"}, []), ({}, [0])):
        covered = evaluate.covering(side_of(made), "arn:aws:s3:::b", keys.context(context))
        assert [rule.statement.index for rule in covered] == found
