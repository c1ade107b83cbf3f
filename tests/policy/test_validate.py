"""Documents that AWS refuses, in its words, and documents that it takes.

The sentences are those that IAM answers; each document here is the smallest that earns its sentence.
"""

import pytest

from sekisho.errors import MalformedPolicyDocument
from sekisho.policy import validate
from sekisho.policy.validate import Kind
from tests.policy.documents import ROLE, managed, rcp, resource, statements, trust

SYNTAX = "Syntax errors in policy."
LEGACY = "The policy failed legacy parsing"
UNFIT = "The provided policy document does not meet the requirements of the specified policy type."
NO_VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
IAM_PATH = (
    'IAM resource path must either be "*" or start with user/, federated-user/, role/, group/, instance-profile/, mfa/, '
    "server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, access-report/."
)


def date(value: str) -> str:
    return managed(Condition={"DateLessThan": {"aws:CurrentTime": value}})


GOOD = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}

REFUSED_MANAGED = {
    "no_json": ("Statement", SYNTAX),
    "no_version": (managed(Version=None), "Policy document must be version 2012-10-17 or greater."),
    "older_version": (managed(Version="2008-10-17"), "Policy document must be version 2012-10-17 or greater."),
    "unknown_version": (managed(Version="2013-10-17"), SYNTAX),
    "principal": (managed(Principal="*"), "Policy document should not specify a principal."),
    "not_principal": (managed(NotPrincipal={"AWS": "111122223333"}), "Policy document should not specify a principal."),
    "no_action": (managed(Action=None), "Policy statement must contain actions."),
    "empty_action": (managed(Action=[]), "Policy statement must contain actions."),
    "no_resource": (managed(Resource=None), "Policy statement must contain resources."),
    "empty_resource": (managed(Resource=[]), "Policy statement must contain resources."),
    "effect_in_another_case": (managed(Effect="allow"), LEGACY),
    "action_without_vendor": (managed(Action="ListBucket"), NO_VENDOR),
    "action_empty": (managed(Action=""), NO_VENDOR),
    "not_action_empty": (managed(Action=None, NotAction=""), NO_VENDOR),
    "second_action_without_vendor": (managed(Action=["s3:*", "Get*"]), NO_VENDOR),
    "vendor_with_space": (managed(Action="a a:ListBucket"), "Vendor a a is not valid"),
    "vendor_with_wildcard": (managed(Action="s*:ListBucket"), "Vendor s* is not valid"),
    "vendor_star": (managed(Action="*:ListBucket"), "Vendor * is not valid"),
    "action_with_two_colons": (managed(Action="s3:List:Bucket"), "Actions/Condition can contain only one colon."),
    "resource_is_no_arn": (managed(Resource="my bucket"), 'Resource my bucket must be in ARN format or "*".'),
    "resource_empty": (managed(Resource=""), 'Resource  must be in ARN format or "*".'),
    "resource_of_another_prefix": (managed(Resource="urn:aws:s3:::b"), 'Resource urn:aws:s3:::b must be in ARN format or "*".'),
    "resource_partition": (managed(Resource="arn:error:s3:::b"), 'Partition "error" is not valid for resource "arn:error:s3:::b".'),
    "resource_partition_of_two_fields": (managed(Resource="a:bsd"), 'Partition "bsd" is not valid for resource "arn:bsd:*:*:*:*".'),
    "resource_partition_of_three_fields": (managed(Resource="a:b:cad"), 'Partition "b" is not valid for resource "arn:b:cad:*:*:*".'),
    "resource_partition_of_eight_fields": (
        managed(Resource="a:b:c:d:e:f:g:h"),
        'Partition "b" is not valid for resource "arn:b:c:d:e:f:g:h".',
    ),
    "resource_without_arn": (managed(Resource="aws:s3:::bucket"), 'Partition "s3" is not valid for resource "arn:s3:::bucket:*".'),
    "resource_without_service": (managed(Resource="arn:aws"), "Resource vendor must be fully qualified and cannot contain regexes."),
    "resource_service_wildcard": (
        managed(Resource="arn:aws:s*:::b"),
        "Resource vendor must be fully qualified and cannot contain regexes.",
    ),
    "resource_service_empty": (managed(Resource="arn:aws::::bucket"), LEGACY),
    "resource_of_five_fields": (managed(Resource="arn:aws:s3::bucket"), LEGACY),
    "not_resource_of_five_fields": (managed(Resource=None, NotResource="arn:aws:s3::bucket"), LEGACY),
    "iam_path": (managed(Resource="arn:aws:iam::111122223333:bucket"), IAM_PATH),
    "iam_region": (
        managed(Resource="arn:aws:iam:us-east-1::user/a"),
        "IAM resource arn:aws:iam:us-east-1::user/a cannot contain region information.",
    ),
    "bucket_region": (
        managed(Resource="arn:aws:s3:us-east-1::bucket"),
        "Resource arn:aws:s3:us-east-1::bucket can not contain region information.",
    ),
    "duplicate_sids": (statements(GOOD | {"Sid": "a"}, GOOD | {"Sid": "a"}), "Statement IDs (SID) in a single policy must be unique."),
    "sid_characters": (
        managed(Sid="Allow read"),
        "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*",
    ),
    "unknown_operator": (managed(Condition={"StringLik": {"aws:username": "a"}}), SYNTAX),
    "operator_in_another_case": (managed(Condition={"stringequals": {"aws:username": "a"}}), SYNTAX),
    "unknown_qualifier": (managed(Condition={"ForSomeValues:StringEquals": {"aws:TagKeys": "a"}}), SYNTAX),
    "two_colons_in_operator": (managed(Condition={"ForAnyValue::StringEquals": {"aws:TagKeys": "a"}}), SYNTAX),
    "null_of_any_value": (managed(Condition={"ForAnyValue:Null": {"aws:TagKeys": "true"}}), SYNTAX),
    "null_if_exists": (managed(Condition={"NullIfExists": {"aws:username": "true"}}), SYNTAX),
    "date": (date("tomorrow"), LEGACY),
    "date_of_month_13": (date("234-13"), LEGACY),
    "date_of_february_30": (date("2026-02-30"), LEGACY),
    "date_with_zone_of_one_digit": (date("2016-12-13t2:00:00.593194+1"), LEGACY),
    "date_with_ten_decimals": (date("2016-12-13t2:00:00.1999999999+10:59"), LEGACY),
    "date_beyond_64_bits": (date("9223372036854775808"), LEGACY),
    # AWS takes these two; our evaluator reads neither of them and would decide in doubt.
    "year_that_could_be_seconds": (date("2026"), LEGACY),
    "variable_where_a_number_is_expected": (managed(Condition={"NumericEquals": {"s3:max-keys": "${aws:PrincipalTag/max}"}}), LEGACY),
    "number": (managed(Condition={"NumericEquals": {"s3:max-keys": "ten"}}), LEGACY),
    "boolean": (managed(Condition={"Bool": {"aws:SecureTransport": "yes"}}), LEGACY),
    "null_value": (managed(Condition={"Null": {"aws:username": "0"}}), LEGACY),
    "address": (managed(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}), LEGACY),
    "binary": (managed(Condition={"BinaryEquals": {"a:b": "***"}}), LEGACY),
    "variable_without_brace": (managed(Resource="arn:aws:s3:::bucket/${aws:username"), LEGACY),
    "variable_without_name": (managed(Resource="arn:aws:s3:::bucket/${}"), LEGACY),
    "variable_with_a_default_unquoted": (managed(Condition={"StringLike": {"a:b": "${aws:username, none}"}}), LEGACY),
}


