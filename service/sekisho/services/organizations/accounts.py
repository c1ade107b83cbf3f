"""Accounts of an organization: where they hang, what they are called, how they come and go."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from sekisho.api.organizations.v1 import accounts_pb2 as pb
from sekisho.api.organizations.v1.tags_pb2 import Tag
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.organizations import membership, pages, tags, targets, tree
from sekisho.services.organizations.errors import (
    AccountAlreadyClosed,
    AccountNotFound,
    ConstraintViolation,
    DestinationParentNotFound,
    DuplicateAccount,
    MasterCannotLeaveOrganization,
    ParentNotFound,
    SourceParentNotFound,
)
from sekisho.services.organizations.tree import Tree
from sekisho.store.tables import Account, AccountEmail, Member, Organization

CLOSED = "CLOSED"
"""The status of an account that was closed; nobody in it is let in."""

_STATUS = {"ACTIVE": "ACTIVE", "PENDING_CLOSURE": "PENDING_CLOSURE"}
_NOT_FOUND = "You specified an account that doesn't exist."


@operation
def describe_account(call: Call, request: pb.DescribeAccountRequest) -> pb.DescribeAccountResponse:
    """To those who read the organization, or are the account."""
    organization = membership.find_own(call)
    if request.account_id != call.account_id:
        membership.find_readable(call, request)
    found = call.session.execute(_accounts(organization).where(Member.account_id == request.account_id)).one_or_none()
    if found is None:
        raise AccountNotFound(_NOT_FOUND)
    return pb.DescribeAccountResponse(account=message(tree.load(call, organization), found))


@operation
def list_accounts(call: Call, request: pb.ListAccountsRequest) -> pb.ListAccountsResponse:
    """By id."""
    organization = membership.find_readable(call, request)
    shown, token = listed(call, request, organization)
    return pb.ListAccountsResponse(accounts=shown, next_token=token)


@operation
def list_accounts_for_parent(call: Call, request: pb.ListAccountsForParentRequest) -> pb.ListAccountsForParentResponse:
    """By id, without those further down."""
    organization = membership.find_readable(call, request)
    if tree.get_unit(call, organization, request.parent_id) is None:
        raise ParentNotFound("You specified parent that doesn't exist.")
    shown, token = listed(call, request, organization, Member.unit_id == request.parent_id)
    return pb.ListAccountsForParentResponse(accounts=shown, next_token=token)


@operation
def move_account(call: Call, request: pb.MoveAccountRequest) -> pb.MoveAccountResponse:
    """What restricts the account from then on is what restricts the unit that it moves to. Of memory only the account becomes stale."""
    organization = membership.find_managed(call)
    row = find(call, organization, request.account_id)
    if row.unit_id != request.source_parent_id:
        raise SourceParentNotFound("You specified a source parent that doesn't exist.")
    if tree.get_unit(call, organization, request.destination_parent_id) is None:
        raise DestinationParentNotFound("You specified a destination parent that doesn't exist.")
    if row.unit_id == request.destination_parent_id:
        raise DuplicateAccount("The account is already in the destination parent.")
    row.unit_id = request.destination_parent_id
    return pb.MoveAccountResponse()


@operation
def close_account(call: Call, request: pb.CloseAccountRequest) -> pb.CloseAccountResponse:
    """At once: whoever holds credentials of the account is refused from then on. For ninety days it stays in the organization."""
    organization = membership.find_managed(call)
    find(call, organization, request.account_id)
    if request.account_id == organization.management_account_id:
        raise ConstraintViolation("CANNOT_CLOSE_MANAGEMENT_ACCOUNT", "You can't close the management account.")
    account = call.session.get_one(Account, request.account_id)
    if account.status == CLOSED:
        raise AccountAlreadyClosed("You attempted to close an account that is already closed.")
    account.status, account.closed_at = CLOSED, call.now
    return pb.CloseAccountResponse()


@operation
def remove_account_from_organization(
    call: Call, request: pb.RemoveAccountFromOrganizationRequest
) -> pb.RemoveAccountFromOrganizationResponse:
    """It goes on by itself, with all that is in it."""
    organization = membership.find_managed(call)
    find(call, organization, request.account_id)
    if request.account_id == organization.management_account_id:
        raise MasterCannotLeaveOrganization("You can't remove a management account from an organization.")
    leave(call, organization, request.account_id)
    return pb.RemoveAccountFromOrganizationResponse()


def find(call: Call, organization: Organization, account_id: str) -> Member:
    """The account's row, or AccountNotFound."""
    row = tree.get_member(call, organization, account_id)
    if row is None:
        raise AccountNotFound(_NOT_FOUND)
    return row


def join(call: Call, organization: Organization, account_id: str, method: str, given: Iterable[Tag]) -> None:
    """Hang an account into the root, with the policies that everything has, and tags."""
    joined = {"unit_id": organization.root_id, "joined_method": method, "joined_at": call.now}
    call.add(Member(account_id=account_id, organization_id=organization.id, **joined))
    targets.attach_managed(call, organization, account_id)
    tags.put(call, organization, account_id, given)


def leave(call: Call, organization: Organization, account_id: str) -> None:
    """Take an account out, with what the organization had put on it. A closed one stays until it is gone altogether."""
    if membership.is_administrator(call, organization, account_id):
        raise ConstraintViolation(
            "CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG",
            "You can't remove an account that is a delegated administrator; deregister it first.",
        )
    if call.session.get_one(Account, account_id).status == CLOSED:
        raise ConstraintViolation("ACCOUNT_CANNOT_LEAVE_ORGANIZATION", "A closed account cannot leave its organization.")
    row = find(call, organization, account_id)
    targets.detach_all(call, account_id)
    tags.clear(call, account_id)
    call.session.delete(row)


def listed(call: Call, request: Any, organization: Organization, *conditions: Any) -> tuple[list[pb.Account], str | None]:
    """A page of accounts, and the token of the next."""
    query = select(Member.account_id).where(Member.organization_id == organization.id, *conditions)
    found = pages.page(call, request, query, key=[Member.account_id], of=lambda id_: [id_])
    return messages(call, organization, found.rows), found.marker


def messages(call: Call, organization: Organization, account_ids: Sequence[str]) -> list[pb.Account]:
    """Accounts as the API shows them, by id."""
    where = tree.load(call, organization)
    rows = call.session.execute(_accounts(organization).where(Member.account_id.in_(account_ids)).order_by(Member.account_id))
    return [message(where, row) for row in rows]


def message(where: Tree, found: Any) -> pb.Account:
    """An account as the API shows it."""
    account, member, email = found
    return pb.Account(
        **shown(where.organization, account, email),
        paths=[where.path(member.unit_id, account.id)],
        joined_method=member.joined_method,
        joined_timestamp=seconds(member.joined_at),
    )


def shown(organization: Organization, account: Account, email: str | None) -> dict[str, Any]:
    """What an account is called and how it is, wherever it is shown."""
    return {
        "id": account.id,
        "arn": tree.arn_of(organization, account.id),
        "email": email,
        "name": account.name,
        "status": _STATUS.get(account.status, "SUSPENDED"),
        "state": account.status,
    }


def seconds(moment: datetime | None) -> datetime | None:
    """A moment as the API shows it: in whole seconds."""
    return moment.replace(microsecond=0) if moment is not None else None


def _accounts(organization: Organization) -> Any:
    query = select(Account, Member, AccountEmail.email).join(Member, Member.account_id == Account.id)
    return query.outerjoin(AccountEmail, AccountEmail.account_id == Account.id).where(Member.organization_id == organization.id)
