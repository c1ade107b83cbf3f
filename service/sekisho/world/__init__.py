"""The world, pure: records by immutable id, and how they compose into what `policy.decide` is asked."""

from sekisho.world.acting import Acting, InactiveAccount, Lookup, UnknownPrincipal, acting
from sekisho.world.records import (
    AccountRecord,
    EntityRecord,
    GroupRecord,
    KeyRecord,
    PolicyRecord,
    PrincipalRecord,
    Record,
    SessionFacts,
    Subject,
)

__all__ = [
    "AccountRecord",
    "Acting",
    "EntityRecord",
    "GroupRecord",
    "InactiveAccount",
    "KeyRecord",
    "Lookup",
    "PolicyRecord",
    "PrincipalRecord",
    "Record",
    "SessionFacts",
    "Subject",
    "UnknownPrincipal",
    "acting",
]
