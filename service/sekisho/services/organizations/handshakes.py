"""Handshakes: what one side asks and the other answers, once.

    INVITE                  the organization asks an account to join it, for 15 days
    ENABLE_ALL_FEATURES     the organization wants to be one whose policies restrict; its own account agrees last, for 90 days
    APPROVE_ALL_FEATURES    and asks each account that was invited to agree first

One that is over is shown for 30 days. Nobody but the two sides learns that there is one.
Source: https://docs.aws.amazon.com/organizations/latest/APIReference/API_Handshake.html
"""

from typing import Any

from sqlalchemy import or_, select

from sekisho.api.organizations.v1 import handshakes_pb2 as pb
from sekisho.calls import affiliation
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.organizations import answers, membership, pages, quotas
from sekisho.services.organizations.errors import HandshakeNotFound, denied
from sekisho.services.organizations.handshake_messages import message, state
from sekisho.store.tables import Handshake

_NOT_FOUND = "We can't find a handshake with the HandshakeId that you specified."


@operation
def describe_handshake(call: Call, request: pb.DescribeHandshakeRequest) -> pb.DescribeHandshakeResponse:
    """To either side."""
    return pb.DescribeHandshakeResponse(handshake=message(call, _find(call, request.handshake_id)))


@operation
def accept_handshake(call: Call, request: pb.AcceptHandshakeRequest) -> pb.AcceptHandshakeResponse:
    """What was asked is then done: at most once, whoever answers at the same time."""
    row = _find_for_itself(call, request.handshake_id)
    if row.account_id != call.account_id:
        raise denied()
    answers.refuse_over(call, row, "ACCEPTED")
    answers.ACCEPTED[row.action](call, row)
    answers.end(call, row, "ACCEPTED")
    return pb.AcceptHandshakeResponse(handshake=message(call, row))


@operation
def decline_handshake(call: Call, request: pb.DeclineHandshakeRequest) -> pb.DeclineHandshakeResponse:
    """By the account that is asked."""
    row = _find_for_itself(call, request.handshake_id)
    if row.account_id != call.account_id or row.action == "ENABLE_ALL_FEATURES":
        raise denied()
    answers.refuse_over(call, row, "DECLINED")
    answers.end(call, row, "DECLINED")
    return pb.DeclineHandshakeResponse(handshake=message(call, row))


@operation
def cancel_handshake(call: Call, request: pb.CancelHandshakeRequest) -> pb.CancelHandshakeResponse:
    """By the organization that asks; with all features it no longer asks the accounts either."""
    row = _find_for_itself(call, request.handshake_id)
    if row.management_account_id != call.account_id or row.action == "APPROVE_ALL_FEATURES":
        raise denied()
    answers.refuse_over(call, row, "CANCELED")
    answers.end(call, row, "CANCELED")
    for child in call.session.scalars(select(Handshake).where(Handshake.parent_id == row.id)).all():
        if state(call, child) in ("OPEN", "REQUESTED"):
            answers.end(call, child, "CANCELED")
    return pb.CancelHandshakeResponse(handshake=message(call, row))


@operation
def list_handshakes_for_account(call: Call, request: pb.ListHandshakesForAccountRequest) -> pb.ListHandshakesForAccountResponse:
    """Those that ask the caller's account, by id."""
    found = _page(call, request, Handshake.account_id == call.account_id)
    return pb.ListHandshakesForAccountResponse(handshakes=[message(call, row) for row in found.rows], next_token=found.marker)


@operation
def list_handshakes_for_organization(
    call: Call, request: pb.ListHandshakesForOrganizationRequest
) -> pb.ListHandshakesForOrganizationResponse:
    """By id."""
    organization = membership.find_readable(call, request)
    found = _page(call, request, Handshake.organization_id == organization.id)
    return pb.ListHandshakesForOrganizationResponse(handshakes=[message(call, row) for row in found.rows], next_token=found.marker)


def _find(call: Call, id_: str) -> Handshake:
    """A handshake in which the caller's account has a part, or HandshakeNotFound; after 30 days nobody has."""
    query = select(Handshake).where(Handshake.id == id_, _is_shown(call)).execution_options(populate_existing=not call.reads)
    row = call.session.scalars(query).one_or_none()
    if row is None or call.account_id not in (row.account_id, row.management_account_id):
        raise HandshakeNotFound(_NOT_FOUND)
    return row


def _find_for_itself(call: Call, id_: str) -> Handshake:
    """As `_find`, with the organization for the call alone; what is told of it was read after that."""
    organization_id = call.session.scalar(select(Handshake.organization_id).where(Handshake.id == id_))
    if organization_id is not None:
        affiliation.lock(call, organization_id)
    return _find(call, id_)


def _page(call: Call, request: Any, side: Any) -> Any:
    query = select(Handshake).where(side, _is_shown(call))
    if request.filter.HasField("action_type"):
        query = query.where(Handshake.action == request.filter.action_type)
    if request.filter.HasField("parent_handshake_id"):
        query = query.where(Handshake.parent_id == request.filter.parent_handshake_id)
    return pages.page(call, request, query, key=[Handshake.id], of=lambda row: [row.id])


def _is_shown(call: Call) -> Any:
    since = call.now - quotas.SHOWN
    return or_(Handshake.ended_at > since, Handshake.ended_at.is_(None) & (Handshake.expires_at > since))
