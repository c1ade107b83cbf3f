"""What an analysis of an account is made from: principals with their trust policies, groups and policies, and what else is known."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sekisho import policy
from sekisho.world import Lookup, PrincipalRecord, ResourceRecord

_NO_TAGS: Mapping[str, str] = {}


class Mentions(NamedTuple):
    """Sessions of roles that policies speak of: names by account and role, and patterns of roles' ids with patterns of names, of which
    there were more where it `is_cut`.
    """

    arns: Mapping[tuple[str, str], tuple[str, ...]]
    ids: frozenset[tuple[str, str]]
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Managed:
    """A managed policy that could be attached. `others` are its versions that are not in force."""

    id: str
    arn: str
    attached: policy.Attached
    others: tuple[policy.Attached, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Estate:
    """An account. `groups` are the ARNs of its groups by their ids; `policies` its own managed policies, and those of AWS's that are known;
    `lookup` finds every record that decisions about its principals need.

    What is None is not known, and then taken to be as whoever wants more would have it: `passwords` are the ids of users who have one,
    `keys` how many access keys each user has, `profiles` the ids of roles in instance profiles. `resources` are the registered ones of
    services that act as roles; `lookup` finds them, too. `mentions` is what policies say of sessions of its roles, also those of other
    accounts; None: its own policies alone. `left_out` says, in words, what was too much to load.
    """

    account_id: str
    principals: tuple[PrincipalRecord, ...]
    groups: Mapping[str, str]
    policies: tuple[Managed, ...]
    lookup: Lookup
    now: datetime
    passwords: frozenset[str] | None = None
    keys: Mapping[str, int] | None = None
    profiles: frozenset[str] | None = None
    resources: tuple[ResourceRecord, ...] = ()
    mentions: Mentions | None = None
    left_out: tuple[str, ...] = ()
