"""Elements that a document has and should not, or should have and has not: version, principal, resource, statement ids, empty lists."""

import re
from collections.abc import Iterator

from sekisho.policy import strict_json
from sekisho.policy.checks.subject import (
    Subject,
    at,
    conditions,
    principal_element,
    resource_element,
    short,
)
from sekisho.policy.document import OLD_VERSION, VERSION, Flaw
from sekisho.policy.kinds import UNFIT_FOR_TYPE, Kind

DUPLICATE_SIDS = "Statement IDs (SID) in a single policy must be unique."
ALPHANUMERIC_SIDS = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"

_SID = re.compile(r"[0-9A-Za-z]*")


def version(subject: Subject) -> Iterator[Flaw]:
    """A document without the present version: some kinds are refused, the others have no variables."""
    if subject.policy.version != OLD_VERSION:
        return
    if ("Version",) not in subject.positions.values:
        yield Flaw((), "MISSING_VERSION", f'add `"Version": "{VERSION}"`: without it variables are plain text', subject.demands.old_version)
    elif subject.demands.old_version:
        yield Flaw(("Version",), "INVALID_VERSION", f"this kind of policy needs version {VERSION}", subject.demands.old_version)


def statement_ids(subject: Subject) -> Iterator[Flaw]:
    """An id stands once in a document; the empty one is none."""
    foreign = subject.kind is Kind.RESOURCE  # each service has its own rules for these; S3 for one takes spaces
    seen: set[str] = set()
    for statement in subject.statements:
        sid, path = statement.sid, at(statement, "Sid")
        if sid is None:
            continue
        if sid == "":
            yield Flaw(path, "EMPTY_SID_VALUE", "the Sid says nothing; leave it out or fill it")
        elif sid in seen:
            issue = "UNIQUE_SIDS_RECOMMENDED" if foreign else "UNIQUE_SIDS_REQUIRED"
            yield Flaw(path, issue, f"Sid {short(sid)} stands in an earlier statement too", "" if foreign else DUPLICATE_SIDS)
        seen.add(sid)


def statement_id_characters(subject: Subject) -> Iterator[Flaw]:
    """Ids are letters and digits, but for resource policies, where each service has its own rule."""
    for statement in subject.statements:
        if subject.kind is not Kind.RESOURCE and statement.sid is not None and not _SID.fullmatch(statement.sid):
            yield Flaw(at(statement, "Sid"), "UNSUPPORTED_SID", f"Sid {short(statement.sid)}: letters and digits only", ALPHANUMERIC_SIDS)


def principal(subject: Subject) -> Iterator[Flaw]:
    """Who is named where nobody may be, or nobody where somebody must."""
    demands = subject.demands
    for statement in subject.statements:
        named = statement.principals
        path = at(statement, principal_element(statement))
        if named is None and demands.no_principal:
            yield Flaw(at(statement), "MISSING_PRINCIPAL", "a policy of this kind says to whom it applies", demands.no_principal)
        elif named is not None and demands.principal:
            issue = "SCP_SYNTAX_ERROR_PRINCIPAL" if subject.kind is Kind.SCP else "UNSUPPORTED_PRINCIPAL"
            detail = "a policy of this kind applies to what it is attached to and names no principal"
            yield Flaw(path, issue, detail, demands.principal, at_key=True)
        elif named is not None and subject.kind is Kind.TRUST and statement.not_principal:
            detail = "a trust policy names whom it trusts, with Principal"
            yield Flaw(path, "ROLE_TRUST_POLICY_SYNTAX_ERROR_NOT_PRINCIPAL", detail, "Has prohibited field NotPrincipal", at_key=True)
        elif named is not None and not (named.any or named.aws or named.service or named.federated or named.canonical):
            empty = "EMPTY_ARRAY_PRINCIPAL" if (*path, "AWS") in subject.positions.values else "EMPTY_OBJECT_PRINCIPAL"
            yield Flaw(path, empty, "the element names nobody", demands.no_principal)


def resource(subject: Subject) -> Iterator[Flaw]:
    """A statement without a resource, where the kind demands one."""
    demands = subject.demands
    for statement in subject.statements:
        if statement.resources is None and demands.no_resource:
            yield Flaw(at(statement), "MISSING_RESOURCE", "a policy of this kind says to which resources it applies", demands.no_resource)


def prohibited_resource(subject: Subject) -> Iterator[Flaw]:
    """A resource in a trust policy."""
    demands = subject.demands
    for statement in subject.statements:
        if statement.resources is not None and demands.resource:
            element = resource_element(statement)
            detail = "the resource of a trust policy is the role that has it"
            path = at(statement, element)
            yield Flaw(path, "ROLE_TRUST_POLICY_SYNTAX_ERROR_RESOURCE", detail, demands.resource.format(element), at_key=True)


def resource_control(subject: Subject) -> Iterator[Flaw]:
    """A resource control policy only denies, to everyone, by action."""
    if subject.kind is not Kind.RCP:
        return
    for statement in subject.statements:
        named = statement.principals
        if statement.effect == "Allow":
            yield Flaw(at(statement, "Effect"), "RCP_SYNTAX_ERROR_ALLOW", "only `Deny` has an effect here", UNFIT_FOR_TYPE)
        if statement.not_action:
            yield Flaw(
                at(statement, "NotAction"), "RCP_SYNTAX_ERROR_NOT_ACTION", "list the actions with Action", UNFIT_FOR_TYPE, at_key=True
            )
        if not statement.not_action and "*" in statement.actions:
            path = at(statement, "Action", statement.actions.index("*"))
            yield Flaw(path, "RCP_SYNTAX_ERROR_ACTION_WILDCARD", "a lone `*` is not taken; name a service, `s3:*`", UNFIT_FOR_TYPE)
        if named is not None and (statement.not_principal or not named.any):
            path = at(statement, principal_element(statement))
            yield Flaw(path, "RCP_SYNTAX_ERROR_PRINCIPAL", 'write `"Principal": "*"` and name principals in conditions', UNFIT_FOR_TYPE)


def empty_conditions(subject: Subject) -> Iterator[Flaw]:
    """A Condition without conditions, a condition without values."""
    known = subject.positions.values
    for statement in subject.statements:
        path = at(statement, "Condition")
        if not statement.conditions and subject.positions.resolve(path)[-1] == "Condition":
            yield Flaw(path, "EMPTY_OBJECT_CONDITION", "the element holds no condition, so the statement always applies")
    for _, condition, path in conditions(subject):
        if not condition.values and subject.positions.resolve(path) in known:
            yield Flaw(path, "EMPTY_ARRAY_CONDITION", f"{short(condition.key)} has no value to be compared with")


def policy_size(subject: Subject) -> Iterator[Flaw]:
    """More characters than the quota of the kind."""
    counted = strict_json.size(subject.text)
    if counted > subject.demands.quota:
        yield Flaw((), subject.demands.quota_issue, f"{counted} characters without white space; {subject.demands.quota} are allowed")
