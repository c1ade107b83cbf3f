"""Documents in which nothing is to be found; each stands close to a faulty one, on the right side of the line."""

from sekisho.policy.kinds import Kind
from tests.policy.documents import LIST, ROLE, managed, rcp, resource, statements, trust, when
from tests.policy.faults_of_form import MANAGED, RESOURCE, TRUST

FAULTLESS: dict[str, tuple[Kind, str]] = {
    "managed": (MANAGED, managed(Sid="List1")),
    "older_version_of_an_inline_policy": (Kind.IDENTITY, managed(Version="2008-10-17")),
    "rcp": (Kind.RCP, rcp(Condition=when("StringNotEqualsIfExists", "aws:PrincipalOrgID", "o-a1b2c3"))),
    "scp_that_allows_all": (Kind.SCP, managed(Action="*", Resource="*")),
    "just_small_enough": (MANAGED, managed(Action="s3:" + "A" * 6_000)),
    "two_sids": (MANAGED, statements(LIST | {"Sid": "a"}, LIST | {"Sid": "b", "Action": "s3:GetObject"})),
    "sid_in_a_resource_policy": (RESOURCE, resource(Sid="Let the reader read")),
    "wildcards_in_actions": (MANAGED, managed(Action=["s3:Get*", "s3:List?ucket", "our-service.x:*Thing"])),
    "access_point": (MANAGED, managed(Resource="arn:aws:s3:eu-west-1:111122223333:accesspoint/a")),
    "wildcard_fields": (MANAGED, managed(Resource="arn:aws:sqs:*:*:q")),
    "any_partition": (MANAGED, managed(Resource="arn:*:sqs:eu-west-1:111122223333:q")),
    "iam_policies_of_aws": (MANAGED, managed(Action="iam:GetPolicy", Resource="arn:aws:iam::aws:policy/*")),
    "trust_with_wildcard": (TRUST, trust(Action="sts:AssumeRole*")),
    "trust_in_saml": (
        TRUST,
        trust(Principal={"Federated": "arn:aws:iam::111122223333:saml-provider/corp"}, Action=["sts:AssumeRoleWithSAML", "sts:TagSession"]),
    ),
    "trust_in_an_audience": (
        TRUST,
        trust(
            Principal={"Federated": "arn:aws:iam::111122223333:oidc-provider/idp.example"},
            Action="sts:AssumeRoleWithWebIdentity",
            Condition=when("StringEquals", "idp.example:aud", "client"),
        ),
    ),
    "everyone_of_an_organization": (RESOURCE, resource(Principal="*", Condition=when("StringEquals", "aws:PrincipalOrgID", "o-a1b2c3"))),
    "denied_to_everyone_but": (RESOURCE, resource(Effect="Deny", Principal=None, NotPrincipal={"AWS": ROLE})),
    "service_for_one_source": (
        RESOURCE,
        resource(Principal={"Service": "logs.example"}, Condition=when("ArnLike", "aws:SourceArn", "arn:aws:logs:*:111122223333:*")),
    ),
    "operators_that_suit": (
        MANAGED,
        managed(
            Condition={
                "StringLike": {"aws:PrincipalTag/team": ["a*", "${aws:username}"]},
                "ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/a"},
                "DateLessThan": {"aws:CurrentTime": "2026-12-31T23:59:59Z"},
                "NumericLessThan": {"aws:MultiFactorAuthAge": 3600},
                "BoolIfExists": {"aws:MultiFactorAuthPresent": True},
                "NotIpAddress": {"aws:SourceIp": ["192.0.2.0/24", "2001:db8::/32", "192.0.2.1"]},
                "BinaryEquals": {"ours:key": "QmluYXJ5"},
                "Null": {"aws:TokenIssueTime": "false"},
                "ForAnyValue:StringEquals": {"aws:CalledVia": "a.example"},
                "ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]},
            }
        ),
    ),
    "literal_star_in_equals": (MANAGED, managed(Condition=when("StringEquals", "aws:username", "a${*}"))),
    "same_key_under_two_operators": (
        MANAGED,
        managed(Condition={"StringLike": {"aws:username": "a*"}, "StringNotEquals": {"AWS:Username": "admin"}}),
    ),
    "keys_of_a_service": (MANAGED, managed(Condition=when("StringEquals", "anything:Goes/here and there", "a"))),
    "variables": (MANAGED, managed(Resource="arn:aws:s3:::b/${aws:PrincipalTag/cost center, 'no}ne'}/${aws:userid}/${*}")),
    "variable_texts_in_the_older_version": (Kind.IDENTITY, managed(Version="2008-10-17", Resource="arn:aws:s3:::b/${name}")),
    "pass_one_role": (MANAGED, managed(Action="iam:PassRole", Resource="arn:aws:iam::111122223333:role/app-*")),
    "pass_any_role_to_one_service": (
        MANAGED,
        managed(Action="iam:PassRole", Resource="*", Condition=when("StringEquals", "iam:PassedToService", "ec2.amazonaws.com")),
    ),
    "deny_passing": (MANAGED, managed(Effect="Deny", Action="iam:*", Resource="*")),
    "not_action_without_iam": (MANAGED, managed(Action=None, NotAction=["iam:*"], Resource="*")),
    "create_one_service_linked_role": (
        MANAGED,
        managed(Action="iam:CreateServiceLinkedRole", Resource="arn:aws:iam::*:role/aws-service-role/ecs.example/*"),
    ),
    "deny_everything_but": (MANAGED, managed(Effect="Deny", Action=None, NotAction="s3:*", Resource=None, NotResource="arn:aws:s3:::b")),
    "actions_that_overlap": (MANAGED, managed(Action=["s3:Get*", "s3:*Object"])),
    "resources_that_differ_in_case": (MANAGED, managed(Resource=["arn:aws:s3:::A", "arn:aws:s3:::a"])),
    "resource_covered_but_for_a_colon": (MANAGED, managed(Resource=["arn:aws:logs:*:*:a*b", "arn:aws:logs:*:*:a:b"])),
    "denied_under_a_condition": (
        MANAGED,
        statements(LIST, LIST | {"Effect": "Deny", "Condition": when("Bool", "aws:SecureTransport", "false")}),
    ),
    "denied_in_part": (MANAGED, statements(LIST | {"Action": "s3:*"}, LIST | {"Effect": "Deny"})),
    "denied_to_others": (
        RESOURCE,
        statements(
            LIST | {"Principal": {"AWS": "111122223333"}},
            LIST | {"Effect": "Deny", "Principal": {"AWS": "444455556666"}},
        ),
    ),
    "denied_but_for_the_same": (MANAGED, statements(LIST, {"Effect": "Deny", "NotAction": "s3:List*", "Resource": "*"})),
    "the_same_for_another_tag": (
        MANAGED,
        statements(*(LIST | {"Condition": when("StringEquals", "aws:PrincipalTag/team", team)} for team in ("a", "b"))),
    ),
    "a_realistic_policy": (
        MANAGED,
        """{
          "Version": "2012-10-17",
          "Statement": [
            {"Sid": "ListOwnFolder", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::company",
             "Condition": {"StringLike": {"s3:prefix": ["", "home/", "home/${aws:username}/*"]}}},
            {"Sid": "UseOwnFolder", "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
             "Resource": ["arn:aws:s3:::company/home/${aws:username}", "arn:aws:s3:::company/home/${aws:username}/*"]},
            {"Sid": "ManageOwnKeys", "Effect": "Allow", "Action": ["iam:*AccessKey*", "iam:GetUser"],
             "Resource": "arn:aws:iam::*:user/${aws:username}"},
            {"Sid": "StartTagged", "Effect": "Allow", "Action": ["ec2:StartInstances", "ec2:StopInstances"],
             "Resource": "arn:aws:ec2:eu-west-1:111122223333:instance/*",
             "Condition": {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}},
            {"Sid": "DenyWithoutMfa", "Effect": "Deny", "NotAction": ["iam:GetUser", "sts:GetSessionToken"], "Resource": "*",
             "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}}
          ]
        }""",
    ),
}
