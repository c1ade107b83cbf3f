"""What the layers of named policies come to, and the limits of plans."""

import json
from dataclasses import replace
from typing import Any

import pytest

from sekisho import policy
from sekisho.policy import residual
from sekisho.policy.residual import ANY, RUN, Inexpressible, Resources
from tests.policy.residual.written import (
    ANN,
    BLUE,
    IS_BLUE,
    IS_RED,
    RED,
    ROOT,
    SCOPE,
    SERVICE,
    arn_like,
    attached,
    condition,
    every,
    full,
    no,
    of_resource,
    planned,
    some,
    statement,
    tag_in,
)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (policy.Layers(), False),
        (policy.Layers((full(), attached(statement("Deny", RED)))), no(IS_RED)),
        (policy.Layers((attached(statement(when=RED)),), boundary=(attached(statement(when=BLUE)),)), every(IS_RED, IS_BLUE)),
        (policy.Layers((attached(statement(when=RED)),), boundary=()), False),
        (
            policy.Layers((full(),), session=(attached(statement(when=RED)), attached(statement(when=BLUE)))),
            tag_in("blue", "red"),
        ),
        (policy.Layers((full(),), boundary=(full(), attached(statement("Deny", RED)))), no(IS_RED)),
        (policy.Layers((full(),), scps=((full(),), (attached(statement(when=RED)),))), IS_RED),
        (policy.Layers((full(),), scps=((full(),), ())), False),
        (policy.Layers((full(),), scps=((full(), attached(statement("Deny", RED))), (full(),))), no(IS_RED)),
        (
            policy.Layers((full(),), rcps=((of_resource(statement("Deny", RED)),), (of_resource(statement("Deny", BLUE)),))),
            no(tag_in("blue", "red")),
        ),
        (
            policy.Layers((attached(statement(when=RED)),), of_resource(statement(when=BLUE))),
            tag_in("blue", "red"),
        ),
        (policy.Layers((attached(statement(when=RED)),), of_resource(statement("Deny", BLUE))), every(no(IS_BLUE), IS_RED)),
        (policy.Layers((), of_resource(statement(when=BLUE), who={"AWS": "111122223333"})), False),
        (policy.Layers((), of_resource(statement(when=BLUE), who={"AWS": ANN.arn}), boundary=()), IS_BLUE),
        (policy.Layers((), of_resource(statement(when=BLUE)), boundary=()), False),
        (policy.Layers((), of_resource(statement(when=BLUE)), boundary=(attached(statement(when=RED)),)), every(IS_BLUE, IS_RED)),
        (policy.Layers((), of_resource(statement(when=BLUE), who={"AWS": "arn:aws:iam::111122223333:user/ben"})), False),
        (policy.Layers((full(),), attached({**statement("Deny", RED), "NotPrincipal": {"AWS": [ANN.arn, "111122223333"]}})), True),
        (
            policy.Layers(
                (full(),), attached({**statement("Deny", RED), "NotPrincipal": {"AWS": [ANN.arn, "111122223333"]}}), boundary=(full(),)
            ),
            no(IS_RED),
        ),
        (policy.Layers((full(),), attached(statement("Deny", RED))), no(IS_RED)),
        (policy.Layers((of_resource(statement(when=RED)),)), False),
    ],
    ids=[
        *(
            "nothing",
            "deny",
            "boundary",
            "no_boundary_policy",
            "session",
            "deny_in_the_boundary",
            "scps",
            "silent_scp",
            "deny_in_an_scp",
            "rcps",
        ),
        *(
            "union",
            "deny_of_the_resource",
            "account_only_delegates",
            "the_user_itself",
            "everybody_within_the_boundary",
            "both",
            "another_user",
        ),
        *("spared", "spared_but_bounded", "deny_that_names_nobody", "allow_of_the_wrong_kind"),
    ],
)
def test_layers(layers: policy.Layers, expected: Any) -> None:
    assert json.loads(residual.to_json(planned(layers)))["condition"] == expected


