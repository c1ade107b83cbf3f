"""Condition keys: what each global key holds, how many values it has, and who may say so.

A context maps keys in lower case to text, or to a tuple where the key has several values. Keys that the principal owns come from its
records and its session alone; a caller that asks about somebody cannot give them. How large a context may be is said here, once: above
what AWS can ask for (three times 50 tags of 384 characters), and small enough that a decision can be afforded.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from sekisho.errors import ValidationError

Value = str | tuple[str, ...]
Values = Mapping[str, Value]

MAX_KEYS = 512
MAX_VALUES = 256  # of one key
MAX_LENGTH = 8_192  # characters of one value
MAX_KEY_LENGTH = 16_384  # characters of one key's values together
MAX_ALL_VALUES = 1_024  # of all keys together
MAX_ALL_LENGTH = 131_072  # characters of all keys and values together

LONG = 600  # characters of a piece, from which on searching for it costs no more by the piece's length (see weights)


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
        *_rows(Source.SESSION, Type.ARN, "ChatbotSourceArn SignInSessionArn"),
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
_OWNED_ACROSS_SERVICES = frozenset(
    """
    codebuild:buildarn codebuild:projectarn ec2:roledelivery ec2:sourceinstancearn glue:credentialissuingservice glue:roleassumedby
    identitystore:userid lambda:sourcefunctionarn ssm:sourceinstancearn
    """.split()  # noqa: SIM905  # as a list it takes eleven lines
)


class Size(NamedTuple):
    """The most that any one key of a context holds; never less than one value."""

    values: int
    characters: int  # of all its values together
    squares: int  # of its values, each times its own length


LARGEST = Size(MAX_VALUES, MAX_KEY_LENGTH, MAX_KEY_LENGTH * LONG)


def squares(length: int) -> int:
    """A length times itself, as far as that matters to a search."""
    return length * min(length, LONG)


class Context(dict[str, Value]):
    """The condition keys of one request, read-only."""

    __slots__ = ("measured",)

    measured: Size  # once `size` has been asked

    def _refuse(self, *_args: object, **_named: object) -> NoReturn:
        raise TypeError("a context cannot be changed")

    __setitem__ = __delitem__ = __ior__ = update = setdefault = pop = popitem = clear = _refuse


def context(values: Mapping[str, str | Sequence[str]], multivalued: Collection[str] = ()) -> Context:
    """Build a context from keys as they are written; ValidationError when a key stands twice in different case.

    A list stays a list for keys of `multivalued` and for global keys that have several values; elsewhere a list of one is its item and an
    empty list no key at all. ValidationError also where a limit above is passed.
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
    made = Context(built)
    size(made)
    return made


def size(context: Values) -> Size:
    """How large a context is; ValidationError where it is larger than any may be. A Context is measured once."""
    found = getattr(context, "measured", None)
    if found is None:
        found = _size(context)
        if isinstance(context, Context):
            context.measured = found
    return found


def _size(context: Values) -> Size:
    values = context.values()
    try:
        characters = len("".join(values)) + len("".join(context))  # type: ignore[arg-type]  # of texts alone
    except TypeError:
        return _sized(context)
    # Nearly always, and in a quarter of the time.
    count, longest = len(values), max(map(len, values), default=0)
    if longest <= MAX_LENGTH and count <= MAX_KEYS and characters <= MAX_ALL_LENGTH:
        return Size(1, longest, longest * min(longest, LONG))
    return _sized(context)


def _sized(context: Values) -> Size:
    most = longest = widest = values = characters = text = 0
    for key, value in context.items():
        if isinstance(value, str):
            length = len(value)
            values += 1
            if length > text:
                text = length
                if length > MAX_LENGTH:
                    raise ValidationError(_excess(key, 1, length, length))
        else:
            lengths = list(map(len, value))
            count, length, one = len(lengths), sum(lengths), max(lengths, default=0)
            if count > MAX_VALUES or one > MAX_LENGTH or length > MAX_KEY_LENGTH:
                raise ValidationError(_excess(key, count, one, length))
            values += count
            most, longest, widest = max(most, count), max(longest, length), max(widest, sum(map(squares, lengths)))
        characters += len(key) + length
    longest, widest = max(longest, text), max(widest, text * min(text, LONG))
    if len(context) > MAX_KEYS:
        raise ValidationError(f"a context has {len(context)} condition keys; at most {MAX_KEYS} are allowed")
    if values > MAX_ALL_VALUES:
        raise ValidationError(f"the condition keys have {values} values together; at most {MAX_ALL_VALUES} are allowed")
    if characters > MAX_ALL_LENGTH:
        raise ValidationError(f"the condition keys and their values have {characters} characters; at most {MAX_ALL_LENGTH} are allowed")
    return Size(max(most, 1), longest, widest)


def _excess(key: str, count: int, longest: int, length: int) -> str:
    name = f"condition key `{key[:64]}`"
    if count > MAX_VALUES:
        return f"{name} has {count} values; at most {MAX_VALUES} are allowed"
    if longest > MAX_LENGTH:
        return f"{name} has a value of {longest} characters; at most {MAX_LENGTH} are allowed"
    return f"{name} has values of {length} characters together; at most {MAX_KEY_LENGTH} are allowed"


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
    `accounts.google.com:sub`; names of services have no dot), and what a service says of a session that it made, to all other services.
    """
    key = find(name)
    if key is not None:
        return key.source in _OWNED
    lowered = name.lower()
    if lowered.startswith(_OWNED_PREFIXES) or lowered in _OWNED_ACROSS_SERVICES:
        return True
    service = lowered.partition(":")[0]
    return "." in service or "/" in service  # of an identity provider, named after its host and its path


def lasts(name: str) -> bool:
    """Whether a key has one value for as long as the credential of the principal, whatever is asked, from wherever and whenever."""
    return owned_by_principal(name) and name.lower() not in _MOVING


_MOVING = frozenset(("aws:multifactorauthage",))  # its principal's own, and another each second
