"""What there is to say about a policy document: every finding with its place, none of them a refusal.

Classes and names are those of IAM Access Analyzer's ValidatePolicy; where it has none for a thing, the name is ours and marked so below.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-reference-policy-checks.html
"""

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from sekisho.policy import document, positions, steps, strict_json
from sekisho.policy.checks import actions, conditions, defined, elements, keys, principals, redundancy, resources, risks, variables
from sekisho.policy.checks.subject import Check, Subject
from sekisho.policy.definitions import ServiceDefinition
from sekisho.policy.document import SYNTAX, Flaw
from sekisho.policy.kinds import Kind

MAX_FINDINGS = 500  # a document of many thousand faults is not read to its end by anybody


class Severity(enum.StrEnum):
    """Access Analyzer's four classes of findings."""

    ERROR = "ERROR"  # a part of the policy does not work
    SECURITY_WARNING = "SECURITY_WARNING"  # it grants more than it should
    WARNING = "WARNING"  # it works, against good practice
    SUGGESTION = "SUGGESTION"  # it could be said better


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark on a policy; line and column count from 1 and point at the value, or at the key where that is what is wrong."""

    severity: Severity
    issue: str
    message: str
    path: str  # $.Statement[0].Action[1]
    line: int
    column: int


_NAMES = {
    Severity.ERROR: """
        ARN_ACCOUNT_NOT_ALLOWED ARN_REGION_NOT_ALLOWED DATA_TYPE_MISMATCH DUPLICATE_KEYS_WITH_DIFFERENT_CASE EMPTY_VARIABLE
        INVALID_ACTION INVALID_ARN_ACCOUNT INVALID_ARN_PREFIX INVALID_ARN_REGION INVALID_ARN_RESOURCE INVALID_ARN_SERVICE_CASE
        INVALID_CONDITION_KEY_FORMAT INVALID_CONDITION_MULTIPLE_BOOLEAN INVALID_CONDITION_OPERATOR INVALID_EFFECT
        INVALID_FEDERATED_PRINCIPAL_SYNTAX_IN_ROLE_TRUST_POLICY INVALID_GLOBAL_CONDITION_KEY INVALID_PARTITION INVALID_POLICY_ELEMENT
        INVALID_PRINCIPAL_FORMAT INVALID_PRINCIPAL_KEY INVALID_SERVICE INVALID_SERVICE_IN_ACTION INVALID_SERVICE_PRINCIPAL_FORMAT
        INVALID_VARIABLE_FOR_OPERATOR INVALID_VERSION JSON_SYNTAX_ERROR MISMATCHED_ACTION_FOR_PRINCIPAL MISSING_ACTION MISSING_ARN_FIELD
        MISSING_BRACE_IN_VARIABLE MISSING_EFFECT MISSING_PRINCIPAL MISSING_QUALIFIER MISSING_QUOTE_IN_VARIABLE MISSING_RESOURCE
        MISSING_STATEMENT MISSING_TAG_KEY_IN_CONDITION NULL_WITH_IF_EXISTS NULL_WITH_QUALIFIER
        POLICY_SIZE_EXCEEDS_RCP_QUOTA POLICY_SIZE_EXCEEDS_SCP_QUOTA
        RCP_SYNTAX_ERROR_ACTION_WILDCARD RCP_SYNTAX_ERROR_ALLOW RCP_SYNTAX_ERROR_NOT_ACTION RCP_SYNTAX_ERROR_PRINCIPAL
        ROLE_TRUST_POLICY_SYNTAX_ERROR_NOT_PRINCIPAL ROLE_TRUST_POLICY_SYNTAX_ERROR_RESOURCE SCP_SYNTAX_ERROR_PRINCIPAL
        TYPE_MISMATCH_IP_RANGE UNIQUE_SIDS_REQUIRED UNSUPPORTED_ACTION_IN_POLICY UNSUPPORTED_ELEMENT_COMBINATION UNSUPPORTED_PRINCIPAL
        UNSUPPORTED_SID UNSUPPORTED_SPACE_IN_VARIABLE UNSUPPORTED_WILDCARD_IN_PRINCIPAL VARIABLE_UNSUPPORTED_IN_ELEMENT
        VARIABLE_UNSUPPORTED_IN_VERSION
    """,
    Severity.SECURITY_WARNING: """
        ALLOW_WITH_NOT_PRINCIPAL FORALLVALUES_WITH_SINGLE_VALUED_KEY MISSING_CONDITION_KEY_FOR_OIDC_PRINCIPAL
        PASS_ROLE_WITH_NOT_ACTION_AND_NOT_RESOURCE PASS_ROLE_WITH_NOT_RESOURCE PASS_ROLE_WITH_STAR_IN_ACTION_AND_NOT_RESOURCE
        PASS_ROLE_WITH_STAR_IN_ACTION_AND_RESOURCE PASS_ROLE_WITH_STAR_IN_RESOURCE PASS_ROLE_WITH_STAR_IN_RESOURCE_AND_NOT_ACTION
        RESTRICT_ACCESS_TO_SERVICE_PRINCIPAL STRING_LIKE_OPERATOR_WITH_ARN_CONDITION_KEYS
    """,
    Severity.WARNING: """
        CREATE_SLR_WITH_NOT_ACTION_AND_NOT_RESOURCE CREATE_SLR_WITH_NOT_RESOURCE CREATE_SLR_WITH_STAR_IN_ACTION_AND_NOT_RESOURCE
        CREATE_SLR_WITH_STAR_IN_ACTION_AND_RESOURCE CREATE_SLR_WITH_STAR_IN_RESOURCE CREATE_SLR_WITH_STAR_IN_RESOURCE_AND_NOT_ACTION
        DEPRECATED_GLOBAL_CONDITION_KEY MISSING_VERSION POLICY_SIZE_EXCEEDS_IDENTITY_POLICY_QUOTA
        POLICY_SIZE_EXCEEDS_RESOURCE_POLICY_QUOTA POLICY_SIZE_EXCEEDS_ROLE_TRUST_POLICY_QUOTA TYPE_MISMATCH TYPE_MISMATCH_BOOLEAN
        TYPE_MISMATCH_DATE TYPE_MISMATCH_NUMBER UNIQUE_SIDS_RECOMMENDED WILDCARD_WITHOUT_LIKE_OPERATOR
    """,
    Severity.SUGGESTION: """
        EMPTY_ARRAY_CONDITION EMPTY_ARRAY_PRINCIPAL EMPTY_ARRAY_RESOURCE EMPTY_OBJECT_CONDITION EMPTY_OBJECT_PRINCIPAL EMPTY_SID_VALUE
        IMPROVE_IP_RANGE REDUNDANT_ACTION REDUNDANT_CONDITION_VALUE_NUM REDUNDANT_RESOURCE REDUNDANT_STATEMENT
        WILDCARD_IN_SERVICE_NAME
    """,
}
_OUR_NAMES = {
    Severity.ERROR: "MULTIVALUED_KEY_IN_VARIABLE RESERVED_TAG_KEY_IN_CONDITION",
    Severity.SECURITY_WARNING: "ALLOW_WITH_NOT_ACTION_AND_NOT_RESOURCE WILDCARD_PRINCIPAL_WITHOUT_CONDITION",
    Severity.WARNING: """
        TYPE_MISMATCH_ARN TYPE_MISMATCH_BINARY UNKNOWN_ACTION UNKNOWN_CONDITION_KEY UNKNOWN_RESOURCE_TYPE UNREACHABLE_STATEMENT
    """,
    Severity.SUGGESTION: "FORANYVALUE_WITH_SINGLE_VALUED_KEY REDUNDANT_PRINCIPAL REDUNDANT_WILDCARD",
}
SEVERITIES = {name: severity for names in (_NAMES, _OUR_NAMES) for severity, listed in names.items() for name in listed.split()}


def is_aws(issue: str) -> bool:
    """Whether Access Analyzer has the name of an issue, so that AWS's page explains it."""
    return any(issue in listed.split() for listed in _NAMES.values())


