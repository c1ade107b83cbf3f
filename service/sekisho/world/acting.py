"""A subject with its records: the principal as policies see it, the condition keys that it owns, the layers that its account puts on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sekisho import arn, policy
from sekisho.errors import NotFound, Unavailable
from sekisho.world import root_access
from sekisho.world.placement import Placement, placement, root_of
from sekisho.world.records import (
    AccountRecord,
    DataSelectors,
    GroupRecord,
    Lookup,
    PolicyRecord,
    PrincipalRecord,
    SessionFacts,
    Subject,
)

ALLOW_ALL = policy.Attached(
    program=policy.compiled('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'), name="root"
)
"""The identity policy that every root user has: only an organization's policies limit it."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Acting:
    """A subject with all that decides about it, but for the request and the resource."""

    subject: Subject
    principal: policy.Principal
    keys: Mapping[str, str | tuple[str, ...]]
    identity: tuple[policy.Attached, ...]
    boundary: tuple[policy.Attached, ...] | None = None
    session: tuple[policy.Attached, ...] | None = None
    scps: tuple[tuple[policy.Attached, ...], ...] | None = None
    """By level, the root of the organization first; None where no organization restricts."""
    placement: Placement | None = None
    """Where the account stands in its organization; None outside of any."""
    data_selectors: DataSelectors = ()
    """Of the decisions that the account asks for, those that are to be recorded; empty where nobody wants any."""
    issuer: str = ""
    """The ARN of the user, role or root user whose the credentials are."""
    registers: frozenset[str] = frozenset()
    """The services of which the account has registered resources."""
    kept: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Findings that follow from the caller alone: each is as old as the composition, and ends with it."""

    @property
    def arn(self) -> str:
        """The ARN that GetCallerIdentity names."""
        return self.principal.arn

    @property
    def user_id(self) -> str:
        """`aws:userid`: the unique id, for a role session with the session's name behind a colon."""
        return str(self.keys["aws:userid"])


class UnknownPrincipal(NotFound):
    """The principal of a credential is gone; the edge says it as AWS does."""


class InactiveAccount(UnknownPrincipal):
    """The principal is there, but its account is suspended or closed."""

    @property
    def code(self) -> str:
        """That of UnknownPrincipal: nobody who asks about the principal learns more than that it is gone."""
        return UnknownPrincipal.__name__


def acting(subject: Subject, lookup: Lookup, now: datetime) -> Acting:
    """Compose a subject's records; UnknownPrincipal when the principal no longer exists, Unavailable when a record is missing."""
    account = lookup(subject.account_id)
    if not isinstance(account, AccountRecord):
        raise UnknownPrincipal("The account of the credentials does not exist.")
    if account.status != "ACTIVE":
        raise InactiveAccount("The account of the credentials is not active.")
    session = subject.session
    record = account if subject.id == subject.account_id else lookup(subject.id)
    if not isinstance(record, PrincipalRecord | AccountRecord) or (isinstance(record, PrincipalRecord) and record.account_id != account.id):
        raise UnknownPrincipal("The principal of the credentials does not exist.")
    if session is not None and session.kind == "assumed-root" and not root_access.holds(session, account, lookup):
        raise UnknownPrincipal("The organization no longer lets the account of the session act as this root user.")
    place = placement(account, lookup)
    keys = _keys(subject, record, now)
    if place is not None:
        keys["aws:principalorgid"] = place.organization_id
        keys["aws:principalorgpaths"] = (place.path,)
    return Acting(
        subject=subject,
        principal=_principal(subject, record),
        keys=keys,
        identity=_identity(record, session, lookup),
        boundary=_boundary(record, lookup),
        session=_session_policies(session, lookup),
        scps=place.scps if place is not None else None,
        placement=place,
        data_selectors=_data_selectors(account, lookup),
        issuer=arn.root(record.id) if isinstance(record, AccountRecord) else record.arn,
        registers=account.registers,
    )


def _data_selectors(account: AccountRecord, lookup: Lookup) -> DataSelectors:
    """Those of the account and of its organization: these are in the record of the account that manages it."""
    if account.unit_id is None:
        return account.data_selectors
    management = lookup(root_of(account.unit_id, lookup).management_id)
    of_organization = management.organization_data_selectors if isinstance(management, AccountRecord) else ()
    return account.data_selectors + of_organization