@pytest.mark.parametrize(("text", "sentence"), REFUSED_MANAGED.values(), ids=REFUSED_MANAGED.keys())
def test_managed_policies_that_aws_refuses(text: str, sentence: str) -> None:
    with pytest.raises(MalformedPolicyDocument) as refused:
        validate.check(text, Kind.MANAGED)
    assert refused.value.message == sentence


TWO_FAULTS = {
    "syntax_before_version": (managed(Version=None, Extra=1), SYNTAX),
    "unknown_operator_before_version": (managed(Version=None, Condition={"x": {"a:b": "1"}}), SYNTAX),
    "version_before_effect_case": (managed(Version=None, Effect="denY"), "Policy document must be version 2012-10-17 or greater."),
    "version_before_date": (
        managed(Version=None, Condition={"DateEquals": {"a:b": "x"}}),
        "Policy document must be version 2012-10-17 or greater.",
    ),
    "version_before_duplicate_sids": (
        statements(GOOD | {"Sid": "a"}, {"Sid": "a", "Effect": "Allow"}, version=None),
        "Policy document must be version 2012-10-17 or greater.",
    ),
    "effect_case_before_duplicate_sids": (statements(GOOD | {"Sid": "a", "Effect": "aLLow"}, GOOD | {"Sid": "a"}), LEGACY),
    "legacy_arn_before_missing_action": (managed(Action=None, Resource="arn:aws:s3::bucket"), LEGACY),
    "date_before_missing_action": (managed(Action=None, Condition={"DateEquals": {"a:b": "x"}}), LEGACY),
    "date_before_partition": (managed(Resource="arn:error:s3:::b", Condition={"DateEquals": {"a:b": "x"}}), LEGACY),
    "duplicate_sids_before_missing_action": (
        statements(GOOD | {"Sid": "a"}, {"Sid": "a", "Effect": "Allow"}),
        "Statement IDs (SID) in a single policy must be unique.",
    ),
    "missing_action_before_missing_resource": (managed(Action=None, Resource=None), "Policy statement must contain actions."),
    "resource_format_before_action_format": (managed(Action="s:3:List", Resource="x"), 'Resource x must be in ARN format or "*".'),
    "action_format_before_missing_resource": (managed(Action="invalid", Resource=None), NO_VENDOR),
    "action_format_before_empty_resource": (managed(Action="invalid", Resource=[]), NO_VENDOR),
    "earlier_resource_before_later": (
        managed(Resource=["arn:error:s3:::b", "arn:error:s3::b"]),
        'Partition "error" is not valid for resource "arn:error:s3:::b".',
    ),
}


