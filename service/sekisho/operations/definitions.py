"""The definitions of our own services, made from what the protos say, so that they are never out of date.

An rpc is an action of its service, unless its `(access)` names other ones; actions that only checks name are actions, too (iam:PassRole).
Levels come from names and `(access)`, resource types from the kinds of its checks, condition keys from `(key)` and from tags. What no proto
says stands in the tables here: how ARNs look, and what a function asks by itself.
Source of the levels: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_understand-policy-summary-access-level-summaries.html
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

from google.protobuf.descriptor import MethodDescriptor

from sekisho.operations import annotations
from sekisho.operations.annotations import Access
from sekisho.operations.registry import packages, rpcs, service
from sekisho.policy import definitions, keys
from sekisho.policy.definitions import ActionDefinition, KeyDefinition, Level, ResourceDefinition, ServiceDefinition

_IAM, _STS = "arn:${Partition}:iam::${Account}:", "arn:${Partition}:sts::${Account}:"
_ORGANIZATIONS, _TRAIL = "arn:${Partition}:organizations::${Account}:", "arn:${Partition}:cloudtrail:${Region}:${Account}:"
_ANALYZER = "arn:${Partition}:access-analyzer:${Region}:${Account}:"

FORMATS: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "access-analyzer": {
            "Analyzer": (_ANALYZER + "analyzer/${AnalyzerName}",),
            "ArchiveRule": (_ANALYZER + "analyzer/${AnalyzerName}/archive-rule/${RuleName}",),
        },
        "account": {
            "account": ("arn:${Partition}:account::${Account}:account",),
            "accountInOrganization": ("arn:${Partition}:account::${ManagementAccountId}:account/o-${OrganizationId}/${MemberAccountId}",),
        },
        "authorize": {
            "assumed-role": (_STS + "assumed-role/${RoleName}/${RoleSessionName}",),
            "role": (_IAM + "role/${RoleNameWithPath}",),
            "root": (_IAM + "root",),
            "user": (_IAM + "user/${UserNameWithPath}",),
        },
        "catalog": {"service": ("arn:${Partition}:catalog::${Account}:service/${ServiceName}",)},
        "cloudtrail": {
            "eventdatastore": (_TRAIL + "eventdatastore/${EventDataStoreId}",),
            "trail": (_TRAIL + "trail/${TrailName}",),
        },
        "iam": {
            "access-report": (_IAM + "access-report/${EntityPath}",),
            "group": (_IAM + "group/${GroupNameWithPath}",),
            "instance-profile": (_IAM + "instance-profile/${InstanceProfileNameWithPath}",),
            "mfa": (_IAM + "mfa/${MfaTokenIdWithPath}",),
            "oidc-provider": (_IAM + "oidc-provider/${OidcProviderName}",),
            "policy": (_IAM + "policy/${PolicyNameWithPath}",),
            "role": (_IAM + "role/${RoleNameWithPath}",),
            "saml-provider": (_IAM + "saml-provider/${SamlProviderName}",),
            "server-certificate": (_IAM + "server-certificate/${CertificateNameWithPath}",),
            "user": (_IAM + "user/${UserNameWithPath}",),
        },
        "organizations": {
            "account": (_ORGANIZATIONS + "account/o-${OrganizationId}/${AccountId}",),
            "handshake": (_ORGANIZATIONS + "handshake/o-${OrganizationId}/${HandshakeType}/h-${HandshakeId}",),
            "organization": (_ORGANIZATIONS + "organization/o-${OrganizationId}",),
            "organizationalunit": (_ORGANIZATIONS + "ou/o-${OrganizationId}/ou-${OrganizationalUnitId}",),
            "policy": (
                _ORGANIZATIONS + "policy/o-${OrganizationId}/${PolicyType}/p-${PolicyId}",
                "arn:${Partition}:organizations::aws:policy/${PolicyType}/p-${PolicyId}",
            ),
            "resourcepolicy": (_ORGANIZATIONS + "resourcepolicy/o-${OrganizationId}/rp-${ResourcePolicyId}",),
            "root": (_ORGANIZATIONS + "root/o-${OrganizationId}/r-${RootId}",),
        },
        "resource": {"resource": ("arn:${Partition}:${Service}:${Region}:${Account}:${Resource}",)},
        "sts": {
            "federated-user": (_STS + "federated-user/${FederatedUserName}",),
            "role": (_IAM + "role/${RoleNameWithPath}",),
            "root": (_IAM + "root",),
            "self": (_STS + "self",),
        },
    }
)
"""By action prefix and resource type: how its ARNs look."""

_ALIASES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("access-analyzer", "analyzer"): ("Analyzer",),
    ("access-analyzer", "archive-rule"): ("ArchiveRule",),
    ("account", "account"): ("account", "accountInOrganization"),
    ("cloudtrail", "queried"): ("eventdatastore",),
    ("cloudtrail", "query"): ("eventdatastore",),
    ("cloudtrail", "tagged"): ("eventdatastore", "trail"),
    ("iam", "access-key"): ("user",),
    ("iam", "access-role"): ("role",),
    ("iam", "deletion-task"): ("role",),
    ("iam", "mfa-device"): ("mfa",),
    ("iam", "mfa-device-name"): ("mfa",),
    ("iam", "mfa-owner"): ("user",),
    ("iam", "oidc-provider-url"): ("oidc-provider",),
    ("iam", "policy-name"): ("policy",),
    ("iam", "policy-source"): ("group", "role", "user"),
    ("iam", "renamed-group"): ("group",),
    ("iam", "renamed-server-certificate"): ("server-certificate",),
    ("iam", "renamed-user"): ("user",),
    ("iam", "saml-provider-name"): ("saml-provider",),
    ("iam", "service-linked-role"): ("role",),
    ("iam", "user-or-all"): ("user",),
    ("organizations", "child"): ("account", "organizationalunit"),
    ("organizations", "invited"): ("account",),
    ("organizations", "parent"): ("organizationalunit", "root"),
    ("organizations", "tagged"): ("account", "organizationalunit", "policy", "resourcepolicy", "root"),
    ("organizations", "target"): ("account", "organizationalunit", "root"),
    ("organizations", "unit"): ("organizationalunit",),
}
"""Kinds of checks that are not called as the types of their resources, by the prefix of the action that is checked."""

_ASKED_BY_FUNCTIONS: tuple[tuple[str, Level, tuple[str, ...], tuple[str, ...]], ...] = (
    ("authorize:AssertPrincipal", Level.WRITE, ("assumed-role", "role", "root", "user"), ()),
    ("sts:AssumeRole", Level.WRITE, ("role",), ("sts:ExternalId", "sts:RoleSessionName", "sts:SourceIdentity", "sts:TransitiveTagKeys")),
    ("sts:AssumeRoleWithSAML", Level.WRITE, ("role",), ("sts:RoleSessionName", "sts:SourceIdentity", "sts:TransitiveTagKeys")),
    ("sts:AssumeRoleWithWebIdentity", Level.WRITE, ("role",), ("sts:RoleSessionName", "sts:SourceIdentity", "sts:TransitiveTagKeys")),
    ("sts:AssumeRoot", Level.WRITE, ("root",), ("sts:TaskPolicyArn",)),
    ("sts:SetSourceIdentity", Level.WRITE, ("role",), ("sts:SourceIdentity",)),
    ("sts:TagSession", Level.TAGGING, ("role",), ("aws:RequestTag/${TagKey}", "aws:TagKeys", "sts:TransitiveTagKeys")),
)
"""What functions ask by themselves, beside the checks of the protos."""

_OF_RESOURCES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("iam", "role"): ("iam:PermissionsBoundary",),
    ("iam", "user"): ("iam:PermissionsBoundary",),
    ("organizations", "policy"): ("organizations:PolicyType",),
    ("sts", "self"): ("sts:DurationSeconds", "sts:SubjectMode"),
}
"""Condition keys that resolvers give, by type."""

_TAGGED: Mapping[str, frozenset[str]] = {
    "access-analyzer": frozenset(("Analyzer",)),
    "cloudtrail": frozenset(("eventdatastore", "trail")),
    "iam": frozenset(FORMATS["iam"]) - {"access-report", "group"},
    "organizations": frozenset(("account", "organizationalunit", "policy", "resourcepolicy", "root")),
    "resource": frozenset(("resource",)),
    "sts": frozenset(("role",)),
}
"""The types whose resources have tags."""

_KEY_TYPES = {
    "iam:permissionsboundary": ("ARN",),
    "iam:policyarn": ("ARN",),
    "sts:durationseconds": ("Numeric",),
    "sts:identitytokenaudience": ("ArrayOfString",),
    "sts:transitivetagkeys": ("ArrayOfString",),
}


@dataclass(slots=True)
class _Found:
    """What is known of an action, gathered from all the checks that name it."""

    level: Level
    resources: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)


@cache
def own() -> Mapping[str, ServiceDefinition]:
    """The definitions of all services of this program, by action prefix."""
    found: dict[str, dict[str, _Found]] = defaultdict(dict)
    for package in packages():
        for method in rpcs(package).values():
            for action, kinds, request_keys in _checked(package, method):
                _add(found, action, _level(package, method, action), kinds, request_keys)
    for action, level, types, more in _ASKED_BY_FUNCTIONS:
        _add(found, action, level, types, more)
    return MappingProxyType({prefix: _definition(prefix, actions) for prefix, actions in sorted(found.items())})


def _checked(package: str, method: MethodDescriptor) -> Iterator[tuple[str, Iterable[str], Iterable[str]]]:
    """The actions that the checks of an rpc name, each with the types of what it is about, and its condition keys."""
    own_action = f"{service(package).prefix}:{method.name}"
    given = tuple(_of_request(method))
    for check in annotations.access(method).check or (Access.Check(),):
        action = check.action or own_action
        prefix = action.partition(":")[0]
        kinds = _ALIASES.get((prefix, check.kind), (check.kind,) if check.kind else ())
        for kind in kinds:
            if kind not in FORMATS.get(prefix, ()):
                raise TypeError(f"no format of ARNs is known for the kind `{check.kind}` that {action} is checked on")
        yield action, kinds, given


def _add(found: dict[str, dict[str, _Found]], action: str, level: Level, kinds: Iterable[str], request_keys: Iterable[str]) -> None:
    prefix, _, name = action.partition(":")
    known = found[prefix].setdefault(name, _Found(level))
    known.resources.update(kinds)
    known.keys.update(key for key in request_keys if key.partition(":")[0] in (prefix, "aws"))
    for kind in kinds:
        known.keys.update(_of_type(prefix, kind))


def _level(package: str, method: MethodDescriptor, action: str) -> Level:
    """The level of an action by its own name, and by what the rpc that it is does; what is no rpc writes, as iam:PassRole does."""
    prefix, _, name = action.partition(":")
    if _is_tagging(name):
        return Level.TAGGING
    is_rpc = prefix == service(package).prefix and name == method.name
    level = annotations.access(method).level if is_rpc else _level_of(prefix, name)
    if level in (Access.READ, Access.DECIDE) or (level == Access.ISSUE and name.startswith("Get")):
        return Level.LIST if name.startswith("List") else Level.READ
    return Level.PERMISSIONS if _grants(name) else Level.WRITE


def _level_of(prefix: str, name: str) -> int:
    """The level of the rpc that an action is, WRITE where it is none."""
    for package in packages():
        if service(package).prefix == prefix:
            for method in rpcs(package).values():
                if method.name == name:
                    return int(annotations.access(method).level)
    return int(Access.WRITE)


def _is_tagging(name: str) -> bool:
    return name.startswith(("Tag", "Untag")) or name in ("AddTags", "RemoveTags")


def _grants(name: str) -> bool:
    """True of a write that changes what somebody is permitted."""
    spared = ("PasswordPolicy", "PolicyType", "PolicyGeneration")
    return ("Policy" in name and not any(one in name for one in spared)) or "PermissionsBoundary" in name


def _of_request(method: MethodDescriptor) -> Iterator[str]:
    """The condition keys that the fields of a request give."""
    fields = method.input_type.fields_by_name
    for one in fields.values():
        if named := annotations.spelled_key(one):
            yield named
    if not {"tags", "tags_list"}.isdisjoint(fields):
        yield from ("aws:RequestTag/${TagKey}", "aws:TagKeys")
    if "tag_keys" in fields:
        yield "aws:TagKeys"


def _of_type(prefix: str, kind: str) -> Iterator[str]:
    yield from _OF_RESOURCES.get((prefix, kind), ())
    if kind in _TAGGED.get(prefix, ()):
        yield from ("aws:ResourceTag/${TagKey}", f"{prefix}:ResourceTag/${{TagKey}}")


def _definition(prefix: str, actions: Mapping[str, _Found]) -> ServiceDefinition:
    types = [ResourceDefinition(name, formats, tuple(sorted(_of_type(prefix, name)))) for name, formats in FORMATS.get(prefix, {}).items()]
    named = {key for found in actions.values() for key in found.keys} | {key for one in types for key in one.keys}
    return definitions.made(
        prefix,
        (ActionDefinition(name, found.level, tuple(sorted(found.resources)), tuple(sorted(found.keys))) for name, found in actions.items()),
        types,
        (KeyDefinition(name, _types(name)) for name in named),
    )


def _types(name: str) -> tuple[str, ...]:
    """The types of a key, in the words of AWS's service reference."""
    known = keys.find(name)
    if known is None:
        return _KEY_TYPES.get(name.lower(), ("String",))
    return ("ArrayOfString",) if known.multivalued else (known.type.value,)