def test_across_accounts_both_must_allow() -> None:
    layers = policy.Layers((attached(statement(when=RED)),), of_resource(statement(when=BLUE), who={"AWS": ANN.arn}))
    assert json.loads(residual.to_json(planned(layers, owner="444455556666")))["condition"] == every(IS_BLUE, IS_RED)
    assert planned(replace(layers, resource=None), owner="444455556666").condition is False
    assert planned(policy.Layers((full(),), of_resource(statement())), owner="444455556666").condition is True


def test_outsiders_have_the_policy_of_the_resource_alone() -> None:
    layers = policy.Layers((full(),), of_resource(statement(when=BLUE), who={"Service": SERVICE.arn}), scps=((),))
    assert json.loads(residual.to_json(planned(layers, SERVICE)))["condition"] == IS_BLUE
    assert planned(replace(layers, resource=None), SERVICE).condition is False


def test_the_root_user_assumes_no_role() -> None:
    layers = policy.Layers(
        (attached({"Effect": "Allow", "Action": "*", "Resource": "*"}),), attached({"Effect": "Allow", "Action": "*", "Principal": "*"})
    )
    assert planned(layers, ROOT, action="sts:AssumeRole", scopes=(("arn:aws:iam::111122223333:role/", ANY),)).condition is False
    assert planned(layers, ANN, action="sts:AssumeRole", scopes=(("arn:aws:iam::111122223333:role/", ANY),)).condition is True
    assert planned(layers, ROOT, action="orders:Get").condition is True


@pytest.mark.parametrize(
    ("action", "scope", "expected"),
    [
        ("kms:Decrypt", ("arn:aws:kms:eu:111122223333:key/", ANY), False),
        ("kms:Decrypt", ("arn:aws:kms:eu:111122223333:alias/", ANY), True),
        ("KMS:Decrypt", ("arn:aws:kms:eu:111122223333:", ANY), no(arn_like("arn:aws:kms:eu:111122223333:key/", ANY))),
        ("sts:TagSession", ("arn:aws:iam::111122223333:role/", ANY), False),
        ("sts:TagSession", ("arn:aws:iam::111122223333:user/", ANY), True),
        ("sts:AssumeRoleX", ("arn:aws:orders::111122223333:x/", ANY), False),
        ("orders:Get", ("arn:aws:kms:eu:111122223333:key/", ANY), True),
    ],
)
def test_what_a_policy_of_the_resource_must_allow(action: str, scope: residual.Shape, expected: Any) -> None:
    layers = policy.Layers((attached({"Effect": "Allow", "Action": "*", "Resource": "*"}),))
    found = planned(layers, action=action, scopes=(scope,)).condition
    if isinstance(expected, bool):
        assert found is expected
    else:
        assert residual.allows(residual.Plan((scope,), found), "arn:aws:kms:eu:111122223333:alias/a", {})
        assert not residual.allows(residual.Plan((scope,), found), "arn:aws:kms:eu:111122223333:key/a", {})


def test_everybody_may_ask_who_they_are() -> None:
    assert planned(policy.Layers(), action="sts:getCallerIdentity").condition is True
    assert planned(policy.Layers(), policy.Principal("anonymous", "", ""), action="sts:GetCallerIdentity").condition is False


def test_tags_of_a_service_are_the_same_tags() -> None:
    when = {"StringEquals": {"orders:ResourceTag/team": "red"}, "StringNotEquals": {"aws:ResourceTag/team": "blue"}}
    assert condition(statement(when=when), prefixes=("aws", "orders")) == every(IS_RED, no(IS_BLUE))


def test_kinds() -> None:
    assert planned(policy.Layers((full(),))).kind is residual.Kind.ALWAYS_ALLOWED
    assert planned(policy.Layers()).kind is residual.Kind.ALWAYS_DENIED
    assert planned(policy.Layers((attached(statement(when=RED)),))).kind is residual.Kind.CONDITIONAL


