"""Programs: which statements they find for an action, with and without their indexes, and what they remember."""

import json
import random
from typing import Any

import pytest

from sekisho.errors import MalformedPolicyDocument
from sekisho.policy import compile as compiling
from sekisho.policy import evaluate, keys
from sekisho.policy.compile import Program, compile_policy, compiled
from sekisho.policy.document import from_json


def program(*statements: dict[str, Any], indexed: bool = True, version: str = "2012-10-17") -> Program:
    return compile_policy(from_json({"Version": version, "Statement": list(statements)}), indexed=indexed)


def found(made: Program, action: str, resource: str, context: dict[str, Any] | None = None, *, effect: str = "Allow") -> list[int]:
    """The indexes of the statements that match, as the policy of an identity."""
    deny, allow, _ = made.identity_bucket(action)
    side = deny if effect == "Deny" else allow
    if side is None:
        return []
    built = keys.context(context or {})
    matching = [rule.statement.index for rule in evaluate.matching(side, resource, built)]
    assert (evaluate.first(side, resource, built) is not None) is bool(matching)
    return matching


ACTIONS: dict[str, tuple[dict[str, Any], str, bool]] = {
    "exact": ({"Action": "s3:GetObject"}, "s3:GetObject", True),
    "any_case": ({"Action": "S3:getobject"}, "s3:GetObject", True),
    "request_in_any_case": ({"Action": "s3:GetObject"}, "S3:GETOBJECT", True),
    "other": ({"Action": "s3:GetObject"}, "s3:GetObjectAcl", False),
    "prefix": ({"Action": "s3:Get*"}, "s3:GetObject", True),
    "middle": ({"Action": "s3:*Object*"}, "s3:GetObjectAcl", True),
    "one_character": ({"Action": "s3:GetObjec?"}, "s3:GetObject", True),
    "service": ({"Action": "s3:*"}, "s3:GetObject", True),
    "other_service": ({"Action": "s3:*"}, "sqs:GetObject", False),
    "everything": ({"Action": "*"}, "s3:GetObject", True),
    "a_star_does_not_cross_the_colon": ({"Action": "s*GetObject"}, "s3:GetObject", False),
    "a_star_in_the_service": ({"Action": "s*:GetObject"}, "s3:GetObject", True),
    "a_star_in_the_service_of_others": ({"Action": "s*:GetObject"}, "ec2:GetObject", False),
    "a_star_in_the_service_stays_before_the_colon": ({"Action": "s*:Object"}, "s3:Get:Object", False),
    "a_colon_in_the_name": ({"Action": "s3:Get:*"}, "s3:Get:Object", True),
    "any_service": ({"Action": "*:Get*"}, "sqs:GetQueueUrl", True),
    "no_colon_and_nothing_else": ({"Action": "~"}, "s3:GetObject", False),
    "no_colon": ({"Action": "s3"}, "s3:GetObject", False),
    "several": ({"Action": ["sqs:*", "s3:Get*"]}, "s3:GetObject", True),
    "not_action": ({"NotAction": "iam:*"}, "s3:GetObject", True),
    "not_action_named": ({"NotAction": ["iam:*", "s3:Get*"]}, "s3:GetObject", False),
    "not_everything": ({"NotAction": "*"}, "s3:GetObject", False),
    "an_action_without_a_service": ({"Action": "s3:*"}, "GetObject", False),
    "everything_without_a_service": ({"Action": "*"}, "GetObject", True),
}


@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize(("element", "action", "expected"), ACTIONS.values(), ids=ACTIONS.keys())
def test_actions(element: dict[str, Any], action: str, *, expected: bool, indexed: bool) -> None:
    made = program({"Effect": "Allow", "Resource": "*", **element}, indexed=indexed)
    assert found(made, action, "arn:aws:s3:::a") == ([0] if expected else [])


