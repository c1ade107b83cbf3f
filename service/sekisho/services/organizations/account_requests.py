"""Requests to create accounts. What AWS does in minutes is done with the call; the answer says that it goes on, as AWS's does.

Source: https://docs.aws.amazon.com/organizations/latest/APIReference/API_CreateAccount.html
"""

import json

from sqlalchemy import exists, select

from sekisho import arn
from sekisho.api.organizations.v1 import account_requests_pb2 as pb
from sekisho.calls.call import Call
from sekisho.credentials import accounts as making
from sekisho.credentials import key_ids
from sekisho.operations import operation
from sekisho.services.organizations import accounts, ids, membership, pages, quotas, tags
from sekisho.services.organizations.errors import ConstraintViolation, CreateAccountStatusNotFound, InvalidInput
from sekisho.store.tables import AccountEmail, AccountRequest, InlinePolicy, Organization, Role

ACCESS_ROLE = "OrganizationAccountAccessRole"
_ADMINISTRATION = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'


@operation
def create_account(call: Call, request: pb.CreateAccountRequest) -> pb.CreateAccountResponse:
    """An account in the root, without credentials; the management account assumes the role that is made in it."""
    organization = membership.find_managed(call)
    if request.HasField("role_name") and not request.role_name:
        raise InvalidInput("INVALID_ROLE_NAME", "You provided a role name that is not valid.")
    quotas.refuse(
        "ACCOUNT_NUMBER_LIMIT_EXCEEDED",
        reached=quotas.is_full(call, organization),
        message="You have exceeded the allowed number of AWS accounts.",
    )
    tags.refuse_wrong(request.tags)
    row = AccountRequest(
        id=ids.account_request(),
        organization_id=organization.id,
        account_name=request.account_name,
        state="SUCCEEDED",
        requested_at=call.now,
        completed_at=call.now,
    )
    if call.session.scalar(select(exists(select(AccountEmail).where(AccountEmail.email_key == request.email.lower())))):
        row.state, row.failure_reason = "FAILED", "EMAIL_ALREADY_EXISTS"
    else:
        row.account_id = _create(call, organization, request)
    call.add(row)
    going_on = pb.CreateAccountStatus(
        id=row.id, account_name=row.account_name, state="IN_PROGRESS", requested_timestamp=accounts.seconds(call.now)
    )
    return pb.CreateAccountResponse(create_account_status=going_on)


@operation
def create_gov_cloud_account(call: Call, request: pb.CreateGovCloudAccountRequest) -> pb.CreateGovCloudAccountResponse:
    """There is no other partition here."""
    membership.find_managed(call)
    raise ConstraintViolation("MASTER_ACCOUNT_NOT_GOVCLOUD_ENABLED", "The management account is not enabled for AWS GovCloud (US).")


@operation
def describe_create_account_status(call: Call, request: pb.DescribeCreateAccountStatusRequest) -> pb.DescribeCreateAccountStatusResponse:
    """With the account's id, once there is one."""
    organization = membership.find_readable(call, request)
    wanted = AccountRequest.id == request.create_account_request_id, AccountRequest.organization_id == organization.id
    row = call.session.scalars(select(AccountRequest).where(*wanted)).one_or_none()
    if row is None:
        raise CreateAccountStatusNotFound("You specified a create account request ID that doesn't exist.")
    return pb.DescribeCreateAccountStatusResponse(create_account_status=_message(row))


@operation
def list_create_account_status(call: Call, request: pb.ListCreateAccountStatusRequest) -> pb.ListCreateAccountStatusResponse:
    """By id."""
    organization = membership.find_readable(call, request)
    query = select(AccountRequest).where(AccountRequest.organization_id == organization.id)
    if request.states:
        query = query.where(AccountRequest.state.in_(request.states))
    found = pages.page(call, request, query, key=[AccountRequest.id], of=lambda row: [row.id])
    return pb.ListCreateAccountStatusResponse(create_account_statuses=[_message(row) for row in found.rows], next_token=found.marker)


def _create(call: Call, organization: Organization, request: pb.CreateAccountRequest) -> str:
    """Make the account with its root user and its role, and hang it into the root; its id."""
    account_id = making.new_id()
    making.add(call.session, account_id, request.account_name, call.now)
    call.add(AccountEmail(account_id=account_id, email=request.email, email_key=request.email.lower()))
    accounts.join(call, organization, account_id, "CREATED", request.tags)
    name = request.role_name or ACCESS_ROLE
    trusted = {"Effect": "Allow", "Principal": {"AWS": arn.root(organization.management_account_id)}, "Action": "sts:AssumeRole"}
    role = Role(
        id=key_ids.unique_id("role"),
        account_id=account_id,
        name=name,
        name_key=name.lower(),
        path="/",
        created_at=call.now,
        boundary_id=None,
        description=None,
        trust_policy=json.dumps({"Version": "2012-10-17", "Statement": [trusted]}),
        max_session_seconds=3600,
    )
    call.add(role)
    call.add(InlinePolicy(owner_id=role.id, name="AdministratorAccess", name_key="administratoraccess", document=_ADMINISTRATION))
    return account_id


def _message(row: AccountRequest) -> pb.CreateAccountStatus:
    return pb.CreateAccountStatus(
        id=row.id,
        account_name=row.account_name,
        state=row.state,
        requested_timestamp=accounts.seconds(row.requested_at),
        completed_timestamp=accounts.seconds(row.completed_at),
        account_id=row.account_id,
        failure_reason=row.failure_reason,
    )
