"""Who a policy may name: accounts, users, roles, sessions, services, identity providers.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

import re
from collections.abc import Iterator

from sekisho import arn
from sekisho.policy.checks.coverage import is_wild
from sekisho.policy.checks.resources import PARTITIONS
from sekisho.policy.checks.subject import Subject, at, principal_element, principals, short
from sekisho.policy.document import Flaw
from sekisho.policy.kinds import Kind

_UNIQUE_ID = re.compile(r"A[A-Z0-9]{15,127}")  # what AWS stores, and shows once the user or role is gone
_CANONICAL = re.compile(r"[0-9a-f]{64}")
_SERVICE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_HOST = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(/[A-Za-z0-9._/-]*)?")
_NAMED = {  # service -> what the resource of a principal's ARN begins with
    "iam": ("user/", "role/"),
    "sts": ("assumed-role/", "federated-user/"),
}
# Whom CloudFront reads a bucket as: a user of no account, whose name has spaces.
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3-oai.html
_ORIGIN_ACCESS = re.compile(r"arn:[a-z-]+:iam::cloudfront:user/CloudFront Origin Access Identity E[A-Z0-9]{1,32}")
# AWS writes these two in capitals when it refuses them, and leaves `AWS` and the rest as they are in the document.
_SHOWN = {"Service": "SERVICE", "Federated": "FEDERATED", "CanonicalUser": "CanonicalUser", "AWS": "AWS"}


def principal_format(subject: Subject) -> Iterator[Flaw]:
    """Each kind of principal has its own form, and no form has a wildcard, but for the lone `*`."""
    for statement in subject.statements:
        for kind, value, path in principals(statement):
            if not (issue := _fault(kind, value)) or (subject.kind is Kind.RESOURCE and kind == "AWS" and _ORIGIN_ACCESS.fullmatch(value)):
                continue
            sentence = f'Invalid principal in policy: "{_SHOWN[kind]}":"{value}"'
            yield Flaw(path, issue, f"{short(value)} is nobody that {kind} can name", sentence)


def repeated_principal(subject: Subject) -> Iterator[Flaw]:
    """A principal that stands twice, or beside everyone."""
    for statement in subject.statements:
        seen: set[tuple[str, str]] = set()
        for kind, value, path in principals(statement):
            if (kind, value) in seen or (kind == "AWS" and value != "*" and statement.principals and statement.principals.everyone):
                yield Flaw(path, "REDUNDANT_PRINCIPAL", f"{short(value)} is named already")
            seen.add((kind, value))


def everyone_without_condition(subject: Subject) -> Iterator[Flaw]:
    """An Allow to everyone that nothing narrows."""
    if subject.kind not in (Kind.RESOURCE, Kind.TRUST):
        return
    for statement in subject.statements:
        named = statement.principals
        if statement.effect == "Allow" and named and named.everyone and not statement.not_principal and not statement.conditions:
            path = at(statement, principal_element(statement))
            yield Flaw(path, "WILDCARD_PRINCIPAL_WITHOUT_CONDITION", "this grants to everyone, in every account and outside of all")


def all_but_some(subject: Subject) -> Iterator[Flaw]:
    """`Allow` with NotPrincipal grants to everyone whom nobody thought of, anonymous callers included."""
    for statement in subject.statements:
        if statement.effect == "Allow" and statement.not_principal:
            path = at(statement, "NotPrincipal")
            yield Flaw(path, "ALLOW_WITH_NOT_PRINCIPAL", "this grants to everyone who is not listed", at_key=True)


def service_without_source(subject: Subject) -> Iterator[Flaw]:
    """A service acts for many customers: without a condition on the source it can be made to act for another one."""
    if subject.kind is not Kind.RESOURCE:
        return
    sources = ("aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths")
    for statement in subject.statements:
        keyed = any(condition.key.lower() in sources for condition in statement.conditions)
        if statement.effect == "Deny" or statement.not_principal or keyed:
            continue
        for kind, value, path in principals(statement):
            if kind == "Service":
                detail = f"narrow {short(value)} with aws:SourceArn, aws:SourceAccount or aws:SourceOrgID"
                yield Flaw(path, "RESTRICT_ACCESS_TO_SERVICE_PRINCIPAL", detail)


def provider_without_subject(subject: Subject) -> Iterator[Flaw]:
    """Everybody who can sign in at the provider may assume a role that asks for no audience and no subject."""
    if subject.kind is not Kind.TRUST:
        return
    for statement in subject.statements:
        keyed = any(condition.key.lower().endswith((":aud", ":sub", ":amr", ":azp", ":oaud")) for condition in statement.conditions)
        if statement.effect == "Deny" or statement.not_principal or keyed:
            continue
        for kind, value, path in principals(statement):
            if kind == "Federated" and ":saml-provider/" not in value:
                detail = f"narrow {short(value)} with a condition on its `:aud` or `:sub`"
                yield Flaw(path, "MISSING_CONDITION_KEY_FOR_OIDC_PRINCIPAL", detail)


def _fault(kind: str, value: str) -> str:
    """The issue with one principal, or `""`."""
    if kind == "AWS":
        return _aws_fault(value)
    if is_wild(value):
        return "UNSUPPORTED_WILDCARD_IN_PRINCIPAL"
    if kind == "Service":
        return "" if _SERVICE.fullmatch(value) else "INVALID_SERVICE_PRINCIPAL_FORMAT"
    if kind == "Federated":
        provider = _fields(value, "iam")
        known = provider.startswith(("oidc-provider/", "saml-provider/")) if provider else _HOST.fullmatch(value)
        return "" if known else "INVALID_FEDERATED_PRINCIPAL_SYNTAX_IN_ROLE_TRUST_POLICY"
    return "" if _CANONICAL.fullmatch(value) else "INVALID_PRINCIPAL_FORMAT"


def _aws_fault(value: str) -> str:
    if value == "*" or arn.is_account_id(value) or _UNIQUE_ID.fullmatch(value):
        return ""
    if is_wild(value):
        return "UNSUPPORTED_WILDCARD_IN_PRINCIPAL"
    for service, beginnings in _NAMED.items():
        name = _fields(value, service)
        if name == "root" and service == "iam":
            return ""
        if any(name.startswith(beginning) and len(name) > len(beginning) for beginning in beginnings):
            return ""
    return "INVALID_PRINCIPAL_FORMAT"


def _fields(value: str, service: str) -> str:
    """The resource of an ARN of that service, of a twelve-digit account and of no region; `""` for anything else."""
    parts = value.split(":", 5)
    fits = len(parts) == 6 and parts[0] == "arn" and parts[1] in PARTITIONS and parts[2] == service and not parts[3]
    return parts[5] if fits and arn.is_account_id(parts[4]) else ""
