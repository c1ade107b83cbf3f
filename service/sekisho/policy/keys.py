"""Condition keys: what each global key holds, how many values it has, and who may say so.

A context maps keys in lower case to text, or to a tuple where the key has several values. Keys that the principal owns come from its
records and its session alone; a caller that asks about somebody cannot give them.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from sekisho.errors import ValidationError

Value = str | tuple[str, ...]
Values = Mapping[str, Value]


class Type(enum.Enum):
    """How the text of a key is to be understood."""

    STRING = "String"
    ARN = "ARN"
    NUMERIC = "Numeric"
    DATE = "Date"
    BOOL = "Bool"
    IP_ADDRESS = "IPAddress"


class Source(enum.Enum):
    """Where the value of a key comes from."""

    PRINCIPAL = "principal"  # its records
    SESSION = "session"  # its credentials
    REQUEST = "request"  # what is asked, and on whose behalf
    RESOURCE = "resource"  # the records of what it is asked of
    NETWORK = "network"  # the connection
    ENVIRONMENT = "environment"  # the clock


@dataclass(frozen=True, slots=True)
class Key:
    """A global condition key; a name that ends in a slash is followed by the key of a tag."""

    name: str
    type: Type
    source: Source
    multivalued: bool = False


def _rows(source: Source, type_: Type, names: str, *, multivalued: bool = False) -> list[Key]:
    return [Key(f"aws:{name}", type_, source, multivalued) for name in names.split()]


GLOBAL: Mapping[str, Key] = {
    key.name.lower(): key
    for key in (
        *_rows(Source.PRINCIPAL, Type.ARN, "PrincipalArn"),
        *_rows(
            Source.PRINCIPAL,
            Type.STRING,
            "PrincipalAccount PrincipalOrgID PrincipalType PrincipalServiceName PrincipalTag/ userid username",
        ),
        *_rows(Source.PRINCIPAL, Type.STRING, "PrincipalOrgPaths PrincipalServiceNamesList", multivalued=True),
        *_rows(Source.PRINCIPAL, Type.BOOL, "PrincipalIsAWSService"),
        *_rows(Source.SESSION, Type.STRING, "SourceIdentity FederatedProvider AssumedRoot Ec2InstanceSourceVpc"),
        *_rows(Source.SESSION, Type.IP_ADDRESS, "Ec2InstanceSourcePrivateIPv4"),
        *_rows(Source.SESSION, Type.DATE, "TokenIssueTime"),
        *_rows(Source.SESSION, Type.BOOL, "MultiFactorAuthPresent"),
        *_rows(Source.SESSION, Type.NUMERIC, "MultiFactorAuthAge"),
        *_rows(Source.REQUEST, Type.STRING, "RequestedRegion RequestTag/ CalledViaFirst CalledViaLast SourceAccount SourceOrgID"),
        *_rows(Source.REQUEST, Type.STRING, "TagKeys CalledVia SourceOrgPaths", multivalued=True),
        *_rows(Source.REQUEST, Type.BOOL, "ViaAWSService IsMcpServiceAction"),
        *_rows(Source.REQUEST, Type.ARN, "SourceArn"),
        *_rows(Source.RESOURCE, Type.STRING, "ResourceAccount ResourceOrgID ResourceTag/"),
        *_rows(Source.RESOURCE, Type.STRING, "ResourceOrgPaths", multivalued=True),
        *_rows(Source.NETWORK, Type.IP_ADDRESS, "SourceIp VpcSourceIp"),
        *_rows(Source.NETWORK, Type.STRING, "SourceVpc SourceVpce VpceAccount VpceOrgID UserAgent Referer"),
        *_rows(Source.NETWORK, Type.ARN, "SourceVpcArn"),
        *_rows(Source.NETWORK, Type.STRING, "VpceOrgPaths", multivalued=True),
        *_rows(Source.NETWORK, Type.BOOL, "SecureTransport"),
        *_rows(Source.ENVIRONMENT, Type.DATE, "CurrentTime EpochTime"),
    )
}

_OWNED = (Source.PRINCIPAL, Source.SESSION)
_OWNED_PREFIXES = ("aws:principal", "saml:")


class Context(dict[str, Value]):
    """The condition keys of one request, read-only."""

    __slots__ = ()

    def _refuse(self, *_args: object, **_named: object) -> NoReturn:
        raise TypeError("a context cannot be changed")

    __setitem__ = __delitem__ = __ior__ = update = setdefault = pop = popitem = clear = _refuse


def context(values: Mapping[str, str | Sequence[str]], multivalued: Collection[str] = ()) -> Context:
    """Build a context from keys as they are written; ValidationError when a key stands twice in different case.

    A list stays a list for keys of `multivalued` and for global keys that have several values; elsewhere a list of one is its item and an
    empty list no key at all.
    """
    several = {name.lower() for name in multivalued}
    built: dict[str, Value] = {}
    for name, value in values.items():
        key = name.lower()
        if key in built:
            raise ValidationError(f"condition key `{name}` is given twice")
        known = GLOBAL.get(key)
        items = (value,) if isinstance(value, str) else tuple(value)
        if key in several or (known is not None and known.multivalued) or len(items) > 1:
            built[key] = items
        elif items:
            built[key] = items[0]
    return Context(built)


def find(name: str) -> Key | None:
    """The row of a key, in whatever case; tags are found by the part before their slash."""
    lowered = name.lower()
    stem, slash, _ = lowered.partition("/")
    return GLOBAL.get(lowered) or GLOBAL.get(stem + slash)


def canonical(name: str) -> str:
    """The documented spelling of a global key, other keys as they are."""
    key = find(name)
    if key is None:
        return name
    return key.name + name[len(key.name) :]


def owned_by_principal(name: str) -> bool:
    """Whether only the principal's own records and session may say the value of a key.

    Beside the table: every `aws:Principal…`, what an identity provider asserted (`saml:…`, and keys under a host name such as
    `accounts.google.com:sub`; names of services have no dot).
    """
    key = find(name)
    if key is not None:
        return key.source in _OWNED
    lowered = name.lower()
    return lowered.startswith(_OWNED_PREFIXES) or "." in lowered.partition(":")[0]
