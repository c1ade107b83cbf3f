"""Policies of what was used: what they say, and that they allow all of it and nothing else."""

import json
import random
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from typing import Any

import pytest

from sekisho import policy
from sekisho.analysis.generation import Used, filled, generate
from sekisho.policy import validate

ACCOUNT, OTHER, REGION = "111122223333", "444455556666", "eu-central-1"
WHO = policy.Principal("user", f"arn:aws:iam::{ACCOUNT}:user/ann", ACCOUNT)


@dataclass(frozen=True)
class Action:
    name: str
    resources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Service:
    actions: list[Action] = field(default_factory=list)


def used(action: str, resource: str, times: int = 1) -> Used:
    segments = resource.split(":", 5)
    account, region = (segments[4], segments[3]) if len(segments) == 6 else ("", "")
    return Used(action, resource, account or ACCOUNT, region or REGION, times)


def order(name: str) -> str:
    return f"arn:aws:shop:{REGION}:{ACCOUNT}:order/{name}"


def statements(document: str) -> Any:
    return json.loads(document)["Statement"]


@lru_cache(maxsize=1)
def attached(document: str) -> policy.Attached:
    """The policy, which is asked about many requests one after the other."""
    return policy.Attached(policy.compile_policy(policy.parse(document)), name="generated")


def is_allowed(document: str, action: str, resource: str) -> bool:
    request = policy.Request(WHO, action, resource, ACCOUNT, policy.context({}))
    return policy.decide(request, policy.Layers(identity=(attached(document),))).allowed


