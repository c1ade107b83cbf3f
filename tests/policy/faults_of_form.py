"""Documents with a fault of grammar, element, action, resource or principal, and all that is to be found in each."""

from typing import Any

from sekisho.policy.kinds import Kind
from tests.policy.documents import LIST, ROLE, managed, rcp, resource, statements, trust, when

Case = tuple[Kind, str, set[tuple[str, str]]]  # kind, document, (issue, path) of each finding

FOR_ROLE: dict[str, Any] = LIST | {"Principal": {"AWS": ROLE}}
S = "$.Statement[0]"
MANAGED, TRUST, RESOURCE = Kind.MANAGED, Kind.TRUST, Kind.RESOURCE

FAULTS_OF_FORM: dict[str, Case] = {
    # the text and its grammar
    "no_json": (MANAGED, "{", {("JSON_SYNTAX_ERROR", "$")}),
    "lone_surrogate": (MANAGED, managed(Sid="\ud800"), {("JSON_SYNTAX_ERROR", f"{S}.Sid")}),
    "unknown_element": (MANAGED, managed(Resources="*"), {("INVALID_POLICY_ELEMENT", f"{S}.Resources")}),
    "two_breaches": (
        MANAGED,
        managed(Effect="Permit", Colour="red"),
        {("INVALID_EFFECT", f"{S}.Effect"), ("INVALID_POLICY_ELEMENT", f"{S}.Colour")},
    ),
    "number_for_a_string": (MANAGED, managed(Action=1), {("DATA_TYPE_MISMATCH", f"{S}.Action")}),
    "no_effect": (MANAGED, managed(Effect=None), {("MISSING_EFFECT", S)}),
    "effect_in_another_case": (MANAGED, managed(Effect="allow"), {("INVALID_EFFECT", f"{S}.Effect")}),
    "no_statement": (MANAGED, '{"Version": "2012-10-17"}', {("MISSING_STATEMENT", "$")}),
    "no_action": (MANAGED, managed(Action=None), {("MISSING_ACTION", S)}),
    "action_twice": (MANAGED, managed(NotAction="*"), {("UNSUPPORTED_ELEMENT_COMBINATION", f"{S}.NotAction")}),
    "empty_resource": (MANAGED, managed(Resource=[]), {("EMPTY_ARRAY_RESOURCE", f"{S}.Resource")}),
    "unknown_version": (MANAGED, managed(Version="2013-10-17"), {("INVALID_VERSION", "$.Version")}),
    "unknown_principal_key": (TRUST, trust(Principal={"Role": ROLE}), {("INVALID_PRINCIPAL_KEY", f"{S}.Principal.Role")}),
    # elements and kinds
    "older_version_of_a_managed_policy": (MANAGED, managed(Version="2008-10-17"), {("INVALID_VERSION", "$.Version")}),
    "no_version": (TRUST, trust(Version=None), {("MISSING_VERSION", "$")}),
    "principal_in_an_identity_policy": (MANAGED, managed(Principal="*"), {("UNSUPPORTED_PRINCIPAL", f"{S}.Principal")}),
    "principal_in_an_scp": (Kind.SCP, managed(Principal="*"), {("SCP_SYNTAX_ERROR_PRINCIPAL", f"{S}.Principal")}),
    "no_principal": (RESOURCE, managed(), {("MISSING_PRINCIPAL", S)}),
    "nobody": (RESOURCE, resource(Principal={}), {("EMPTY_OBJECT_PRINCIPAL", f"{S}.Principal")}),
    "nobody_in_a_list": (RESOURCE, resource(Principal={"AWS": []}), {("EMPTY_ARRAY_PRINCIPAL", f"{S}.Principal")}),
    "no_resource": (MANAGED, managed(Resource=None), {("MISSING_RESOURCE", S)}),
    "resource_in_a_trust_policy": (TRUST, trust(Resource="*"), {("ROLE_TRUST_POLICY_SYNTAX_ERROR_RESOURCE", f"{S}.Resource")}),
    "not_principal_in_a_trust_policy": (
        TRUST,
        trust(Effect="Deny", Principal=None, NotPrincipal={"AWS": "111122223333"}),
        {("ROLE_TRUST_POLICY_SYNTAX_ERROR_NOT_PRINCIPAL", f"{S}.NotPrincipal")},
    ),
    "rcp_that_allows": (Kind.RCP, rcp(Effect="Allow"), {("RCP_SYNTAX_ERROR_ALLOW", f"{S}.Effect")}),
    "rcp_with_not_action": (Kind.RCP, rcp(Action=None, NotAction="s3:*"), {("RCP_SYNTAX_ERROR_NOT_ACTION", f"{S}.NotAction")}),
    "rcp_with_every_action": (
        Kind.RCP,
        rcp(Action=["s3:Get*", "*"]),
        {
            ("RCP_SYNTAX_ERROR_ACTION_WILDCARD", f"{S}.Action[1]"),
            ("REDUNDANT_ACTION", f"{S}.Action[0]"),
        },
    ),
    "rcp_about_an_account": (Kind.RCP, rcp(Principal={"AWS": "111122223333"}), {("RCP_SYNTAX_ERROR_PRINCIPAL", f"{S}.Principal")}),
    "sid_twice": (
        MANAGED,
        statements(LIST | {"Sid": "a"}, LIST | {"Sid": "a", "Action": "s3:GetObject"}),
        {("UNIQUE_SIDS_REQUIRED", "$.Statement[1].Sid")},
    ),
    "sid_twice_in_a_resource_policy": (
        RESOURCE,
        statements(*(FOR_ROLE | {"Sid": "a b", "Action": action} for action in ("s3:Get*", "s3:Put*"))),
        {("UNIQUE_SIDS_RECOMMENDED", "$.Statement[1].Sid")},
    ),
    "sid_with_space": (MANAGED, managed(Sid="a b"), {("UNSUPPORTED_SID", f"{S}.Sid")}),
    "sid_empty": (MANAGED, managed(Sid=""), {("EMPTY_SID_VALUE", f"{S}.Sid")}),
    "condition_empty": (MANAGED, managed(Condition={}), {("EMPTY_OBJECT_CONDITION", f"{S}.Condition")}),
    "condition_without_values": (
        MANAGED,
        managed(Condition=when("StringEquals", "aws:username", [])),
        {("EMPTY_ARRAY_CONDITION", '$.Statement[0].Condition.StringEquals["aws:username"]')},
    ),
    "too_large": (MANAGED, managed(Action="s3:" + "A" * 6_144), {("POLICY_SIZE_EXCEEDS_IDENTITY_POLICY_QUOTA", "$")}),
    "too_large_a_trust_policy": (TRUST, trust(Sid="A" * 2_048), {("POLICY_SIZE_EXCEEDS_ROLE_TRUST_POLICY_QUOTA", "$")}),
    "too_large_a_resource_policy": (RESOURCE, resource(Sid="A" * 20_480), {("POLICY_SIZE_EXCEEDS_RESOURCE_POLICY_QUOTA", "$")}),
    "too_large_an_scp": (Kind.SCP, managed(Sid="A" * 5_120), {("POLICY_SIZE_EXCEEDS_SCP_QUOTA", "$")}),
    "too_large_an_rcp": (Kind.RCP, rcp(Sid="A" * 5_120), {("POLICY_SIZE_EXCEEDS_RCP_QUOTA", "$")}),
    # actions
    "action_without_vendor": (MANAGED, managed(Action=["s3:GetObject", "Get"]), {("INVALID_ACTION", f"{S}.Action[1]")}),
    "action_with_two_colons": (MANAGED, managed(Action="a:b:c"), {("INVALID_ACTION", f"{S}.Action")}),
    "action_without_name": (MANAGED, managed(Action="s3:"), {("INVALID_ACTION", f"{S}.Action")}),
    "vendor_with_space": (MANAGED, managed(Action="a b:c"), {("INVALID_SERVICE_IN_ACTION", f"{S}.Action")}),
    "vendor_with_wildcard": (MANAGED, managed(Action="s*:Get"), {("WILDCARD_IN_SERVICE_NAME", f"{S}.Action")}),
    "action_that_assumes_no_role": (
        TRUST,
        trust(Action=["sts:AssumeRole", "sts:GetCallerIdentity"]),
        {("UNSUPPORTED_ACTION_IN_POLICY", f"{S}.Action[1]")},
    ),
    "saml_provider_assuming_without_saml": (
        TRUST,
        trust(Principal={"Federated": "arn:aws:iam::111122223333:saml-provider/corp"}),
        {("MISMATCHED_ACTION_FOR_PRINCIPAL", f"{S}.Principal.Federated")},
    ),
    "two_stars": (
        MANAGED,
        managed(Action="s3:Get**", Resource="arn:aws:s3:::b/**"),
        {
            ("REDUNDANT_WILDCARD", f"{S}.Action"),
            ("REDUNDANT_WILDCARD", f"{S}.Resource"),
        },
    ),
    # resources
    "resource_is_no_arn": (MANAGED, managed(Resource="bucket"), {("INVALID_ARN_PREFIX", f"{S}.Resource")}),
    "resource_prefix": (MANAGED, managed(Resource="urn:aws:s3:::b"), {("INVALID_ARN_PREFIX", f"{S}.Resource")}),
    "resource_partition": (MANAGED, managed(Resource="arn:azure:s3:::b"), {("INVALID_PARTITION", f"{S}.Resource")}),
    "resource_service_wildcard": (MANAGED, managed(Resource="arn:aws:*:::b"), {("INVALID_SERVICE", f"{S}.Resource")}),
    "resource_of_five_fields": (MANAGED, managed(Resource="arn:aws:sqs::queue"), {("MISSING_ARN_FIELD", f"{S}.Resource")}),
    "resource_of_three_fields": (
        MANAGED,
        managed(Resource=["arn:aws:sqs:::q", "arn:aws:sqs"]),
        {("MISSING_ARN_FIELD", f"{S}.Resource[1]")},
    ),
    "resource_service_case": (MANAGED, managed(Resource="arn:aws:S3:::b"), {("INVALID_ARN_SERVICE_CASE", f"{S}.Resource")}),
    "resource_region": (MANAGED, managed(Resource="arn:aws:sqs:Frankfurt:111122223333:q"), {("INVALID_ARN_REGION", f"{S}.Resource")}),
    "resource_account": (MANAGED, managed(Resource="arn:aws:sqs:eu-west-1:11112222333:q"), {("INVALID_ARN_ACCOUNT", f"{S}.Resource")}),
    "iam_region": (MANAGED, managed(Resource="arn:aws:iam:eu-west-1::user/a"), {("ARN_REGION_NOT_ALLOWED", f"{S}.Resource")}),
    "bucket_account": (MANAGED, managed(Resource="arn:aws:s3::111122223333:b"), {("ARN_ACCOUNT_NOT_ALLOWED", f"{S}.Resource")}),
    "iam_path": (MANAGED, managed(Resource="arn:aws:iam::111122223333:users/a"), {("INVALID_ARN_RESOURCE", f"{S}.Resource")}),
    # principals
    "principal_group": (
        RESOURCE,
        resource(Principal={"AWS": [ROLE, "arn:aws:iam::111122223333:group/a"]}),
        {("INVALID_PRINCIPAL_FORMAT", f"{S}.Principal.AWS[1]")},
    ),
    "principal_wildcard": (
        RESOURCE,
        resource(Principal={"AWS": "arn:aws:iam::111122223333:role/*"}),
        {("UNSUPPORTED_WILDCARD_IN_PRINCIPAL", f"{S}.Principal.AWS")},
    ),
    "principal_service": (
        TRUST,
        trust(Principal={"Service": "ec2/amazonaws"}),
        {
            ("INVALID_SERVICE_PRINCIPAL_FORMAT", f"{S}.Principal.Service"),
        },
    ),
    "principal_provider": (
        TRUST,
        trust(Principal={"Federated": "corp"}, Action="sts:AssumeRoleWithWebIdentity", Condition=when("StringEquals", "corp:aud", "x")),
        {("INVALID_FEDERATED_PRINCIPAL_SYNTAX_IN_ROLE_TRUST_POLICY", f"{S}.Principal.Federated")},
    ),
    "principal_twice": (RESOURCE, resource(Principal={"AWS": [ROLE, ROLE]}), {("REDUNDANT_PRINCIPAL", f"{S}.Principal.AWS[1]")}),
    "everyone": (RESOURCE, resource(Principal={"AWS": "*"}), {("WILDCARD_PRINCIPAL_WITHOUT_CONDITION", f"{S}.Principal")}),
    "everyone_but": (
        RESOURCE,
        resource(Principal=None, NotPrincipal={"AWS": ROLE}),
        {("ALLOW_WITH_NOT_PRINCIPAL", f"{S}.NotPrincipal")},
    ),
    "service_for_any_source": (
        RESOURCE,
        resource(Principal={"Service": "logs.example"}),
        {("RESTRICT_ACCESS_TO_SERVICE_PRINCIPAL", f"{S}.Principal.Service")},
    ),
    "provider_for_any_audience": (
        TRUST,
        trust(Principal={"Federated": "idp.example"}, Action="sts:AssumeRoleWithWebIdentity"),
        {("MISSING_CONDITION_KEY_FOR_OIDC_PRINCIPAL", f"{S}.Principal.Federated")},
    ),
}