RESOURCES: dict[str, tuple[dict[str, Any], str, bool]] = {
    "exact": ({"Resource": "arn:aws:s3:::a"}, "arn:aws:s3:::a", True),
    "exact_in_another_case": ({"Resource": "arn:aws:s3:::A"}, "arn:aws:s3:::a", False),
    "prefix": ({"Resource": "arn:aws:s3:::a/*"}, "arn:aws:s3:::a/b", True),
    "prefix_of_another": ({"Resource": "arn:aws:s3:::a/*"}, "arn:aws:s3:::ab", False),
    "middle": ({"Resource": "arn:aws:s3:::a/*.txt"}, "arn:aws:s3:::a/b.txt", True),
    "suffix": ({"Resource": "*.txt"}, "arn.txt", True),
    "second_of_two": ({"Resource": ["arn:aws:s3:::b", "arn:aws:s3:::a*"]}, "arn:aws:s3:::ab", True),
    "not_resource": ({"NotResource": "arn:aws:s3:::b"}, "arn:aws:s3:::a", True),
    "not_resource_named": ({"NotResource": ["arn:aws:s3:::b", "arn:aws:s3:::a*"]}, "arn:aws:s3:::ab", False),
    "not_everything": ({"NotResource": "*"}, "arn:aws:s3:::a", False),
    "variable": ({"Resource": "arn:aws:s3:::a/${aws:username}/*"}, "arn:aws:s3:::a/al*ce/x", True),
    "variable_is_literal": ({"Resource": "arn:aws:s3:::a/${aws:username}/*"}, "arn:aws:s3:::a/alice/x", False),
    "variable_at_the_end": ({"Resource": "arn:aws:s3:::a/${aws:username}"}, "arn:aws:s3:::a/al*ce", True),
    "variable_and_wildcards": ({"Resource": "arn:aws:s3:::*/${aws:username}/?*.txt"}, "arn:aws:s3:::a/al*ce/x.txt", True),
    "variable_alone": ({"Resource": "${k:arn}"}, "arn:aws:s3:::a", True),
    "variable_without_value": ({"Resource": "arn:aws:s3:::a/${k:none}"}, "arn:aws:s3:::a/${k:none}", False),
    "literal_star": ({"Resource": "arn:aws:s3:::${*}"}, "arn:aws:s3:::a", False),
    "star_of_an_action_without_resources": ({"Resource": "*"}, "*", True),
    "arn_for_an_action_without_resources": ({"Resource": "arn:aws:s3:::a"}, "*", False),
    "not_arn_for_an_action_without_resources": ({"NotResource": "arn:aws:s3:::a"}, "*", True),
}


@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize("effect", ["Allow", "Deny"])
@pytest.mark.parametrize(("element", "resource", "expected"), RESOURCES.values(), ids=RESOURCES.keys())
def test_resources(element: dict[str, Any], resource: str, effect: str, *, expected: bool, indexed: bool) -> None:
    made = program({"Effect": effect, "Action": "*", **element}, indexed=indexed)
    context = {"aws:username": "al*ce", "k:arn": "arn:aws:s3:::a"}
    assert found(made, "s3:GetObject", resource, context, effect=effect) == ([0] if expected else [])


# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html, "Policy variables with no value"
WITHOUT_VALUE: dict[str, tuple[dict[str, Any], list[int], list[int]]] = {  # what an Allow and what a Deny says about arn:aws:s3:::a
    "alone": ({"Resource": "arn:aws:s3:::${k:none}"}, [], []),
    "beside_another": ({"Resource": ["arn:aws:s3:::a", "${k:none}"]}, [0], [0]),
    "beside_a_star": ({"Resource": ["${k:none}", "*"]}, [0], [0]),
    "not_resource": ({"NotResource": "arn:aws:s3:::${k:none}"}, [], [0]),
    "not_resource_beside_another": ({"NotResource": ["arn:aws:s3:::${k:none}", "arn:aws:s3:::b"]}, [], [0]),
    "not_resource_beside_one_that_spares": ({"NotResource": ["arn:aws:s3:::${k:none}", "arn:aws:s3:::a"]}, [], []),
}


@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize(("element", "allowed", "denied"), WITHOUT_VALUE.values(), ids=WITHOUT_VALUE.keys())
def test_a_variable_without_a_value(element: dict[str, Any], allowed: list[int], denied: list[int], *, indexed: bool) -> None:
    for effect, expected in (("Allow", allowed), ("Deny", denied)):
        made = program({"Effect": effect, "Action": "*", **element}, indexed=indexed)
        assert found(made, "s3:GetObject", "arn:aws:s3:::a", {}, effect=effect) == expected


def test_older_documents_take_variables_literally() -> None:
    made = program({"Effect": "Allow", "Action": "*", "Resource": "a/${aws:username}"}, version="2008-10-17")
    assert found(made, "s3:GetObject", "a/${aws:username}", {"aws:username": "x"}) == [0]
    assert found(made, "s3:GetObject", "a/x", {"aws:username": "x"}) == []


def test_an_identity_needs_a_resource_and_names_nobody() -> None:
    made = program(
        {"Effect": "Allow", "Action": "*"},
        {"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*"},
        {"Effect": "Deny", "Action": "*"},
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Principal": {"AWS": "111122223333"}},
    )
    assert found(made, "s3:GetObject", "x") == []
    assert found(made, "s3:GetObject", "x", effect="Deny") == [2, 3]


