"""Pure records of the world, by immutable id, which the caches hold, and the subjects that credentials name. Nothing here loads one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sekisho import policy
from sekisho.policy import Attached

AWS = "aws"
"""The account that the AWS-managed policies belong to."""


@dataclass(frozen=True, slots=True)
class PrincipalRecord:
    """A user or role. `arn` has the path; `trust` is a role's trust policy, with principals as unique ids."""

    id: str
    account_id: str
    kind: str  # "user" or "role"
    name: str
    arn: str
    tags: Mapping[str, str] = field(default_factory=dict)
    inline: tuple[policy.Attached, ...] = ()
    policy_ids: tuple[str, ...] = ()
    group_ids: tuple[str, ...] = ()
    boundary_id: str | None = None
    trust: policy.Attached | None = None
    max_session_seconds: int = 3600


@dataclass(frozen=True, slots=True)
class GroupRecord:
    """The policies that a group gives to its members."""

    id: str
    inline: tuple[policy.Attached, ...] = ()
    policy_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyRecord:
    """The default version of a managed policy."""

    id: str
    arn: str
    attached: policy.Attached


DataSelectors = tuple[tuple[str, str], ...]
"""Selectors of data events, each by its kind, `basic` or `advanced`, and as a JSON list."""


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """An account; its root user has the same id. `unit_id` is where it hangs in an organization, None outside of any.

    `scp_ids` and `rcp_ids` are the control policies that are attached to the account itself, in whatever state their type is;
    `tag_policy_ids` likewise its tag policies; `administers` are the services that its organization has delegated to it; `issuer_id` is the
    issuer of its tokens for other services, None where it never had one. `data_selectors` are those of its own trails and event data
    stores that ask for decisions to be recorded; `organization_data_selectors` those of its organization's, which the management account
    has. `registers` are the services, by the third segment of ARNs, of which it has registered resources: no others are looked up.
    """

    id: str
    status: str
    unit_id: str | None = None
    scp_ids: tuple[str, ...] = ()
    rcp_ids: tuple[str, ...] = ()
    administers: frozenset[str] = frozenset()
    tag_policy_ids: tuple[str, ...] = ()
    issuer_id: str | None = None
    data_selectors: DataSelectors = ()
    organization_data_selectors: DataSelectors = ()
    registers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class UnitRecord:
    """The root of an organization or an organizational unit, with the control policies attached to it; the root has no parent.

    The root says what holds for all of the organization: who manages it, of which types policies are in force, and which features of
    central root access are enabled.
    """

    id: str
    organization_id: str
    parent_id: str | None = None
    scp_ids: tuple[str, ...] = ()
    rcp_ids: tuple[str, ...] = ()
    management_id: str = ""
    types: frozenset[str] = frozenset()
    features: frozenset[str] = frozenset()
    tag_policy_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ControlPolicyRecord:
    """A service control policy or resource control policy of an organization."""

    id: str
    attached: policy.Attached


@dataclass(frozen=True, slots=True)
class TagPolicyRecord:
    """A tag policy of an organization, as its text."""

    id: str
    content: str


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A long-term access key with its secret, opened."""

    id: str
    account_id: str
    owner_id: str
    status: str
    secret: str = field(repr=False)


class SigningKey(NamedTuple):
    """A pair of keys of an issuer. `public` is a JWK (RFC 7517) as JSON; `sealed` the private key in base64, under the key ring,
    empty on a node that does not sign."""

    kid: str
    algorithm: str
    public: str
    sealed: str
    begins_at: datetime


@dataclass(frozen=True, slots=True)
class IssuerRecord:
    """The issuer of an account's tokens for other services, with all pairs that it has; `disabled_at` is None while it issues."""

    id: str
    account_id: str
    url: str
    disabled_at: datetime | None = None
    keys: tuple[SigningKey, ...] = ()


@dataclass(frozen=True, slots=True)
class EntityRecord:
    """A thing with a name, as our own operations see it: by `arn`, `tags` and `boundary_arn` they are permitted or not.

    `tags` are in the order of their keys. `boundary_arn` and `password_last_used_at` are of users and roles.
    """

    id: str
    account_id: str
    kind: str  # "user", "role", "group", "policy"...
    name: str
    path: str
    arn: str
    created_at: datetime
    tags: Mapping[str, str] = field(default_factory=dict)
    boundary_arn: str | None = None
    password_last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OidcProviderRecord:
    """An OpenID Connect provider of an account; `issuer` is without its `https://`, as ARNs and condition keys have it."""

    id: str
    account_id: str
    arn: str
    issuer: str
    client_ids: tuple[str, ...] = ()
    thumbprints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SamlProviderRecord:
    """A SAML provider of an account, with what its metadata says; `issuer` is its entity id there.

    `certificates` are those that it signs with (DER, in base64). `private_keys` open what is encrypted for us: each by its id, sealed as it
    is in the database (base64). `encryption_mode` is `Allowed`, `Required` or empty.
    """

    id: str
    account_id: str
    arn: str
    issuer: str
    certificates: tuple[str, ...]
    valid_until: datetime
    encryption_mode: str = ""
    private_keys: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ResourceRecord:
    """A resource that its account has registered. `id` is its ARN; `world.resources.key` says under what it is looked up."""

    id: str
    account_id: str
    tags: Mapping[str, str] = field(default_factory=dict)
    policy: Attached | None = None


Record = (
    PrincipalRecord
    | GroupRecord
    | PolicyRecord
    | AccountRecord
    | KeyRecord
    | IssuerRecord
    | EntityRecord
    | UnitRecord
    | ControlPolicyRecord
    | TagPolicyRecord
    | OidcProviderRecord
    | SamlProviderRecord
    | ResourceRecord
)

Lookup = Callable[[str], Record | None]
"""Finds the record of an id, None when there is no such thing; all that it finds is of one world."""


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """The session of a temporary credential, as that says it; `policies` and `policy_ids` are its session policies."""

    kind: str  # "assumed-role", "session-token", "federation" or "assumed-root"
    name: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive: frozenset[str] = frozenset()
    source_identity: str = ""
    policies: tuple[policy.Attached, ...] = ()
    policy_ids: tuple[str, ...] = ()
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    mfa: bool | None = None
    mfa_at: datetime | None = None
    provider: str = ""
    context: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    """Further condition keys that last as long as the session, in lower case."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A principal that acts, by its unique id, in a session or not."""

    id: str
    account_id: str
    access_key_id: str = ""
    session: SessionFacts | None = None