@pytest.mark.parametrize(("text", "sentence"), TWO_FAULTS.values(), ids=TWO_FAULTS.keys())
def test_which_of_two_faults_aws_names(text: str, sentence: str) -> None:
    with pytest.raises(MalformedPolicyDocument) as refused:
        validate.check(text, Kind.MANAGED)
    assert refused.value.message == sentence


TAKEN_MANAGED = {
    "plain": managed(),
    "statement_without_list": managed().replace("[", "").replace("]", ""),
    "everything": managed(Action="*", Resource="*"),
    "everything_with_colon": managed(Action="*:*"),
    "space_in_action": managed(Action="iam: as df "),
    "unknown_services": managed(Action="some.service-of-ours:Do", Resource="arn:aws:some-service:::thing"),
    "resource_of_three_fields": managed(Resource="arn:aws:anything"),
    "placeholders": managed(Resource="arn:aws:ec2:region:account-id:instance/*"),
    "any_partition": managed(Resource="arn:*:s3:::bucket"),
    "chinese_partition": managed(Resource="arn:aws-cn:s3:::bucket"),
    "iam_user_without_account": managed(Resource="arn:aws:iam:::user/a"),
    "any_iam_resource": managed(Resource="arn:aws:iam::*:*"),
    "access_point": managed(Resource="arn:aws:s3:us-east-1:111122223333:accesspoint/a"),
    "variable": managed(Resource="arn:aws:iam::*:user/${aws:username}"),
    "variable_with_default": managed(Resource="arn:aws:s3:::b/${aws:PrincipalTag/team, 'no one'}/${*}${?}${$}"),
    "variable_with_a_brace_in_its_default": managed(Resource="arn:aws:s3:::b/${aws:PrincipalTag/team, '}'}"),
    "empty_condition": managed(Condition={}),
    "unknown_operator_without_keys": managed(Condition={"x": {}, "y": {}}),
    "key_without_values": managed(Condition={"DateGreaterThan": {"a": []}}),
    "key_without_vendor": managed(Condition={"StringEqualsIfExists": {"a": "b"}}),
    "set_operator": managed(Condition={"ForAllValues:StringEquals": {"aws:TagKeys": "Department"}}),
    "set_operator_if_exists": managed(Condition={"ForAnyValue:StringEqualsIfExists": {"aws:TagKeys": "Department"}}),
    "date": date("2026-07-01T13:20:15Z"),
    "date_of_a_year_alone": date("01T"),
    "date_with_a_zone_of_hours": date("2016-12-13t2:00:00.593194+23"),
    "date_without_time": date("2016-12-13T"),
    "date_of_a_day": date("2026-07-01"),
    "date_with_fraction": date("2016-12-13T21:20:37.593194+00:00"),
    "date_before_christ": date("-292275054"),
    "date_in_seconds": date("1764032400"),
    "numbers": managed(Condition={"NumericLessThan": {"a:b": [1, "2", -3.5, "1e3"]}}),
    "booleans": managed(Condition={"Bool": {"a:b": [True, "False"]}}),
    "addresses": managed(Condition={"NotIpAddress": {"aws:SourceIp": ["10.1.2.3/8", "2001:db8::/32", "192.0.2.1"]}}),
    "arn_wildcard": managed(Condition={"ArnLike": {"aws:SourceArn": "*"}}),
    "sids": statements(GOOD | {"Sid": "a"}, GOOD | {"Sid": "b"}, GOOD, GOOD | {"Sid": ""}, GOOD | {"Sid": ""}),
    "not_resource_and_not_action": managed(Action=None, NotAction="s3:*", Resource=None, NotResource="*"),
}


