"""How one group of policies stands towards a request, whatever the other layers say."""

from typing import Any

import pytest

from sekisho import policy
from sekisho.policy import keys
from sekisho.policy.layers import Layer, Outcome

HOME = "111122223333"
ALICE = policy.Principal("user", f"arn:aws:iam::{HOME}:user/alice", HOME)
THING = f"arn:aws:orders:eu-west-1:{HOME}:order/17"
ALLOWED, IMPLICIT, EXPLICIT = Outcome.ALLOWED, Outcome.IMPLICITLY_DENIED, Outcome.EXPLICITLY_DENIED


def attached(*statements: dict[str, Any], name: str = "") -> policy.Attached:
    full = [{"Effect": "Allow", "Action": "*", "Resource": "*", **statement} for statement in statements]
    return policy.Attached(policy.compile_policy(policy.from_json({"Version": "2012-10-17", "Statement": full})), name=name)


def request(resource: str = THING, **context: Any) -> policy.Request:
    return policy.Request(ALICE, "orders:Ship", resource, HOME, keys.context(context))


def named(matches: tuple[policy.Match, ...]) -> list[tuple[str, int]]:
    return [(match.attached.name, match.statement.index) for match in matches]


def test_all_statements_that_match_are_told_in_order() -> None:
    group = (
        attached({"Action": "s3:*"}, {}, {"Effect": "Deny", "Condition": {"Bool": {"k:b": "true"}}}, name="a"),
        attached({"Resource": THING}, {"Effect": "Deny", "Condition": {"Null": {"k:b": "false"}}}, {}, name="b"),
    )
    found = policy.standing(group, request())
    assert (found.outcome, named(found.denies), named(found.allows), found.error) == (ALLOWED, [], [("a", 1), ("b", 0), ("b", 2)], "")
    found = policy.standing(group, request(**{"k:b": "true"}))
    assert (found.outcome, named(found.denies), named(found.allows)) == (EXPLICIT, [("a", 2), ("b", 1)], [("a", 1), ("b", 0), ("b", 2)])
    assert {match.layer for match in found.denies + found.allows} == {Layer.IDENTITY}


def test_nothing_that_matches_is_an_implicit_denial() -> None:
    for group in ((), (attached({"Action": "s3:*"}),), (attached({"Principal": "*"}),)):
        assert policy.standing(group, request()) == policy.Standing((), (), "")
        assert policy.standing(group, request()).outcome is IMPLICIT


def test_the_principal_and_the_resource_say_their_own_keys() -> None:
    group = (attached({"Condition": {"StringEquals": {"aws:PrincipalArn": ALICE.arn, "aws:ResourceAccount": HOME}}}),)
    assert policy.standing(group, request()).outcome is ALLOWED


RESOURCE: dict[str, tuple[dict[str, Any], bool, Outcome]] = {
    "named": ({"Principal": {"AWS": ALICE.arn}}, False, ALLOWED),
    "by_account": ({"Principal": {"AWS": HOME}}, False, ALLOWED),
    "another": ({"Principal": {"AWS": "444455556666"}}, False, IMPLICIT),
    "an_allow_that_names_nobody": ({}, False, IMPLICIT),
    "a_deny_that_names_nobody": ({"Effect": "Deny"}, False, EXPLICIT),
    "a_deny_that_names_another": ({"Effect": "Deny", "Principal": {"AWS": "444455556666"}}, False, IMPLICIT),
    "a_deny_that_spares": ({"Effect": "Deny", "NotPrincipal": {"AWS": [ALICE.arn, HOME]}}, False, IMPLICIT),
    "a_deny_that_spares_nobody_within_a_boundary": ({"Effect": "Deny", "NotPrincipal": {"AWS": [ALICE.arn, HOME]}}, True, EXPLICIT),
}


@pytest.mark.parametrize("layer", [Layer.RESOURCE, Layer.TRUST, Layer.RCP])
@pytest.mark.parametrize(("statement", "bounded", "outcome"), RESOURCE.values(), ids=RESOURCE.keys())
def test_policies_of_resources_say_whom_they_mean(statement: dict[str, Any], outcome: Outcome, layer: Layer, *, bounded: bool) -> None:
    found = policy.standing((attached(statement),), request(), layer=layer, bounded=bounded)
    assert (found.outcome, found.error) == (outcome, "")
    assert {match.layer for match in found.denies + found.allows} <= {layer}


def test_what_cannot_be_told_is_an_implicit_denial() -> None:
    """A request that is too long, and policies that could take too long."""
    assert policy.standing((attached({}),), request("x" * 8193)).error == (
        "TooMuchWork: the resource has 8193 characters; at most 8192 are allowed"
    )
    large = policy.Request(ALICE, "orders:Ship", THING, HOME, {f"k:{i}": "x" for i in range(513)})
    assert policy.standing((attached({}),), large).error == "ValidationError: a context has 513 condition keys; at most 512 are allowed"
    slow = attached(*({"Effect": "Deny", "Condition": {"StringLike": {"k:e": f"*?{i}" * 400}}} for i in range(40)))
    found = policy.standing((attached({}), slow), request(**{"k:e": "?" * 8000}))
    assert found == policy.Standing(error="TooMuchWork: the policies could take too long for a request of this size")
    assert found.outcome is IMPLICIT


def test_keys_that_statements_about_the_action_ask_for() -> None:
    """As documented, each once; a key that the request has, or implies, is not lacking."""
    group = (
        attached(
            {"Condition": {"Bool": {"aws:securetransport": "true", "k:Present": "true"}}, "Resource": "${aws:userName}"},
            {"Action": "s3:*", "Condition": {"Bool": {"k:other": "true"}}},
            {"Condition": {"StringEquals": {"AWS:SecureTransport": "true", "aws:PrincipalArn": "${k:Team}"}}},
        ),
    )
    assert policy.lacked(policy.asked_keys(group, "orders:ship"), request(**{"k:present": "true"})) == (
        "aws:SecureTransport",
        "aws:username",
        "k:team",
    )
