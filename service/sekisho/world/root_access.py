"""Central root access: whether one account of an organization acts as the root user of another.

The management account does, and the account to which IAM is delegated, for members of their own organization. Source:
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_root-user.html#id_root-user-access-management
"""

from sekisho.world.placement import root_of
from sekisho.world.records import AccountRecord, Lookup, SessionFacts

SERVICE = "iam.amazonaws.com"
"""The service that must have access to the organization, and that is delegated."""

CREDENTIALS, SESSIONS = "RootCredentialsManagement", "RootSessions"
"""The features: one for what is about the credentials of root users, one for all that only a root user does."""


def permits(caller: AccountRecord, target: AccountRecord, feature: str, lookup: Lookup) -> bool:
    """True when the caller's account may do, as the root user of the target, what the feature is for."""
    if caller.unit_id is None or target.unit_id is None or caller.id == target.id or {caller.status, target.status} != {"ACTIVE"}:
        return False
    root = root_of(caller.unit_id, lookup)
    if root != root_of(target.unit_id, lookup) or target.id == root.management_id or feature not in root.features:
        return False
    return caller.id == root.management_id or SERVICE in caller.administers


def name(account_id: str, feature: str) -> str:
    """The name of a session: the account that acts in it, and the feature by which it does."""
    return f"{account_id}/{feature}"


def holds(session: SessionFacts, target: AccountRecord, lookup: Lookup) -> bool:
    """True while the account that acts in a session still may. Unlike other sessions, this one rests on what the organization says: once
    a feature is disabled, "the management account and the delegated administrator for IAM can no longer perform privileged tasks". Source:
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DisableOrganizationsRootSessions.html
    """
    account_id, _, feature = session.name.partition("/")
    caller = lookup(account_id)
    return isinstance(caller, AccountRecord) and permits(caller, target, feature, lookup)
