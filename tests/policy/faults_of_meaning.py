"""Documents whose conditions, keys, variables, grants or repetitions are at fault, and all that is to be found in each."""

import json

from sekisho.policy.kinds import Kind
from tests.policy.documents import LIST, ROLE, managed, statements, when
from tests.policy.faults_of_form import MANAGED, Case, S


def at_key(operator: str, key: str) -> str:
    """The path of a condition's key."""
    shown = (f".{name}" if name.isalnum() else f"[{json.dumps(name)}]" for name in (operator, key))
    return f"{S}.Condition{''.join(shown)}"


FAULTS_OF_MEANING: dict[str, Case] = {
    # conditions
    "unknown_operator": (
        MANAGED,
        managed(Condition=when("StringLik", "aws:username", "a")),
        {("INVALID_CONDITION_OPERATOR", f"{S}.Condition.StringLik")},
    ),
    "null_if_exists": (
        MANAGED,
        managed(Condition=when("NullIfExists", "aws:username", "true")),
        {("NULL_WITH_IF_EXISTS", f"{S}.Condition.NullIfExists")},
    ),
    "null_of_any_value": (
        MANAGED,
        managed(Condition=when("ForAnyValue:Null", "aws:TagKeys", "true")),
        {("NULL_WITH_QUALIFIER", f'{S}.Condition["ForAnyValue:Null"]')},
    ),
    "key_without_vendor": (
        MANAGED,
        managed(Condition=when("StringEquals", "username", "a")),
        {("INVALID_CONDITION_KEY_FORMAT", at_key("StringEquals", "username"))},
    ),
    "key_twice_in_different_case": (
        MANAGED,
        managed(Condition={"StringEquals": {"aws:username": "a", "aws:UserName": "b"}}),
        {("DUPLICATE_KEYS_WITH_DIFFERENT_CASE", at_key("StringEquals", "aws:UserName"))},
    ),
    "true_and_false": (
        MANAGED,
        managed(Condition=when("Bool", "aws:SecureTransport", "true", "false")),
        {("INVALID_CONDITION_MULTIPLE_BOOLEAN", at_key("Bool", "aws:SecureTransport"))},
    ),
    "less_than_two_numbers": (
        MANAGED,
        managed(Condition=when("NumericLessThan", "s3:max-keys", 1, 2)),
        {("REDUNDANT_CONDITION_VALUE_NUM", at_key("NumericLessThan", "s3:max-keys"))},
    ),
    "wildcard_as_a_plain_character": (
        MANAGED,
        managed(Condition=when("StringNotEquals", "aws:username", "bob", "alice*")),
        {("WILDCARD_WITHOUT_LIKE_OPERATOR", at_key("StringNotEquals", "aws:username") + "[1]")},
    ),
    "host_bits": (
        MANAGED,
        managed(Condition=when("IpAddress", "aws:SourceIp", "10.1.2.3/8")),
        {("IMPROVE_IP_RANGE", at_key("IpAddress", "aws:SourceIp"))},
    ),
    "no_number": (
        MANAGED,
        managed(Condition=when("NumericEquals", "s3:max-keys", "x")),
        {
            ("TYPE_MISMATCH_NUMBER", at_key("NumericEquals", "s3:max-keys")),
        },
    ),
    "no_date": (
        MANAGED,
        managed(Condition=when("DateLessThan", "aws:CurrentTime", "x")),
        {
            ("TYPE_MISMATCH_DATE", at_key("DateLessThan", "aws:CurrentTime")),
        },
    ),
    "no_boolean": (
        MANAGED,
        managed(Condition=when("Bool", "aws:SecureTransport", "yes")),
        {
            ("TYPE_MISMATCH_BOOLEAN", at_key("Bool", "aws:SecureTransport")),
        },
    ),
    "no_address": (
        MANAGED,
        managed(Condition=when("IpAddress", "aws:SourceIp", "10.0.0.0/8", "localhost")),
        {
            ("TYPE_MISMATCH_IP_RANGE", at_key("IpAddress", "aws:SourceIp") + "[1]"),
        },
    ),
    "no_base64": (
        MANAGED,
        managed(Condition=when("BinaryEquals", "a:b", "?")),
        {
            ("TYPE_MISMATCH_BINARY", at_key("BinaryEquals", "a:b")),
        },
    ),
    "no_arn": (
        MANAGED,
        managed(Condition=when("ArnLike", "aws:SourceArn", "bucket")),
        {
            ("TYPE_MISMATCH_ARN", at_key("ArnLike", "aws:SourceArn")),
        },
    ),
    # keys
    "unknown_global_key": (
        MANAGED,
        managed(Condition=when("StringEquals", "aws:UserNames", "a")),
        {("INVALID_GLOBAL_CONDITION_KEY", at_key("StringEquals", "aws:UserNames"))},
    ),
    "deprecated_key": (
        MANAGED,
        managed(Condition=when("ArnLike", "aws:ARN", ROLE)),
        {("DEPRECATED_GLOBAL_CONDITION_KEY", at_key("ArnLike", "aws:ARN"))},
    ),
    "operator_of_another_type": (
        MANAGED,
        managed(Condition=when("StringEquals", "aws:SourceIp", "10.0.0.1")),
        {("TYPE_MISMATCH", at_key("StringEquals", "aws:SourceIp"))},
    ),
    "string_like_for_an_arn": (
        MANAGED,
        managed(Condition=when("StringLike", "aws:PrincipalArn", "arn:aws:iam::*:role/a")),
        {("STRING_LIKE_OPERATOR_WITH_ARN_CONDITION_KEYS", at_key("StringLike", "aws:PrincipalArn"))},
    ),
    "no_set_operator": (
        MANAGED,
        managed(Condition=when("StringEquals", "aws:TagKeys", "a")),
        {("MISSING_QUALIFIER", at_key("StringEquals", "aws:TagKeys"))},
    ),
    "for_all_values_of_one": (
        MANAGED,
        managed(Condition=when("ForAllValues:StringEquals", "aws:username", "a")),
        {("FORALLVALUES_WITH_SINGLE_VALUED_KEY", at_key("ForAllValues:StringEquals", "aws:username"))},
    ),
    "for_any_value_of_one": (
        MANAGED,
        managed(Condition=when("ForAnyValue:StringEquals", "aws:username", "a")),
        {("FORANYVALUE_WITH_SINGLE_VALUED_KEY", at_key("ForAnyValue:StringEquals", "aws:username"))},
    ),
    "tag_without_key": (
        MANAGED,
        managed(Condition={"StringEquals": {"aws:RequestTag": "a", "aws:ResourceTag/": "a"}}),
        {
            ("MISSING_TAG_KEY_IN_CONDITION", at_key("StringEquals", "aws:RequestTag")),
            ("MISSING_TAG_KEY_IN_CONDITION", at_key("StringEquals", "aws:ResourceTag/")),
        },
    ),
    "reserved_tag": (
        MANAGED,
        managed(Condition=when("StringEquals", "aws:RequestTag/aws:owner", "a")),
        {("RESERVED_TAG_KEY_IN_CONDITION", at_key("StringEquals", "aws:RequestTag/aws:owner"))},
    ),
    # variables
    "unknown_variable": (MANAGED, managed(Resource="arn:aws:s3:::b/${aws:user}"), {("INVALID_GLOBAL_CONDITION_KEY", f"{S}.Resource")}),
    "variable_of_many_values": (
        MANAGED,
        managed(Resource="arn:aws:s3:::b/${aws:TagKeys}"),
        {
            ("MULTIVALUED_KEY_IN_VARIABLE", f"{S}.Resource"),
        },
    ),
    "variable_without_brace": (
        MANAGED,
        managed(Resource="arn:aws:s3:::b/${aws:username"),
        {
            ("MISSING_BRACE_IN_VARIABLE", f"{S}.Resource"),
        },
    ),
    "variable_without_quotes": (
        MANAGED,
        managed(Resource="arn:aws:s3:::b/${aws:username, x}"),
        {
            ("MISSING_QUOTE_IN_VARIABLE", f"{S}.Resource"),
        },
    ),
    "variable_without_name": (MANAGED, managed(Resource="arn:aws:s3:::b/${}"), {("EMPTY_VARIABLE", f"{S}.Resource")}),
    "variable_with_space": (
        MANAGED,
        managed(Resource="arn:aws:s3:::b/${aws:username }"),
        {
            ("UNSUPPORTED_SPACE_IN_VARIABLE", f"{S}.Resource"),
        },
    ),
    "variable_in_the_older_version": (
        Kind.IDENTITY,
        managed(Version="2008-10-17", Resource="arn:aws:s3:::b/${aws:username}"),
        {("VARIABLE_UNSUPPORTED_IN_VERSION", f"{S}.Resource")},
    ),
    "variable_in_an_action": (
        MANAGED,
        managed(Action="s3:${aws:username}"),
        {
            ("VARIABLE_UNSUPPORTED_IN_ELEMENT", f"{S}.Action"),
            ("INVALID_ACTION", f"{S}.Action"),
        },
    ),
    "variable_in_a_key": (
        MANAGED,
        managed(Condition=when("StringEquals", "s3:${aws:username}", "a")),
        {("VARIABLE_UNSUPPORTED_IN_ELEMENT", at_key("StringEquals", "s3:${aws:username}"))},
    ),
    "variable_in_an_account": (
        MANAGED,
        managed(Resource="arn:aws:sqs:eu-west-1:${aws:PrincipalAccount}:q"),
        {("VARIABLE_UNSUPPORTED_IN_ELEMENT", f"{S}.Resource")},
    ),
    "variable_for_a_number": (
        MANAGED,
        managed(Condition=when("NumericEquals", "s3:max-keys", "${aws:PrincipalTag/n}")),
        {("INVALID_VARIABLE_FOR_OPERATOR", at_key("NumericEquals", "s3:max-keys"))},
    ),
    # risks
    "pass_any_role": (
        MANAGED,
        managed(Action=["s3:*", "iam:PassRole"], Resource="arn:aws:iam::*:*"),
        {
            ("PASS_ROLE_WITH_STAR_IN_RESOURCE", f"{S}.Resource"),
        },
    ),
    "pass_role_by_wildcard": (
        MANAGED,
        managed(Action="iam:Pass*", Resource="*"),
        {
            ("PASS_ROLE_WITH_STAR_IN_ACTION_AND_RESOURCE", f"{S}.Action"),
        },
    ),
    "pass_role_by_not_action": (
        MANAGED,
        managed(Action=None, NotAction="iam:Create*", Resource="*"),
        {
            ("PASS_ROLE_WITH_STAR_IN_RESOURCE_AND_NOT_ACTION", f"{S}.NotAction"),
        },
    ),
    "pass_role_by_not_resource": (
        MANAGED,
        managed(Action="iam:passrole", Resource=None, NotResource="arn:aws:iam::*:role/a"),
        {
            ("PASS_ROLE_WITH_NOT_RESOURCE", f"{S}.NotResource"),
        },
    ),
    "pass_role_by_wildcard_and_not_resource": (
        MANAGED,
        managed(Action="iam:PassR*", Resource=None, NotResource="arn:aws:iam::*:role/a"),
        {
            ("PASS_ROLE_WITH_STAR_IN_ACTION_AND_NOT_RESOURCE", f"{S}.Action"),
        },
    ),
    "everything_but": (
        MANAGED,
        managed(Action=None, NotAction="s3:*", Resource=None, NotResource="arn:aws:s3:::b"),
        {
            ("ALLOW_WITH_NOT_ACTION_AND_NOT_RESOURCE", S),
            ("PASS_ROLE_WITH_NOT_ACTION_AND_NOT_RESOURCE", f"{S}.NotAction"),
            ("CREATE_SLR_WITH_NOT_ACTION_AND_NOT_RESOURCE", f"{S}.NotAction"),
        },
    ),
    "create_any_service_linked_role": (
        MANAGED,
        managed(Action="iam:CreateServiceLinkedRole", Resource="arn:aws:iam::*:role/aws-service-role/*"),
        {("CREATE_SLR_WITH_STAR_IN_RESOURCE", f"{S}.Resource")},
    ),
    "create_slr_by_wildcard": (
        MANAGED,
        managed(Action="iam:Create*", Resource="*"),
        {
            ("CREATE_SLR_WITH_STAR_IN_ACTION_AND_RESOURCE", f"{S}.Action"),
        },
    ),
    "create_slr_by_not_action": (
        MANAGED,
        managed(Action=None, NotAction="iam:Pass*", Resource="*"),
        {
            ("CREATE_SLR_WITH_STAR_IN_RESOURCE_AND_NOT_ACTION", f"{S}.NotAction"),
        },
    ),
    "create_slr_by_not_resource": (
        MANAGED,
        managed(Action="iam:CreateServiceLinkedRole", Resource=None, NotResource="arn:aws:iam::*:role/a"),
        {("CREATE_SLR_WITH_NOT_RESOURCE", f"{S}.NotResource")},
    ),
    "create_slr_by_wildcard_and_not_resource": (
        MANAGED,
        managed(Action="iam:CreateS*", Resource=None, NotResource="arn:aws:iam::*:role/a"),
        {("CREATE_SLR_WITH_STAR_IN_ACTION_AND_NOT_RESOURCE", f"{S}.Action")},
    ),
    # redundancy
    "action_covered": (MANAGED, managed(Action=["s3:getobject", "s3:Get*"]), {("REDUNDANT_ACTION", f"{S}.Action[0]")}),
    "action_twice_in_different_case": (MANAGED, managed(Action=["s3:GetObject", "s3:getObject"]), {("REDUNDANT_ACTION", f"{S}.Action[1]")}),
    "resource_covered": (
        MANAGED,
        managed(Resource=["arn:aws:s3:::b/*", "arn:aws:s3:::b/a?"]),
        {
            ("REDUNDANT_RESOURCE", f"{S}.Resource[1]"),
        },
    ),
    "statement_twice": (MANAGED, statements(LIST, LIST), {("REDUNDANT_STATEMENT", "$.Statement[1]")}),
    "statement_covered": (
        MANAGED,
        statements(LIST | {"Condition": when("Bool", "aws:SecureTransport", "true")}, LIST | {"Action": "s3:*"}),
        {
            ("REDUNDANT_STATEMENT", "$.Statement[0]"),
        },
    ),
    "statement_denied": (
        MANAGED,
        statements(LIST, {"Effect": "Deny", "Action": ["s3:List*", "iam:*"], "Resource": "*"}),
        {("UNREACHABLE_STATEMENT", "$.Statement[0]")},
    ),
    "not_action_denied": (
        MANAGED,
        statements(
            {"Effect": "Deny", "NotAction": "s3:Get*", "Resource": "*"},
            {"Effect": "Allow", "NotAction": ["s3:*", "iam:*"], "Resource": "arn:aws:s3:::b"},
        ),
        {("UNREACHABLE_STATEMENT", "$.Statement[1]")},
    ),
}