@pytest.mark.parametrize("text", TAKEN_MANAGED.values(), ids=TAKEN_MANAGED.keys())
@pytest.mark.parametrize("kind", [Kind.MANAGED, Kind.IDENTITY, Kind.SESSION, Kind.SCP])
def test_policies_without_principal_that_aws_takes(text: str, kind: Kind) -> None:
    validate.check(text, kind)


def test_check_returns_the_policy() -> None:
    read = validate.check(managed(), Kind.MANAGED)
    assert read.version == "2012-10-17"
    assert read.statements[0].actions == ("s3:ListBucket",)


@pytest.mark.parametrize("kind", [Kind.IDENTITY, Kind.SESSION, Kind.TRUST, Kind.RESOURCE])
def test_the_older_version_is_for_managed_and_organization_policies_to_refuse(kind: Kind) -> None:
    text = {Kind.TRUST: trust, Kind.RESOURCE: resource}.get(kind, managed)(Version="2008-10-17")
    assert validate.check(text, kind).version == "2008-10-17"


REFUSED = {
    "inline_with_principal": (Kind.IDENTITY, resource(), "Policy document should not specify a principal."),
    "inline_without_resource": (Kind.IDENTITY, managed(Resource=None), "Policy statement must contain resources."),
    "session_with_principal": (Kind.SESSION, resource(), "Policy document should not specify a principal."),
    "trust_with_resource": (Kind.TRUST, trust(Resource="*"), "Has prohibited field Resource"),
    "trust_with_not_resource": (Kind.TRUST, trust(NotResource="*"), "Has prohibited field NotResource"),
    "trust_with_not_principal": (Kind.TRUST, trust(Principal=None, NotPrincipal="*"), "Has prohibited field NotPrincipal"),
    "trust_without_principal": (Kind.TRUST, trust(Principal=None), "Missing required field Principal"),
    "trust_with_nobody": (Kind.TRUST, trust(Principal={}), "Missing required field Principal"),
    "trust_with_nobody_in_a_list": (Kind.TRUST, trust(Principal={"AWS": []}), "Missing required field Principal"),
    "trust_with_another_action": (
        Kind.TRUST,
        trust(Action=["sts:AssumeRole", "s3:GetObject"]),
        "AssumeRole policy may only specify STS AssumeRole actions.",
    ),
    "trust_with_a_misspelt_action": (
        Kind.TRUST,
        trust(Action="sts:TagSessions"),
        "AssumeRole policy may only specify STS AssumeRole actions.",
    ),
    "trust_with_every_action": (Kind.TRUST, trust(Action="*"), "AssumeRole policy may only specify STS AssumeRole actions."),
    "trust_in_a_group": (
        Kind.TRUST,
        trust(Principal={"AWS": "arn:aws:iam::111122223333:group/admins"}),
        'Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:group/admins"',
    ),
    "trust_in_a_wildcard": (
        Kind.TRUST,
        trust(Principal={"AWS": "arn:aws:iam::111122223333:role/*"}),
        'Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:role/*"',
    ),
    "trust_in_eleven_digits": (Kind.TRUST, trust(Principal={"AWS": "11112222333"}), 'Invalid principal in policy: "AWS":"11112222333"'),
    "trust_in_an_account_of_eleven_digits": (
        Kind.TRUST,
        trust(Principal={"AWS": "arn:aws:iam::11112222333:root"}),
        'Invalid principal in policy: "AWS":"arn:aws:iam::11112222333:root"',
    ),
    "trust_in_a_role_without_name": (
        Kind.TRUST,
        trust(Principal={"AWS": "arn:aws:iam::111122223333:role/"}),
        'Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:role/"',
    ),
    "trust_in_every_service": (Kind.TRUST, trust(Principal={"Service": "*"}), 'Invalid principal in policy: "SERVICE":"*"'),
    "trust_in_no_service": (Kind.TRUST, trust(Principal={"Service": "ec2 "}), 'Invalid principal in policy: "SERVICE":"ec2 "'),
    "trust_in_no_provider": (
        Kind.TRUST,
        trust(Principal={"Federated": "arn:aws:iam::111122223333:user/a"}, Action="sts:AssumeRoleWithSAML"),
        'Invalid principal in policy: "FEDERATED":"arn:aws:iam::111122223333:user/a"',
    ),
    "resource_policy_without_principal": (Kind.RESOURCE, managed(), "Missing required field Principal"),
    "resource_policy_without_resource": (Kind.RESOURCE, resource(Resource=None), "Missing required field Resource"),
    "resource_policy_with_a_bad_principal": (
        Kind.RESOURCE,
        resource(Principal={"AWS": "someone"}),
        'Invalid principal in policy: "AWS":"someone"',
    ),
    "scp_with_principal": (Kind.SCP, rcp(), UNFIT),
    "scp_of_the_older_version": (Kind.SCP, managed(Version="2008-10-17"), UNFIT),
    "scp_without_resource": (Kind.SCP, managed(Resource=None), UNFIT),
    "rcp_without_version": (Kind.RCP, rcp(Version=None), UNFIT),
    "rcp_that_allows": (Kind.RCP, rcp(Effect="Allow"), UNFIT),
    "rcp_without_principal": (Kind.RCP, rcp(Principal=None), UNFIT),
    "rcp_about_somebody": (Kind.RCP, rcp(Principal={"AWS": "111122223333"}), UNFIT),
    "rcp_about_everybody_else": (Kind.RCP, rcp(Principal=None, NotPrincipal="*"), UNFIT),
    "rcp_with_not_action": (Kind.RCP, rcp(Action=None, NotAction="s3:*"), UNFIT),
    "rcp_with_every_action": (Kind.RCP, rcp(Action="*"), UNFIT),
    "rcp_without_resource": (Kind.RCP, rcp(Resource=None), UNFIT),
}