def test_a_resource_needs_somebody_named() -> None:
    made = program({"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": "*", "Resource": "*"})
    deny, allow, _ = made.resource_bucket("s3:GetObject")
    assert allow is None
    assert deny is not None


def random_statement(rnd: random.Random, i: int) -> dict[str, Any]:
    bucket = f"arn:aws:s3:::b{rnd.randrange(6)}"
    resource = rnd.choice([bucket, f"{bucket}/*", f"{bucket}/*/x", f"*/{i % 3}", "*", f"{bucket}/${{aws:username}}", "arn:aws:s3:::b?/*"])
    conditions: list[dict[str, Any]] = [
        {},
        {"StringEquals": {"aws:PrincipalTag/team": rnd.choice(["red", "blue", ["red", "green"], "${k:team}"])}},
        {"IpAddress": {"aws:SourceIp": rnd.choice(["10.0.0.0/8", "10.1.0.0/16", ["10.2.0.0/16", "11.0.0.0/8"], "x"])}},
        {"StringNotEquals": {"aws:PrincipalTag/team": "red"}, "IpAddress": {"aws:SourceIp": "10.0.0.0/9"}},
        {"StringLike": {"aws:PrincipalTag/team": "r*"}},
        {"StringLike": {"aws:PrincipalTag/team": rnd.choice(["*ed", "b*e", "*", "*e*", ["gr*", "red"], "?ed"])}},
        {"StringLike": {"aws:PrincipalTag/team": "*d"}, "StringEquals": {"aws:username": "al"}},
        {"Null": {"aws:SourceIp": "true"}},
    ]
    return {
        "Effect": rnd.choice(["Allow", "Allow", "Deny"]),
        rnd.choice(["Action", "Action", "Action", "NotAction"]): rnd.choice(["s3:Get*", "s3:*", "s3:GetObject", ["s3:Put*", "sqs:*"], "*"]),
        rnd.choice(["Resource", "Resource", "Resource", "NotResource"]): resource,
        "Condition": rnd.choice(conditions),
    }


@pytest.mark.parametrize("seed", range(6))
def test_indexes_change_nothing(seed: int) -> None:
    """The same statements match with the indexes and without, for each effect."""
    rnd = random.Random(seed)
    for size in (3, 60):
        statements = [random_statement(rnd, i) for i in range(size)]
        fast, plain = program(*statements), program(*statements, indexed=False)
        for _ in range(60):
            context: dict[str, Any] = {"aws:username": "al"}
            if rnd.random() < 0.8:
                context["aws:PrincipalTag/team"] = rnd.choice(["red", "blue", "green", ["red", "blue"], []])
            if rnd.random() < 0.8:
                context["aws:SourceIp"] = rnd.choice(["10.1.2.3", "10.2.0.1", "11.0.0.1", "::1", "nonsense", ["10.1.2.3", "::1"]])
            action = rnd.choice(["s3:GetObject", "s3:getobject", "s3:PutObject", "sqs:Send", "x"])
            resource = f"arn:aws:s3:::b{rnd.randrange(7)}" + rnd.choice(["", "/a", "/a/x", "/al", "/1", "/0"])
            for effect in ("Allow", "Deny"):
                assert found(fast, action, resource, context, effect=effect) == found(plain, action, resource, context, effect=effect)


def test_prefixes_of_many_lengths_are_told_apart() -> None:
    made = program(*({"Effect": "Allow", "Action": "s3:*", "Resource": f"arn:aws:s3:::{'b' * i}/*"} for i in range(1, 60)))
    for i in range(1, 60):
        assert found(made, "s3:GetObject", f"arn:aws:s3:::{'b' * i}/k") == [i - 1]


NESTED = ("a", "ab", "abc", "abd", "b", "ba", "bab", "c/", "c/d/", "c/e/")


@pytest.mark.parametrize(
    "key", ["", "a", "aa", "ab", "abb", "abc", "abcd", "abd", "abe", "b", "bab", "bac", "bb", "c", "c/", "c/d", "c/d/x", "c/z", "d"]
)
def test_prefixes_of_prefixes(key: str) -> None:
    """All that a resource begins with are found, whatever stands between them in order."""
    statements = [{"Effect": "Allow", "Action": "s3:*", "Resource": f"arn:aws:s3:::b/{prefix}*"} for prefix in NESTED]
    expected = [i for i, prefix in enumerate(NESTED) if key.startswith(prefix)]
    for shuffled in (statements, statements[::-1], statements[1::2] + statements[::2]):
        made = program(*shuffled)
        assert sorted(statements.index(shuffled[i]) for i in found(made, "s3:GetObject", f"arn:aws:s3:::b/{key}")) == expected


