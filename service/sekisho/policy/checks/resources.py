"""What a resource pattern looks like: `*`, or an ARN whose partition and service are written out.

Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
and https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
"""

import re
from collections.abc import Iterator

from sekisho import arn
from sekisho.policy.checks.coverage import is_wild
from sekisho.policy.checks.subject import Subject, resources, short
from sekisho.policy.document import LEGACY, Flaw
from sekisho.policy.kinds import Kind

IAM_PATHS = (
    "user/",
    "federated-user/",
    "role/",
    "group/",
    "instance-profile/",
    "mfa/",
    "server-certificate/",
    "policy/",
    "sms-mfa/",
    "saml-provider/",
    "oidc-provider/",
    "report/",
    "access-report/",
)
PARTITIONS = frozenset(("aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc", "*"))

_VARIABLE = re.compile(r"\$\{[^${}]*\}|\$\{\$\}")
_REGION = re.compile(r"[a-z][a-z0-9-]*[0-9]")
_ACCOUNT_WORDS = frozenset(("", "aws", "aws-managed"))
_NO_REGION = {
    "iam": "IAM resource {} cannot contain region information.",
    "s3": "Resource {} can not contain region information.",
}


def legacy_format(subject: Subject) -> Iterator[Flaw]:
    """An ARN that stops after the account, or has no service."""
    for resource, path in resources(subject):
        parts = _parts(resource)
        if len(parts) > 2 and parts[1] in PARTITIONS and (len(parts) == 5 or not parts[2]):
            yield Flaw(path, "MISSING_ARN_FIELD", f"{short(resource)} lacks a field: arn:partition:service:region:account:resource", LEGACY)


def resource_format(subject: Subject) -> Iterator[Flaw]:
    """`*`, or an ARN of a known partition and a service that is written out; the order of the faults is AWS's."""
    for resource, path in resources(subject):
        if resource == "*":
            continue
        parts = _parts(resource)
        if len(parts) == 1:
            detail = f"{short(resource)} is neither `*` nor an ARN"
            yield Flaw(path, "INVALID_ARN_PREFIX", detail, f'Resource {resource} must be in ARN format or "*".')
        elif parts[1] not in PARTITIONS:
            # AWS shows the ARN as it read it: its own prefix in front, `*` for every field that is not there.
            filled = ":".join(("arn", *resource.split(":", 5)[1:], *["*"] * (6 - len(parts))))
            sentence = f'Partition "{parts[1]}" is not valid for resource "{filled}".'
            yield Flaw(path, "INVALID_PARTITION", f"{short(parts[1])} is no partition", sentence)
        elif parts[0] != "arn":
            detail = f"{short(resource)} has to begin with `arn:`"
            yield Flaw(path, "INVALID_ARN_PREFIX", detail, f'Resource {resource} must be in ARN format or "*".')
        elif len(parts) < 3 or is_wild(parts[2]):
            sentence = "Resource vendor must be fully qualified and cannot contain regexes."
            yield Flaw(path, "INVALID_SERVICE", f"{short(resource)}: write the service out", sentence)
        elif _is_refused(subject, resource, parts):
            # Fields are completed in identity-based policies only; a service takes no such ARN into a policy of its resources.
            detail = f"{short(resource)} lacks a field: arn:partition:service:region:account:resource"
            yield Flaw(path, "MISSING_ARN_FIELD", detail, f'Resource {resource} must be in ARN format or "*".')
        else:
            yield from _service_format(resource, parts, path)


def resource_fields(subject: Subject) -> Iterator[Flaw]:
    """What AWS stores without a word although it matches nothing, or more than it says."""
    for resource, path in resources(subject):
        parts = _parts(resource)
        if len(parts) < 3 or parts[0] != "arn" or not parts[2]:
            continue
        if parts[2] != parts[2].lower():
            yield Flaw(path, "INVALID_ARN_SERVICE_CASE", f"{short(parts[2])}: services are written in lower case")
        if len(parts) in (3, 4) and not _is_refused(subject, resource, parts):
            detail = f"{short(resource)} lacks fields, for each of which a `*` is read: arn:partition:service:region:account:resource"
            yield Flaw(path, "MISSING_ARN_FIELD", detail)
        if len(parts) == 6:
            yield from _region_and_account(resource, parts, path)
        if "**" in resource:
            yield Flaw(path, "REDUNDANT_WILDCARD", f"{short(resource)}: one `*` already matches everything")


def _service_format(resource: str, parts: list[str], path: tuple[str | int, ...]) -> Iterator[Flaw]:
    service = parts[2]
    region, account, name = [*parts[3:], "", "", ""][:3]
    # Access points and the like are regional and have an account; what has no account is a bucket or an object, and those are global.
    regional = service == "s3" and account
    if service in _NO_REGION and region not in ("", "*") and not regional:
        yield Flaw(path, "ARN_REGION_NOT_ALLOWED", f"{short(resource)} has no region", _NO_REGION[service].format(resource))
    # The root user, which sts:AssumeRoot is about, is not in AWS's sentence.
    elif service == "iam" and len(parts) == 6 and not (name == "root" or name.startswith(("*", *IAM_PATHS))):
        sentence = f'IAM resource path must either be "*" or start with {", ".join(IAM_PATHS)}.'
        yield Flaw(path, "INVALID_ARN_RESOURCE", f"{short(name)} is no kind of IAM resource", sentence)


def _region_and_account(resource: str, parts: list[str], path: tuple[str | int, ...]) -> Iterator[Flaw]:
    _, _, service, region, account, name = parts
    if region and not is_wild(region) and not _REGION.fullmatch(region):
        yield Flaw(path, "INVALID_ARN_REGION", f"{short(region)} in {short(resource)} is no region")
    if account not in _ACCOUNT_WORDS and not is_wild(account) and not arn.is_account_id(account):
        yield Flaw(path, "INVALID_ARN_ACCOUNT", f"{short(account)} in {short(resource)} is no account: twelve digits")
    if service == "s3" and account and not region and not name.startswith(("accesspoint", "storage-lens")):
        yield Flaw(path, "ARN_ACCOUNT_NOT_ALLOWED", f"{short(resource)}: buckets and objects have no account in their ARN")


def _is_refused(subject: Subject, resource: str, parts: list[str]) -> bool:
    """Whether a service refuses the ARN for the fields that it lacks."""
    return subject.kind is Kind.RESOURCE and len(parts) < 6 and not resource.endswith("*")


def _parts(resource: str) -> list[str]:
    """The fields of an ARN; a variable, whose name may have colons, stands as a `*`."""
    return _VARIABLE.sub("*", resource).split(":", 5)
