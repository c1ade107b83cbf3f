"""The tree of an organization: its units by id, the way from one to the root, and the ARNs of what hangs in it."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select

from sekisho import arn
from sekisho.calls.call import Call
from sekisho.store.tables import Member, Organization, Unit


@dataclass(frozen=True, slots=True)
class Tree:
    """The units of an organization, each with its parent; None for the root."""

    organization: Organization
    parents: dict[str, str | None]

    def above(self, unit_id: str) -> Iterator[str]:
        """The unit and all above it, the root last."""
        at: str | None = unit_id
        while at is not None:
            yield at
            at = self.parents[at]

    def path(self, unit_id: str, *beneath: str) -> str:
        """`o-…/r-…/ou-…/`, and what is named beneath the unit."""
        return "/".join((self.organization.id, *reversed(list(self.above(unit_id))), *beneath, ""))

    def depth(self, unit_id: str) -> int:
        """Units from the root down to this one: the root's own is 0."""
        return sum(1 for _ in self.above(unit_id)) - 1


def load(call: Call, organization: Organization) -> Tree:
    """All units of an organization, of which AWS admits two thousand."""
    rows = call.session.execute(select(Unit.id, Unit.parent_id).where(Unit.organization_id == organization.id))
    return Tree(organization, {row.id: row.parent_id for row in rows})


def get_unit(call: Call, organization: Organization, id_: str) -> Unit | None:
    """A root or unit of the organization."""
    return call.session.scalars(select(Unit).where(Unit.id == id_, Unit.organization_id == organization.id)).one_or_none()


def get_member(call: Call, organization: Organization, account_id: str) -> Member | None:
    """An account of the organization."""
    query = select(Member).where(Member.account_id == account_id, Member.organization_id == organization.id)
    return call.session.scalars(query).one_or_none()


def arn_of(organization: Organization, id_: str, type_: str = "") -> str:
    """The ARN of an account, a root, a unit, a handshake, or a policy of a type."""
    management = organization.management_account_id
    kind = id_.partition("-")[0]
    if kind == "p":
        return arn.organizations(management, "policy", organization.id, type_.lower(), id_)
    if kind == "h":
        return arn.organizations(management, "handshake", organization.id, type_.lower(), id_)
    return arn.organizations(management, KINDS.get(kind, "account"), organization.id, id_)


KINDS = {"r": "root", "ou": "ou", "rp": "resourcepolicy"}
"""What stands in an ARN, by what stands before the dash of an id; the ids of accounts have no dash."""

TYPES = {"r": "ROOT", "ou": "ORGANIZATIONAL_UNIT"}


def type_of(id_: str) -> str:
    """`ROOT`, `ORGANIZATIONAL_UNIT` or `ACCOUNT`."""
    return TYPES.get(id_.partition("-")[0], "ACCOUNT")