def test_conditions_are_looked_up() -> None:
    tags = ({"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"StringEquals": {"k:e": f"t{i}"}}} for i in range(50))
    nets = (
        {
            "Effect": "Allow",
            "Action": "s3:*",
            "Resource": "*",
            "Condition": {"IpAddress": {"k:i": f"10.{i}.0.0/16"}, "StringEquals": {"k:s": "x"}},
        }
        for i in range(50)
    )
    made = program(*tags, *nets)
    side = made.identity_bucket("s3:GetObject")[1]
    assert side is not None
    assert len(side[2]) == 2
    assert side[3] == ()
    assert found(made, "s3:GetObject", "x", {"k:e": "t7"}) == [7]
    assert found(made, "s3:GetObject", "x", {"k:i": "10.3.0.1", "k:s": "x"}) == [53]
    assert found(made, "s3:GetObject", "x", {"k:i": "nonsense", "k:s": "x"}) == []
    assert found(made, "s3:GetObject", "x", {}) == []


def test_patterns_of_conditions_are_looked_up() -> None:
    made = program(
        *({"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"StringLike": {"k:e": f"*-{i}"}}} for i in range(50))
    )
    side = made.identity_bucket("s3:GetObject")[1]
    assert side is not None
    assert len(side[2]) == 2
    assert side[3] == ()
    assert found(made, "s3:GetObject", "x", {"k:e": "team-17"}) == [17]
    assert found(made, "s3:GetObject", "x", {"k:e": "team-1"}) == [1]
    assert found(made, "s3:GetObject", "x", {"k:e": "7"}) == []


def test_actions_are_remembered_up_to_a_limit() -> None:
    made = program({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    for i in range(compiling.MAX_ACTIONS + 10):
        assert made.identity_bucket(f"s3:Get{i}")[1] is not None
    assert len(made.identity) == 10
    assert len({id(bucket) for bucket in made.identity.values()}) == 1  # one bucket for all actions that the same statements cover
    made.identity_bucket("s3:" + "x" * 300)
    assert len(made.identity) == 10


def test_texts_are_compiled_once() -> None:
    text = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "orders:Once", "Resource": "*"}})
    assert compiled(text) is compiled(text)
    assert compiled(text) is not compiled(text + " ")


def test_malformed_texts_are_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(MalformedPolicyDocument):
            compiled('{"Statement": []}')


def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "MAX_CACHED_CHARACTERS", 2000)
    texts = [
        json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": f"orders:B{i}", "Resource": "*"}})
        for i in range(40)
    ]
    first = compiled(texts[0])
    for text in texts:
        compiled(text)
    assert compiled(texts[-1]) is compiled(texts[-1])
    assert compiled(texts[0]) is not first


KEYS = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "*",
            "Resource": ["arn:aws:s3:::${aws:username}/${aws:PrincipalTag/Team, 'none'}", "arn:aws:s3:::${*}"],
            "Condition": {
                "StringEquals": {"aws:ResourceTag/Team": "${aws:RequestTag/team}", "S3:Prefix": "a"},
                "Null": {"aws:TagKeys": "true"},
            },
        },
        {"Effect": "Deny", "Action": "*", "NotResource": "${aws:userid}", "Condition": {"StringLik": {"k:unknown": "${k:unread}"}}},
    ],
}


def test_a_program_says_which_keys_it_reads() -> None:
    assert compile_policy(from_json(KEYS)).keys == {
        "aws:username",
        "aws:principaltag/team",
        "aws:resourcetag/team",
        "aws:requesttag/team",
        "s3:prefix",
        "aws:tagkeys",
        "aws:userid",
        "k:unknown",
    }
    older = from_json({**KEYS, "Version": "2008-10-17"})
    assert compile_policy(older).keys == {"aws:resourcetag/team", "s3:prefix", "aws:tagkeys", "k:unknown"}
    assert program({"Effect": "Allow", "Action": "*", "Resource": "*"}).keys == set()


def test_a_program_keeps_the_text_that_it_was_compiled_from_and_its_hash() -> None:
    text = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "é"}]}\n'
    made = compiled(text)
    assert made.text == text
    assert made.hash == "1af27745e0c28fca2e83677e2533046f6de4345d69a41d457116de4370156305"
    unwritten = compile_policy(from_json(KEYS))
    assert (unwritten.text, unwritten.hash) == ("", "")
