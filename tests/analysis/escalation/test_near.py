"""Near misses and near hits that the methods have in common: what a method needs beside permissions, and how far permissions reach."""

from dataclasses import replace

import pytest

from tests.analysis.escalation.scenes import (
    ADMIN,
    LAMBDA,
    ME,
    POWER,
    admin_user,
    admin_with_a_password,
    admin_with_two_keys,
    alone,
    outcomes,
    run_by,
    with_a_policy,
)
from tests.analysis.escalation.worlds import EVERYTHING, IAM, NOBODY, One, World, allow, deny, trust

MISSES: dict[str, World] = {
    "a policy of AWS's has no versions of ours": World(users={"mallory": One([allow("iam:CreatePolicyVersion")])}, policies=POWER),
    "a key of a user who has two": admin_with_two_keys([allow("iam:CreateAccessKey")]),
    "an exchange of keys that are not there": admin_user([allow("iam:DeleteAccessKey")]),
    "a first password of who has one": admin_with_a_password([allow("iam:CreateLoginProfile")]),
    "another password of who has none": admin_user([allow("iam:UpdateLoginProfile")]),
    "another user's own policies": World(
        users={"mallory": One([allow("iam:PutUserPolicy", on=f"{IAM}user/ben")]), "ben": One([allow("a:B")])}, policies=POWER
    ),
    "no policy that is worth attaching": World(users={"mallory": One([allow("iam:AttachUserPolicy")])}, policies={"some": [allow("a:*")]}),
    "another policy than the one that may be attached": alone(
        [allow("iam:AttachUserPolicy", when={"ArnNotEquals": {"iam:PolicyARN": f"{IAM}policy/all"}})]
    ),
    "a group of others": World(
        users={"mallory": One([allow("iam:PutGroupPolicy")]), "ben": One(groups=["staff"])}, groups={"staff": ([], [])}, policies=POWER
    ),
    "a group without power": World(users={"mallory": One([allow("iam:AddUserToGroup")])}, groups={"staff": ([allow("a:B")], [])}),
    "an older version without power": replace(with_a_policy([allow("iam:SetDefaultPolicyVersion")]), older={"mine": [[allow("a:C")]]}),
    "five versions, and none may be deleted": replace(
        with_a_policy([allow("iam:CreatePolicyVersion")]), older={"mine": [[allow("a:C")]] * 4}
    ),
    "a trust policy that names another user": World(
        users={"mallory": One([allow("sts:AssumeRole")]), "ben": One()}, roles={"admin": One([EVERYTHING], trust=trust(AWS="user/ben"))}
    ),
    "a trust policy with a condition that the account cannot meet": World(
        users={"mallory": One([allow("sts:AssumeRole")])},
        roles={
            "admin": One(
                [EVERYTHING],
                trust={
                    "Version": "2012-10-17",
                    "Statement": [trust(AWS=f"{IAM}root")["Statement"][0] | {"Condition": {"StringEquals": {"sts:ExternalId": "secret"}}}],
                },
            )
        },
    ),
    "a trust policy to be changed, and an explicit deny of assuming": World(
        users={"mallory": One([allow("iam:UpdateAssumeRolePolicy"), deny("sts:AssumeRole")])}, roles={"admin": ADMIN}
    ),
    "power within a boundary": World(
        users={"mallory": One([allow("iam:PutUserPolicy")], boundary="bound")},
        policies={"bound": [allow("iam:PutUserPolicy", "s3:*")], **POWER},
    ),
    "a service-linked role": World(
        users={"mallory": One([allow("iam:UpdateAssumeRolePolicy"), allow("sts:AssumeRole")])},
        roles={"linked": One([EVERYTHING], path="/aws-service-role/x.amazonaws.com/", trust=trust(AWS=f"{IAM}root"))},
    ),
    "functions in two places": run_by(LAMBDA)(
        [
            allow("iam:PassRole"),
            allow("lambda:CreateFunction", on="arn:aws:lambda:*:*:function:dev-a"),
            allow("lambda:InvokeFunction", on="arn:aws:lambda:*:*:function:prod-*"),
        ]
    ),
    "functions that a Deny takes away": run_by(LAMBDA)(
        [
            allow("iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"),
            deny("lambda:InvokeFunction", on="arn:aws:lambda:*:*:function:*"),
        ]
    ),
    "nobody who trusts": World(users={"mallory": One([allow("sts:AssumeRole")])}, roles={"admin": One([EVERYTHING], trust=NOBODY)}),
}


@pytest.mark.parametrize("name", MISSES)
def test_near_misses(name: str) -> None:
    assert list(outcomes(MISSES[name])) == []


NEAR_HITS: dict[str, tuple[World, list[tuple[str, str]]]] = {
    "five versions, of which one may be deleted": (
        replace(
            with_a_policy([allow("iam:CreatePolicyVersion", "iam:DeletePolicyVersion", on=f"{IAM}policy/mine")]),
            older={"mine": [[allow("a:C")]] * 4},
        ),
        [("iam:CreatePolicyVersion", ME)],
    ),
    "a policy that may be attached by its name": (
        alone([allow("iam:AttachUserPolicy", on=f"{IAM}user/${{aws:username}}", when={"ArnLike": {"iam:PolicyARN": f"{IAM}policy/a*"}})]),
        [("iam:AttachUserPolicy", ME)],
    ),
    "functions whose names fit two patterns": (
        run_by(LAMBDA)(
            [
                allow("iam:PassRole"),
                allow("lambda:CreateFunction", on="arn:aws:lambda:*:*:function:dev-*"),
                allow("lambda:InvokeFunction", on="arn:aws:lambda:*:*:function:*-run"),
            ]
        ),
        [("iam:PassRole + lambda:CreateFunction + lambda:InvokeFunction", "role/admin")],
    ),
    "a region of one's own": (
        run_by(LAMBDA)(
            [
                allow("iam:PassRole"),
                allow("lambda:CreateFunction", "lambda:InvokeFunction", when={"StringEquals": {"aws:RequestedRegion": "eu-north-1"}}),
            ]
        ),
        [("iam:PassRole + lambda:CreateFunction + lambda:InvokeFunction", "role/admin")],
    ),
    "a user by its tags": (
        World(
            users={
                "mallory": One([allow("iam:CreateAccessKey", when={"StringEquals": {"aws:ResourceTag/team": "ops"}})]),
                "admin": One([EVERYTHING], tags={"team": "ops"}),
            }
        ),
        [("iam:CreateAccessKey", "user/admin")],
    ),
    "regions that an SCP closes to everybody": (
        replace(
            alone([allow("iam:PutUserPolicy")]),
            scps=[
                EVERYTHING,
                {
                    "Effect": "Deny",
                    "NotAction": ["iam:*", "sts:*"],
                    "Resource": "*",
                    "Condition": {"StringNotEquals": {"aws:RequestedRegion": "eu-central-1"}},
                },
            ],
        ),
        [("iam:PutUserPolicy", ME)],
    ),
}


@pytest.mark.parametrize("name", NEAR_HITS)
def test_near_hits(name: str) -> None:
    world, expected = NEAR_HITS[name]
    assert list(outcomes(world)) == expected
