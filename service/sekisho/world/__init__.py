"""The world, pure: records by immutable id, and how they compose into what `policy.decide` is asked."""

from sekisho.world.acting import Acting, InactiveAccount, UnknownPrincipal, acting
from sekisho.world.placement import RCP, SCP, Placement, placement
from sekisho.world.question import NO_KEYS, OF_SERVICE, Asked, Keys, Question, is_reserved, question
from sekisho.world.records import (
    AWS,
    AccountRecord,
    ControlPolicyRecord,
    EntityRecord,
    GroupRecord,
    KeyRecord,
    Lookup,
    PolicyRecord,
    PrincipalRecord,
    Record,
    SessionFacts,
    Subject,
    TagPolicyRecord,
    UnitRecord,
)

__all__ = [
    "AWS",
    "AccountRecord",
    "Acting",
    "Asked",
    "ControlPolicyRecord",
    "EntityRecord",
    "GroupRecord",
    "InactiveAccount",
    "KeyRecord",
    "Keys",
    "Lookup",
    "NO_KEYS",
    "OF_SERVICE",
    "Placement",
    "PolicyRecord",
    "PrincipalRecord",
    "Question",
    "RCP",
    "Record",
    "SCP",
    "SessionFacts",
    "Subject",
    "TagPolicyRecord",
    "UnitRecord",
    "UnknownPrincipal",
    "acting",
    "is_reserved",
    "placement",
    "question",
]