def _grammar(subject: Subject) -> Iterator[Flaw]:
    yield from subject.grammar


CHECKS: tuple[Check, ...] = (
    _grammar,
    elements.version,
    elements.statement_ids,
    elements.statement_id_characters,
    elements.principal,
    elements.resource,
    elements.prohibited_resource,
    elements.resource_control,
    elements.empty_conditions,
    elements.policy_size,
    actions.action_format,
    actions.assuming_actions,
    actions.action_for_principal,
    actions.repeated_wildcards,
    resources.legacy_format,
    resources.resource_format,
    resources.resource_fields,
    principals.principal_format,
    principals.repeated_principal,
    principals.everyone_without_condition,
    principals.all_but_some,
    principals.service_without_source,
    principals.provider_without_subject,
    conditions.condition_operator,
    conditions.condition_values,
    conditions.key_format,
    conditions.duplicate_keys,
    conditions.value_counts,
    conditions.wildcards_without_like,
    conditions.address_ranges,
    keys.global_keys,
    keys.deprecated_keys,
    keys.operator_for_key,
    keys.set_operators,
    keys.tag_keys,
    keys.keys_of_variables,
    variables.variable_form,
    variables.variable_spaces,
    variables.variable_version,
    variables.variable_element,
    variables.variable_operator,
    risks.pass_role,
    risks.create_service_linked_role,
    risks.all_but_actions_and_resources,
    redundancy.redundant_actions,
    redundancy.redundant_resources,
    redundancy.redundant_statements,
    redundancy.unreachable_statements,
)


OF_DEFINITIONS: tuple[Check, ...] = (defined.unknown_actions, defined.unknown_resource_types, defined.unknown_condition_keys)
"""What definitions of services have to say besides."""


def findings(text: str, kind: Kind, definitions: Mapping[str, ServiceDefinition] | None = None) -> tuple[Finding, ...]:
    """Everything to be said about the document as a policy of this kind, in the order of the text; never raises. `definitions` are those
    of services, by action prefix: what a document names and these do not have is a warning.
    """
    try:
        value = strict_json.decode(text)
    except strict_json.JsonError as error:
        places = positions.locate(text)
        place = places.point(error.offset if error.offset is not None else places.repeated or 0)
        return (Finding(Severity.ERROR, "JSON_SYNTAX_ERROR", error.message, "$", place.line, place.column),)
    policy, grammar = document.read(value)
    subject = Subject(text, kind, policy, grammar, definitions or {})
    # What is wrong in the grammar is read as something else, and remarks on that would mislead.
    checks = (_grammar,) if any(flaw.sentence == SYNTAX for flaw in grammar) else (*CHECKS, *(OF_DEFINITIONS if definitions else ()))
    flaws = islice((flaw for check in checks for flaw in check(subject)), MAX_FINDINGS)
    found = []
    for flaw in flaws:
        steps.step()
        found.append(_finding(flaw, subject))
    return tuple(sorted(dict.fromkeys(found), key=lambda finding: (finding.line, finding.column)))


def _finding(flaw: Flaw, subject: Subject) -> Finding:
    place = subject.positions.at(flaw.path, key=flaw.at_key)
    # What is refused when the document is stored is an error, whatever else it may be.
    severity = Severity.ERROR if flaw.sentence else SEVERITIES[flaw.issue]
    return Finding(severity, flaw.issue, flaw.detail, positions.show(subject.positions.resolve(flaw.path)), place.line, place.column)
