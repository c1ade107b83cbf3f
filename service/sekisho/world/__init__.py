"""The world, pure: records by immutable id, and how they compose into what `policy.decide` is asked."""

from sekisho.world.acting import Acting, InactiveAccount, Lookup, UnknownPrincipal, acting
from sekisho.world.question import NO_KEYS, OF_SERVICE, Asked, Keys, Question, is_reserved, question
from sekisho.world.records import (
    AWS,
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
    "AWS",
    "AccountRecord",
    "Acting",
    "Asked",
    "EntityRecord",
    "GroupRecord",
    "InactiveAccount",
    "KeyRecord",
    "Keys",
    "Lookup",
    "NO_KEYS",
    "OF_SERVICE",
    "PolicyRecord",
    "PrincipalRecord",
    "Question",
    "Record",
    "SessionFacts",
    "Subject",
    "UnknownPrincipal",
    "acting",
    "is_reserved",
    "question",
]
