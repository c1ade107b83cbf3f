"""Accounts: made, moved, closed, removed."""

import re

import pytest

from sekisho.errors import SekishoError
from sekisho.store.tables import QuotaOverride
from tests.services.organizations.conftest import Failing
from tests.services.organizations.tree import Organization


def test_an_account_is_asked_for_and_is_there(org: Organization) -> None:
    asked = org("CreateAccount", email="Dev@example.com", account_name="Development").create_account_status
    assert re.fullmatch("car-[a-z0-9]{32}", asked.id)
    assert (asked.state, asked.account_name, asked.HasField("account_id")) == ("IN_PROGRESS", "Development", False)
    done = org("DescribeCreateAccountStatus", create_account_request_id=asked.id).create_account_status
    assert (done.state, done.HasField("failure_reason"), done.HasField("completed_timestamp")) == ("SUCCEEDED", False, True)
    found = org("DescribeAccount", account_id=done.account_id).account
    assert re.fullmatch(r"\d{12}", found.id)
    assert found.arn == f"arn:aws:organizations::{org.management}:account/{org.id}/{found.id}"
    assert (found.name, found.email, found.joined_method) == ("Development", "Dev@example.com", "CREATED")
    assert (found.status, found.state, list(found.paths)) == ("ACTIVE", "ACTIVE", [f"{org.id}/{org.root_id}/{found.id}/"])
    assert [one.id for one in org("ListCreateAccountStatus").create_account_statuses] == [asked.id]
    assert list(org("ListCreateAccountStatus", states=["FAILED"]).create_account_statuses) == []


def test_an_address_belongs_to_one_account(org: Organization) -> None:
    org("CreateAccount", email="dev@example.org", account_name="first")
    asked = org("CreateAccount", email="DEV@example.org", account_name="second").create_account_status
    done = org("DescribeCreateAccountStatus", create_account_request_id=asked.id).create_account_status
    assert (done.state, done.failure_reason, done.HasField("account_id")) == ("FAILED", "EMAIL_ALREADY_EXISTS", False)
    assert [account.name for account in org("ListAccounts").accounts if account.joined_method == "CREATED"] == ["first"]


def test_the_management_account_assumes_the_role_in_the_account(org: Organization) -> None:
    member = org.account()
    keys = org.inside(member)
    assert org.house.call("GetCallerIdentity", _as=keys).account == member
    org.house.call("CreateUser", _as=keys, user_name="ann")
    assert [user.user_name for user in org.house.call("ListUsers", _as=keys).users] == ["ann"]
    trust = org.house.call("GetRole", _as=keys, role_name="OrganizationAccountAccessRole").role.assume_role_policy_document
    assert trust == (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::'
        f'{org.management}:root"}}, "Action": "sts:AssumeRole"}}]}}'
    )
    named = org.account("other", role_name="Landing")
    assert org.house.call("GetCallerIdentity", _as=org.inside(named, "Landing")).account == named


def test_an_account_is_made_with_tags(org: Organization, failing: Failing) -> None:
    member = org.account(tags=[{"key": "cost", "value": "1"}, {"key": "Cost", "value": "2"}])
    shown = org("ListTagsForResource", resource_id=member).tags
    assert [(tag.key, tag.value) for tag in shown] == [("Cost", "2"), ("cost", "1")]
    fields = {"email": "t@example.com", "account_name": "t"}
    twice = failing("CreateAccount", tags=[{"key": "a", "value": "1"}, {"key": "a", "value": "2"}], **fields)
    assert twice == ("InvalidInput", "DUPLICATE_TAG_KEY")
    reserved = failing("CreateAccount", tags=[{"key": "aws:a", "value": "1"}], **fields)
    assert reserved == ("InvalidInput", "INVALID_SYSTEM_TAGS_PARAMETER")


def test_ten_accounts_unless_an_operator_admits_more(org: Organization, failing: Failing) -> None:
    with org.house.node.database.write((org.management,)) as session:
        session.get_one(QuotaOverride, (org.management, "OrganizationAccountsQuota")).value = 3
    org.account()
    asked = org("InviteAccountToOrganization", target={"id": "123456789012", "type": "ACCOUNT"}).handshake
    full = ("ConstraintViolation", "ACCOUNT_NUMBER_LIMIT_EXCEEDED")
    assert failing("CreateAccount", email="c@example.com", account_name="c") == full
    org("CancelHandshake", handshake_id=asked.id)
    org.account()
    assert failing("CreateAccount", email="c@example.com", account_name="c") == full


def test_moves_name_where_from_and_where_to(org: Organization, failing: Failing) -> None:
    dev = org.unit("dev")
    member = org.account(parent=dev)
    move = {"account_id": member, "source_parent_id": dev, "destination_parent_id": org.root_id}
    assert failing("MoveAccount", **(move | {"source_parent_id": org.root_id}))[0] == "SourceParentNotFound"
    assert failing("MoveAccount", **(move | {"destination_parent_id": "ou-abcd-12345678"}))[0] == "DestinationParentNotFound"
    assert failing("MoveAccount", **(move | {"destination_parent_id": dev}))[0] == "DuplicateAccount"
    assert failing("MoveAccount", **(move | {"account_id": "123456789012"}))[0] == "AccountNotFound"
    org("MoveAccount", **move)
    assert list(org("DescribeAccount", account_id=member).account.paths) == [f"{org.id}/{org.root_id}/{member}/"]
    org("MoveAccount", account_id=org.management, source_parent_id=org.root_id, destination_parent_id=dev)


def test_a_closed_account_stays_and_is_closed_once(org: Organization, failing: Failing) -> None:
    member = org.account()
    org("CloseAccount", account_id=member)
    found = org("DescribeAccount", account_id=member).account
    assert (found.status, found.state) == ("SUSPENDED", "CLOSED")
    assert failing("CloseAccount", account_id=member)[0] == "AccountAlreadyClosed"
    assert failing("RemoveAccountFromOrganization", account_id=member) == ("ConstraintViolation", "ACCOUNT_CANNOT_LEAVE_ORGANIZATION")
    assert failing("CloseAccount", account_id=org.management) == ("ConstraintViolation", "CANNOT_CLOSE_MANAGEMENT_ACCOUNT")
    assert failing("CloseAccount", account_id="123456789012")[0] == "AccountNotFound"


def test_roles_of_a_closed_account_are_as_if_there_were_none(org: Organization) -> None:
    member, other = org.account(), org.account()
    org.inside(member)
    org("CloseAccount", account_id=member)
    with pytest.raises(SekishoError) as closed:
        org.inside(member)
    with pytest.raises(SekishoError) as missing:
        org.inside(other, "Nobody")
    assert (closed.value.code, missing.value.code) == ("AccessDenied", "AccessDenied")
    assert closed.value.message == missing.value.message.replace(other, member).replace("Nobody", "OrganizationAccountAccessRole")


def test_another_partition_is_refused(org: Organization, failing: Failing) -> None:
    answer = failing("CreateGovCloudAccount", email="g@example.com", account_name="g")
    assert answer == ("ConstraintViolation", "MASTER_ACCOUNT_NOT_GOVCLOUD_ENABLED")


def test_an_account_describes_itself_and_no_other(org: Organization, failing: Failing) -> None:
    member, sibling = org.account("mine"), org.account()
    keys = org.inside(member)
    assert org("DescribeAccount", keys, account_id=member).account.name == "mine"
    assert failing("DescribeAccount", keys, account_id=sibling)[0] == "AccessDenied"
    assert failing("DescribeCreateAccountStatus", create_account_request_id="car-12345678")[0] == "CreateAccountStatusNotFound"