def test_several_scopes() -> None:
    scopes: tuple[residual.Shape, ...] = (SCOPE, ("arn:aws:parcels::111122223333:", ANY))
    both = statement(on=["arn:aws:orders:*", "arn:aws:parcels:*"])
    assert condition(both, scopes=scopes) == some(arn_like("arn:aws:orders:", ANY), arn_like("arn:aws:parcels:", ANY))
    assert condition(statement(on="arn:aws:*"), scopes=scopes) is True
    assert condition(statement(on="arn:aws:shelves:*"), scopes=scopes) is False
    plan = planned(policy.Layers((full(),)), scopes=scopes)
    arns = ("arn:aws:orders:eu:111122223333:order/1", "arn:aws:parcels::111122223333:x", "arn:aws:parcels::1:x")
    assert [residual.allows(plan, arn, {}) for arn in arns] == [True, True, False]
    with pytest.raises(ValueError, match="matches what is not an ARN"):
        Resources((SCOPE, ("arn:aws:", RUN)))


def test_what_takes_too_long_to_decide_is_not_allowed() -> None:
    """Two hundred patterns that are matched character by character: no decision has the time for long ARNs."""
    slow = attached(*(statement(on=f"arn:aws:orders:*:111122223333:order/*{n}?x*y") for n in range(200)), statement())
    plan = planned(policy.Layers((slow,)))
    assert 100 < plan.longest < 2_048
    request = policy.Request(ANN, "orders:Get", "", "111122223333", policy.Context({}))
    for length, allowed in ((plan.longest, True), (plan.longest + 1, False)):
        arn = "arn:aws:orders:eu:111122223333:order/".ljust(length, "z")
        assert policy.decide(replace(request, resource=arn), policy.Layers((slow,))).allowed is allowed
        assert residual.allows(plan, arn, {}) is allowed
    assert planned(policy.Layers((slow,) * 60)).kind is residual.Kind.ALWAYS_DENIED


def test_limits() -> None:
    with pytest.raises(Inexpressible, match="501 policies apply; at most 500 are allowed"):
        planned(policy.Layers((full(),) * 501))
    with pytest.raises(Inexpressible, match="the action has 300 characters"):
        planned(policy.Layers((full(),)), action="orders:" + "x" * 293)
    many = [statement(on=[f"arn:aws:orders:eu:111122223333:order/{n}-{m}*" for m in range(100)]) for n in range(21)]
    with pytest.raises(Inexpressible, match="the condition has 2101 parts; at most 2000 are said"):
        condition(*many)
    again = [statement("Deny", on=[f"arn:aws:orders:eu:111122223333:order/{m}*" for m in range(100)], Sid=f"s{n}") for n in range(201)]
    with pytest.raises(Inexpressible, match="the policies come to more than 20000 conditions"):
        condition(*again)
    assert condition(*again[:190], statement()) == condition(again[0], statement())
    asked: list[int] = []
    layers = policy.Layers((attached(*many[:3]),))
    residual.plan(policy.Request(ANN, "orders:Get", "", "1", {}), layers, Resources((SCOPE,)), lambda: asked.append(1))
    assert len(asked) == 3, "once a statement"


def test_resources_that_no_plan_is_about() -> None:
    plan = planned(policy.Layers((full(),)))
    for arn, tags in (
        ("arn:aws:orders:eu:111122223333:order/" + "x" * 2048, {}),
        ("arn:aws:orders:eu:111122223333:order/1", {f"k{n}": "v" for n in range(51)}),
        ("arn:aws:orders:eu:111122223333:order/1", {"k" * 129: "v"}),
        ("arn:aws:orders:eu:111122223333:order/1", {"k": "v" * 257}),
        ("arn:aws:orders:eu:111122223333:order/1", {"k": "v", "K": "v"}),
    ):
        with pytest.raises(ValueError, match=r"at most|twice"):
            residual.allows(plan, arn, tags)