def _principal(subject: Subject, record: PrincipalRecord | AccountRecord) -> policy.Principal:
    session = subject.session
    if session is not None and session.kind == "federation":
        return policy.Principal("federated-user", arn.federated_user(record_account(record), session.name), record_account(record))
    if isinstance(record, AccountRecord):
        return policy.Principal("root", arn.root(record.id), record.id, unique_id=record.id)
    if record.kind == "user":
        return policy.Principal("user", record.arn, record.account_id, unique_id=record.id)
    if session is None:
        return policy.Principal("role", record.arn, record.account_id, role_arn=record.arn, unique_id=record.id)
    linked = arn.parse(record.arn).resource.startswith("role/aws-service-role/")  # by the path's beginning: a path may hold colons
    kind = "service-linked-role" if linked else "assumed-role"
    named = arn.assumed_role(record.account_id, record.name, session.name)
    return policy.Principal(kind, named, record.account_id, role_arn=record.arn, unique_id=record.id, provider=session.provider)


def record_account(record: PrincipalRecord | AccountRecord) -> str:
    """The account of a principal's record."""
    return record.id if isinstance(record, AccountRecord) else record.account_id


def _keys(subject: Subject, record: PrincipalRecord | AccountRecord, now: datetime) -> dict[str, str | tuple[str, ...]]:
    """The condition keys that the principal owns, lower-cased; callers of Authorize cannot give them."""
    session = subject.session
    keys: dict[str, str | tuple[str, ...]] = {"aws:principalaccount": record_account(record)}
    tags: dict[str, str] = {}
    if isinstance(record, AccountRecord):
        keys |= {"aws:principalarn": arn.root(record.id), "aws:principaltype": "Account", "aws:userid": record.id}
    elif record.kind == "user":
        keys |= {"aws:principalarn": record.arn, "aws:principaltype": "User", "aws:userid": record.id, "aws:username": record.name}
        tags |= _folded(record.tags)
    else:
        user_id = f"{record.id}:{session.name}" if session is not None else record.id
        keys |= {"aws:principalarn": record.arn, "aws:principaltype": "AssumedRole", "aws:userid": user_id}
        tags |= _folded(record.tags)
    if session is not None:
        keys |= _session_keys(session, now)
        tags |= _folded(session.tags)
        if session.kind == "federation":
            keys["aws:principaltype"] = "FederatedUser"
            keys["aws:principalarn"] = arn.federated_user(record_account(record), session.name)
            keys["aws:userid"] = f"{record_account(record)}:{session.name}"
            keys.pop("aws:username", None)
    keys |= {f"aws:principaltag/{key}": value for key, value in tags.items()}
    return keys


def _folded(tags: Mapping[str, str]) -> dict[str, str]:
    """Tag keys in lower case, as condition keys are compared."""
    return {key.lower(): value for key, value in tags.items()}


def _session_keys(session: SessionFacts, now: datetime) -> dict[str, str | tuple[str, ...]]:
    keys = dict(session.context)
    if session.issued_at is not None:
        keys["aws:tokenissuetime"] = session.issued_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    if session.mfa is not None:
        keys["aws:multifactorauthpresent"] = "true" if session.mfa else "false"
    if session.mfa and session.mfa_at is not None:
        keys["aws:multifactorauthage"] = str(int((now - session.mfa_at).total_seconds()))
    if session.source_identity:
        keys["aws:sourceidentity"] = session.source_identity
    if session.kind == "assumed-root":
        keys["aws:assumedroot"] = "true"
    if session.provider:
        keys["aws:federatedprovider"] = session.provider
    return keys


def _identity(record: PrincipalRecord | AccountRecord, session: SessionFacts | None, lookup: Lookup) -> tuple[policy.Attached, ...]:
    if session is not None and session.kind == "federation" and not (session.policies or session.policy_ids):
        return ()
    if isinstance(record, AccountRecord):
        return (ALLOW_ALL,)
    found = [*record.inline, *_managed(record.policy_ids, lookup)]
    for group_id in record.group_ids:
        group = lookup(group_id)
        if not isinstance(group, GroupRecord):
            raise Unavailable(f"The group {group_id} of the principal could not be loaded.")
        found += [*group.inline, *_managed(group.policy_ids, lookup)]
    return tuple(found)


def _managed(ids: tuple[str, ...], lookup: Lookup) -> list[policy.Attached]:
    found = []
    for id_ in ids:
        record = lookup(id_)
        if not isinstance(record, PolicyRecord):
            raise Unavailable(f"The policy {id_} of the principal could not be loaded.")
        found.append(record.attached)
    return found


def _boundary(record: PrincipalRecord | AccountRecord, lookup: Lookup) -> tuple[policy.Attached, ...] | None:
    if isinstance(record, AccountRecord) or record.boundary_id is None:
        return None
    return tuple(_managed((record.boundary_id,), lookup))


def _session_policies(session: SessionFacts | None, lookup: Lookup) -> tuple[policy.Attached, ...] | None:
    if session is None or not (session.policies or session.policy_ids):
        return None
    # A managed session policy that was deleted since grants nothing; the session is not refused for it.
    managed = [record.attached for id_ in session.policy_ids if isinstance(record := lookup(id_), PolicyRecord)]
    return (*session.policies, *managed)