CASES: dict[str, tuple[list[Used], Any]] = {
    "one_use": (
        [used("shop:Ship", order("17"))],
        [{"Effect": "Allow", "Action": "shop:Ship", "Resource": order("17")}],
    ),
    "actions_on_the_same_resources_share_a_statement": (
        [used("shop:Ship", order("17")), used("shop:Get", order("17")), used("shop:Get", order("18")), used("shop:List", order("17"))],
        [
            {"Effect": "Allow", "Action": "shop:Get", "Resource": [order("17"), order("18")]},
            {"Effect": "Allow", "Action": ["shop:List", "shop:Ship"], "Resource": order("17")},
        ],
    ),
    "an_action_in_two_spellings_is_one": (
        [used("shop:ship", order("17")), used("shop:Ship", order("17"))],
        [{"Effect": "Allow", "Action": "shop:Ship", "Resource": order("17")}],
    ),
    "what_is_no_arn_is_everything": (
        [used("shop:Ship", "order/17"), used("shop:Ship", order("17"))],
        [{"Effect": "Allow", "Action": "shop:Ship", "Resource": "*"}],
    ),
    "wildcards_of_a_resource_are_characters": (
        [used("shop:Get", order("a*b?c${d"))],
        [{"Effect": "Allow", "Action": "shop:Get", "Resource": order("a${*}b${?}c${$}{d")}],
    ),
    "nothing_was_used": (
        [],
        [{"Sid": "NothingWasUsed", "Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"}],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_says_what_was_used(name: str) -> None:
    given, expected = CASES[name]
    document = generate(given, {})
    assert statements(document) == expected
    validate.check(document, validate.Kind.MANAGED)


def test_the_order_of_uses_makes_no_difference() -> None:
    given = [used(f"shop:Do{number % 3}", order(str(number % 5))) for number in range(15)]
    assert generate(given, {}) == generate(reversed(given), {})


def test_an_action_that_takes_no_resource_has_none() -> None:
    definitions = {"shop": Service([Action("ListOrders"), Action("Get", ("order",))])}
    document = generate([used("shop:listorders", order("17")), used("shop:Get", order("17"))], definitions)
    assert statements(document) == [
        {"Effect": "Allow", "Action": "shop:Get", "Resource": order("17")},
        {"Effect": "Allow", "Action": "shop:listorders", "Resource": "*"},
    ]


def test_wildcards_stand_only_where_they_are_told() -> None:
    given = [
        *(used("shop:Get", order(name)) for name in ("17", "18", "eu/19")),
        used("shop:Ship", order("17")),
        used("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:first"),
        used("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:second"),
        used("lambda:Invoke", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:a"),
        used("lambda:Invoke", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:b"),
    ]
    assert "*" not in generate(given, {})
    assert statements(generate(given, {}, generalize=True)) == [
        {"Effect": "Allow", "Action": "lambda:Invoke", "Resource": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:*"},
        {"Effect": "Allow", "Action": "shop:Get", "Resource": order("*")},
        {"Effect": "Allow", "Action": "shop:Ship", "Resource": order("17")},
        {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": f"arn:aws:sqs:{REGION}:{ACCOUNT}:*"},
    ]


def test_parameters_stand_for_account_and_region() -> None:
    given = [used("shop:Get", order("17")), Used("shop:Get", f"arn:aws:shop:us-east-1:{OTHER}:order/1", ACCOUNT, REGION, 1)]
    template = generate(given, {}, parameters=True)
    assert statements(template) == [
        {
            "Effect": "Allow",
            "Action": "shop:Get",
            "Resource": ["arn:aws:shop:${Region}:${Account}:order/17", f"arn:aws:shop:us-east-1:{OTHER}:order/1"],
        }
    ]
    assert is_allowed(filled(template, account=ACCOUNT, region=REGION), "shop:Get", order("17"))
    assert not is_allowed(filled(template, account=OTHER, region=REGION), "shop:Get", order("17"))


ACTIONS = ("shop:Get", "shop:Ship", "shop:List", "iam:GetUser", "SHOP:get")
RESOURCES = (
    *(order(name) for name in ("17", "18", "eu/19", "*", "a?b", "${aws:username}", "$", "x${*}")),
    f"arn:aws:iam::{ACCOUNT}:user/ann",
    "arn:aws:s3:::bucket/a/b",
    "arn:aws:s3:::bucket",
    "*",
    "order/17",
)


@pytest.mark.parametrize("seed", range(200))
@pytest.mark.parametrize(("generalize", "parameters"), [(False, False), (True, False), (False, True), (True, True)])
def test_replayed_uses_are_allowed_and_others_are_not(seed: int, generalize: bool, parameters: bool) -> None:
    chance = random.Random(seed)
    given = [used(chance.choice(ACTIONS), chance.choice(RESOURCES)) for _ in range(chance.randint(1, 8))]
    document = generate(given, {}, generalize=generalize, parameters=parameters)
    document = filled(document, account=ACCOUNT, region=REGION)
    assert all(is_allowed(document, one.action, one.resource) for one in given), document
    if generalize:
        return
    observed = {(one.action.lower(), one.resource) for one in given}
    everywhere = {action for action, resource in observed if not resource.startswith("arn:")}
    for action, resource in product(ACTIONS, RESOURCES):
        wanted = (action.lower(), resource) in observed or action.lower() in everywhere
        assert is_allowed(document, action, resource) is wanted, (action, resource, document)


def test_every_permission_was_used() -> None:
    chance = random.Random(7)
    given = [used(chance.choice(ACTIONS), order(str(chance.randint(1, 40)))) for _ in range(300)]
    pairs = {(one.action.lower(), one.resource) for one in given}
    said = [
        (action.lower(), resource)
        for statement in statements(generate(given, {}))
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
        for resource in ([statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"])
    ]
    assert sorted(said) == sorted(pairs)


def test_what_was_asked_with_a_wildcard_becomes_no_pattern() -> None:
    document = generate([used("orders:*", order("1")), used("orders:Sh?p", order("1")), used("orders:Get", order("1"))], {})
    assert [one["Action"] for one in statements(document)] == ["orders:Get"]
    assert not is_allowed(generate([used("orders:*", order("1"))], {}), "orders:Ship", order("1"))