@pytest.mark.parametrize(("kind", "text", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_what_a_kind_of_policy_refuses(kind: Kind, text: str, sentence: str) -> None:
    with pytest.raises(MalformedPolicyDocument) as refused:
        validate.check(text, kind)
    assert refused.value.message == sentence


TAKEN = {
    "trust_in_an_account": (Kind.TRUST, trust(Principal={"AWS": "arn:aws:iam::111122223333:root"})),
    "trust_in_everybody": (Kind.TRUST, trust(Principal="*")),
    "trust_in_everybody_of_aws": (Kind.TRUST, trust(Principal={"AWS": "*"})),
    "trust_in_a_session": (Kind.TRUST, trust(Principal={"AWS": "arn:aws:sts::111122223333:assumed-role/reader/alice"})),
    "trust_in_a_federated_user": (Kind.TRUST, trust(Principal={"AWS": "arn:aws:sts::111122223333:federated-user/alice"})),
    "trust_in_a_unique_id": (Kind.TRUST, trust(Principal={"AWS": "AROAEXAMPLEEXAMPLEEXA"})),
    "trust_in_services": (Kind.TRUST, trust(Principal={"Service": ["ec2.amazonaws.com", "billing"]})),
    "trust_in_saml": (
        Kind.TRUST,
        trust(Principal={"Federated": "arn:aws:iam::111122223333:saml-provider/corp"}, Action="sts:AssumeRoleWithSAML"),
    ),
    "trust_in_oidc": (
        Kind.TRUST,
        trust(Principal={"Federated": "arn:aws:iam::111122223333:oidc-provider/idp.example/a"}, Action="sts:AssumeRoleWithWebIdentity"),
    ),
    "trust_in_a_provider_by_host": (
        Kind.TRUST,
        trust(Principal={"Federated": "accounts.example.com"}, Action="sts:AssumeRoleWithWebIdentity"),
    ),
    "trust_with_tags_and_identity": (
        Kind.TRUST,
        trust(Action=["sts:AssumeRole", "STS:tagsession", "sts:SetSourceIdentity", "sts:SetContext"]),
    ),
    "trust_with_wildcards": (Kind.TRUST, trust(Action=["sts:*", "sts:AssumeRole*"])),
    "resource_policy_of_an_object_store": (Kind.RESOURCE, resource()),
    "resource_policy_by_canonical_id": (Kind.RESOURCE, resource(Principal={"CanonicalUser": "79a5" * 16})),
    "resource_policy_denying_all_others": (Kind.RESOURCE, resource(Effect="Deny", Principal=None, NotPrincipal={"AWS": ROLE})),
    "resource_policy_with_a_spoken_sid": (Kind.RESOURCE, resource(Sid="Allow the reader")),
    "scp": (Kind.SCP, managed(Effect="Deny", Action="organizations:LeaveOrganization", Resource="*")),
    "scp_of_the_newer_syntax": (
        Kind.SCP,
        managed(Action=None, NotAction="iam:*", Resource=None, NotResource="*", Condition={"Bool": {"a:b": "true"}}),
    ),
    "rcp": (Kind.RCP, rcp()),
    "rcp_with_condition": (
        Kind.RCP,
        rcp(Condition={"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}}, NotResource="*", Resource=None),
    ),
}


@pytest.mark.parametrize(("kind", "text"), TAKEN.values(), ids=TAKEN.keys())
def test_what_a_kind_of_policy_takes(kind: Kind, text: str) -> None:
    validate.check(text, kind)


@pytest.mark.parametrize(
    ("text", "characters"),
    [
        ("", 0),
        ('{ "a" :\n\t[ "b" ] }\r\n', 11),
        ('{"a b": " c\\" d "}', 17),
        ('{"unclosed \\', 12),
    ],
    ids=["nothing", "white_space_between_tokens", "white_space_in_strings", "no_json"],
)
def test_size_counts_all_but_white_space_outside_strings(text: str, characters: int) -> None:
    assert validate.size(text) == characters


def test_incomplete_arns_are_completed_in_identity_policies_and_refused_in_those_of_resources() -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html"""
    for named in ("arn:aws:sqs", "arn:aws:sqs:eu-west-1"):
        for kind in (Kind.IDENTITY, Kind.MANAGED, Kind.SESSION, Kind.SCP):
            assert validate.check(managed(Resource=named), kind).statements
        for element in ("Resource", "NotResource"):
            text = statements({"Effect": "Deny", "Principal": "*", "Action": "sqs:*", element: ["*", named]})
            with pytest.raises(MalformedPolicyDocument) as refused:
                validate.check(text, Kind.RESOURCE)
            assert refused.value.message == f'Resource {named} must be in ARN format or "*".'
    for named in ("arn:aws:sqs:*", "arn:aws:sqs:eu-west-1:111122223333:q"):
        assert validate.check(
            statements({"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": named}), Kind.RESOURCE
        ).statements


def test_an_origin_access_identity_of_cloudfront_is_somebody() -> None:
    """https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3-oai.html"""
    identity = "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity EH1HDMB1FH2TC"
    statement = {"Effect": "Allow", "Principal": {"AWS": identity}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
    assert validate.check(statements(statement), Kind.RESOURCE).statements
    for other in (identity.replace("cloudfront", "Cloudfront"), identity[:-13], identity.replace("Origin", "Other"), identity + "*"):
        with pytest.raises(MalformedPolicyDocument) as refused:
            validate.check(statements(statement | {"Principal": {"AWS": other}}), Kind.RESOURCE)
        assert refused.value.message == f'Invalid principal in policy: "AWS":"{other}"'
    with pytest.raises(MalformedPolicyDocument):
        validate.check(statements({"Effect": "Allow", "Principal": {"AWS": identity}, "Action": "sts:AssumeRole"}), Kind.TRUST)
