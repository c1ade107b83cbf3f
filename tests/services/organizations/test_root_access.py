"""Central root access: features of IAM that an organization enables, and sessions of its members' root users."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.errors import SekishoError
from tests import clock
from tests.escalations import paths
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import allow
from tests.services.organizations.tree import SCP, Organization, deny
from tests.services.sts.roles import token

IAM = "iam.amazonaws.com"
DELETE, AUDIT = "IAMDeleteRootUserCredentials", "IAMAuditRootUserCredentials"
TASK = "arn:aws:iam::aws:policy/root-task/"
BUCKET = "arn:aws:s3:::letters"


@pytest.fixture
def trusting(org: Organization) -> Organization:
    """An organization to which IAM has access, with both features."""
    org("EnableAWSServiceAccess", service_principal=IAM)
    org.house.call("EnableOrganizationsRootCredentialsManagement")
    org.house.call("EnableOrganizationsRootSessions")
    return org


def features(org: Organization, who: sigv4.Credentials | None = None) -> list[str]:
    found = org.house.call("ListOrganizationsFeatures", _as=who)
    assert found.organization_id == org.id
    return list(found.enabled_features)


def session(org: Organization, target: str, task: str, who: sigv4.Credentials | None = None, **fields: Any) -> sigv4.Credentials:
    asked = {"target_principal": target, "task_policy_arn": {"arn": f"{TASK}{task}"}} | fields
    made = org.house.call("AssumeRoot", _as=who or org.admin, **asked).credentials
    return sigv4.Credentials(made.access_key_id, made.secret_access_key, made.session_token)


def denied(org: Organization, target: str, task: str, who: sigv4.Credentials | None = None) -> str:
    with pytest.raises(SekishoError) as caught:
        session(org, target, task, who)
    assert caught.value.code == "AccessDenied"
    return caught.value.message


def test_features_are_enabled_one_by_one(org: Organization) -> None:
    call = org.house.call
    org("EnableAWSServiceAccess", service_principal=IAM)
    assert features(org) == []
    made = call("EnableOrganizationsRootSessions")
    assert (made.organization_id, list(made.enabled_features)) == (org.id, ["RootSessions"])
    for _ in range(2):
        assert list(call("EnableOrganizationsRootCredentialsManagement").enabled_features) == ["RootCredentialsManagement", "RootSessions"]
    for _ in range(2):
        assert list(call("DisableOrganizationsRootSessions").enabled_features) == ["RootCredentialsManagement"]
    assert list(call("DisableOrganizationsRootCredentialsManagement").enabled_features) == []
    assert features(org) == []


def test_without_an_organization_or_access_there_are_none(house: House, refused: Refused) -> None:
    for name in ("ListOrganizationsFeatures", "EnableOrganizationsRootSessions", "DisableOrganizationsRootSessions"):
        assert refused(name)[0] == "OrganizationNotFoundException"
    made = Organization(house)
    for name in ("ListOrganizationsFeatures", "EnableOrganizationsRootSessions", "DisableOrganizationsRootCredentialsManagement"):
        assert refused(name)[0] == "ServiceAccessNotEnabledException"
    made("DeleteOrganization")
    house.call("CreateOrganization", feature_set="CONSOLIDATED_BILLING")
    assert refused("EnableOrganizationsRootCredentialsManagement")[0] == "OrganizationNotInAllFeaturesModeException"


def test_members_have_no_part_and_a_delegated_administrator_enables_nothing(trusting: Organization, refused: Refused) -> None:
    member, other = trusting.account(), trusting.account()
    keys = trusting.inside(member)
    for name in ("ListOrganizationsFeatures", "EnableOrganizationsRootSessions", "DisableOrganizationsRootSessions"):
        assert refused(name, keys)[0] == "AccountNotManagementOrDelegatedAdministratorException"
    trusting("EnableAWSServiceAccess", service_principal="config.amazonaws.com")
    trusting("RegisterDelegatedAdministrator", account_id=other, service_principal="config.amazonaws.com")
    assert refused("ListOrganizationsFeatures", trusting.inside(other))[0] == "AccountNotManagementOrDelegatedAdministratorException"
    trusting("RegisterDelegatedAdministrator", account_id=member, service_principal=IAM)
    assert features(trusting, keys) == ["RootCredentialsManagement", "RootSessions"]
    assert refused("EnableOrganizationsRootSessions", keys)[0] == "CallerIsNotManagementAccountException"


def test_a_source_identity_goes_into_the_root_session(trusting: Organization) -> None:
    """And is told, as of other sessions; without one nothing is."""
    house, member = trusting.house, trusting.account()
    statement = {"Effect": "Allow", "Principal": {"AWS": house.account_id}, "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"]}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = house.call("CreateRole", role_name="keeper", assume_role_policy_document=document).role.arn
    house.call("PutRolePolicy", role_name="keeper", policy_name="p", policy_document=allow("sts:AssumeRoot"))
    ann = house.user("ann", allow("sts:*"))
    asked: dict[str, Any] = {"target_principal": member, "task_policy_arn": {"arn": f"{TASK}{AUDIT}"}}
    for given in ({"source_identity": "ann"}, {}):
        made = house.call("AssumeRoot", _as=house.assume(role, _as=ann, **given), **asked)
        assert made.source_identity == given.get("source_identity", "")
        assert made.HasField("source_identity") is bool(given)


def test_without_access_of_iam_the_features_are_gone(trusting: Organization) -> None:
    member = trusting.account()
    session(trusting, member, DELETE)
    trusting("DisableAWSServiceAccess", service_principal=IAM)
    denied(trusting, member, DELETE)
    trusting("EnableAWSServiceAccess", service_principal=IAM)
    assert features(trusting) == []


def test_an_organization_with_features_is_deleted(trusting: Organization) -> None:
    trusting("DeleteOrganization")
    again = Organization.__new__(Organization)
    again.house = trusting.house
    again.id = trusting.house.call("CreateOrganization").organization.id
    again("EnableAWSServiceAccess", service_principal=IAM)
    assert features(again) == []


def test_the_credentials_of_a_root_user_are_deleted(trusting: Organization) -> None:
    member, root = trusting.invited()
    call = trusting.house.call
    at = session(trusting, member, DELETE)
    identity = call("GetCallerIdentity", _as=at)
    assert (identity.arn, identity.account, identity.user_id) == (f"arn:aws:iam::{member}:root", member, member)
    (key,) = call("ListAccessKeys", _as=at).access_key_metadata
    assert key.access_key_id == root.access_key_id
    call("DeleteAccessKey", _as=at, access_key_id=key.access_key_id)
    with pytest.raises(SekishoError) as caught:
        call("ListAccessKeys", _as=root)
    assert caught.value.code == "InvalidClientTokenId"
    audit = session(trusting, f"arn:aws:iam::{member}:root", AUDIT)
    assert list(call("ListAccessKeys", _as=audit).access_key_metadata) == []
    assert list(call("ListMFADevices", _as=audit).mfa_devices) == []
    assert list(call("ListSigningCertificates", _as=audit).certificates) == []
    assert call("GetAccountSummary", _as=audit).summary_map["AccountAccessKeysPresent"] == 0


def test_a_root_user_has_neither_password_nor_device(trusting: Organization, refused: Refused) -> None:
    member = trusting.account()
    at = session(trusting, member, DELETE)
    missing = ("NoSuchEntity", "Login Profile for User root cannot be found.")
    assert refused("GetLoginProfile", at) == missing
    assert refused("DeleteLoginProfile", at) == missing
    device = f"arn:aws:iam::{member}:mfa/none"
    assert refused("DeactivateMFADevice", at, serial_number=device)[0] == "NoSuchEntity"
    assert refused("DeleteSigningCertificate", at, certificate_id="A" * 24)[0] == "NoSuchEntity"
    made = session(trusting, member, "IAMCreateRootUserPassword")
    assert refused("CreateLoginProfile", made) == ("InvalidInput", "A root user has no password here: nobody signs in to a console.")


CASES: dict[str, tuple[str, Callable[[str], tuple[str, dict[str, Any]]]]] = {
    "audit_deletes_nothing": (AUDIT, lambda _: ("DeleteAccessKey", {"access_key_id": "AKIA1234567890123456"})),
    "delete_makes_no_key": (DELETE, lambda _: ("CreateAccessKey", {})),
    "delete_makes_no_user": (DELETE, lambda _: ("CreateUser", {"user_name": "eve"})),
    "delete_touches_no_user": (DELETE, lambda _: ("DeleteAccessKey", {"user_name": "ann", "access_key_id": "AKIA1234567890123456"})),
    "password_deletes_nothing": ("IAMCreateRootUserPassword", lambda _: ("DeleteLoginProfile", {})),
    "bucket_reads_no_keys": ("S3UnlockBucketPolicy", lambda _: ("ListAccessKeys", {})),
    "queue_lists_no_accounts": ("SQSUnlockQueuePolicy", lambda _: ("organizations:ListAccounts", {})),
    "no_role_is_assumed": (DELETE, lambda of: ("AssumeRole", {"role_arn": f"arn:aws:iam::{of}:role/r", "role_session_name": "se"})),
    "no_token_is_got": (DELETE, lambda _: ("GetSessionToken", {})),
}


@pytest.mark.parametrize("name", CASES)
def test_a_session_is_never_more_than_its_task(trusting: Organization, refused: Refused, name: str) -> None:
    member = trusting.account()
    trusting.house.call("CreateUser", _as=trusting.inside(member), user_name="ann")
    task, asked = CASES[name]
    operation, fields = asked(member)
    code, message = refused(operation, session(trusting, member, task), **fields)
    assert code == "AccessDenied", message


def test_a_bucket_that_allows_everything_gives_no_more_than_the_task(trusting: Organization) -> None:
    member = trusting.account()
    at = session(trusting, member, "S3UnlockBucketPolicy")
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}
    bucket = json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    def outcome(action: str, **fields: Any) -> int:
        asked = {"action": action, "resource": BUCKET, "resource_account": member, **fields}
        found: int = trusting.house.call("Authorize", bearer_token=token(at), **asked).outcome
        return found

    assert outcome("s3:PutBucketPolicy") == pb.OUTCOME_ALLOWED
    assert outcome("s3:GetObject") == pb.OUTCOME_EXPLICITLY_DENIED
    assert outcome("s3:GetObject", resource_policy=bucket) == pb.OUTCOME_EXPLICITLY_DENIED
    assert outcome("sqs:SetQueueAttributes", resource_policy=bucket) == pb.OUTCOME_EXPLICITLY_DENIED


@pytest.mark.parametrize("task", [DELETE, AUDIT, "IAMCreateRootUserPassword", "S3UnlockBucketPolicy", "SQSUnlockQueuePolicy"])
def test_no_task_wins_a_permission(trusting: Organization, refused: Refused, task: str) -> None:
    """Why AssumeRoot is on no path to an administrator: docs/least-privilege.md."""
    member = trusting.account()
    at = session(trusting, member, task)
    done = {name: refused(name, at, **fields)[0] for name, fields in paths.operations(member).items()}
    assert len(done) > 50
    assert {name: code for name, code in done.items() if code != "AccessDenied"} == {}
    mallory = trusting.house.user("mallory", allow("sts:AssumeRoot"))
    session(trusting, member, task, mallory)
    found = trusting.house.call("FindEscalationPaths", organization=True).paths
    assert not [one for one in found if one.source_arn.endswith("user/mallory")]


UNLOCKING = {"S3UnlockBucketPolicy": "s3:PutBucketPolicy", "SQSUnlockQueuePolicy": "sqs:SetQueueAttributes"}


@pytest.mark.parametrize("task", UNLOCKING)
def test_a_task_is_not_about_what_another_account_has(trusting: Organization, task: str) -> None:
    member, other = trusting.account(), trusting.account()
    at = session(trusting, member, task)
    everybody = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]})
    for owner, wanted in ((member, pb.OUTCOME_ALLOWED), (other, pb.OUTCOME_EXPLICITLY_DENIED)):
        asked: dict[str, Any] = {"action": UNLOCKING[task], "resource": BUCKET, "resource_account": owner, "resource_policy": everybody}
        assert trusting.house.call("Authorize", bearer_token=token(at), **asked).outcome == wanted


def test_service_control_policies_limit_the_session(trusting: Organization, refused: Refused) -> None:
    trusting("EnablePolicyType", root_id=trusting.root_id, policy_type=SCP)
    member = trusting.account()
    at = session(trusting, member, AUDIT)
    trusting.house.call("ListAccessKeys", _as=at)
    spared = {"Condition": {"Null": {"aws:AssumedRoot": "true"}}}
    only_others = trusting.policy(deny("iam:ListAccessKeys", **spared))
    trusting.attach(only_others, member)
    trusting.house.call("ListAccessKeys", _as=at)  # the policy spares what has the key aws:AssumedRoot
    trusting.attach(trusting.policy(deny("iam:ListAccessKeys")), member)
    code, message = refused("ListAccessKeys", at)
    assert (code, "service control policy" in message) == ("AccessDenied", True)


def test_who_may_not_assume_root_learns_nothing(trusting: Organization, house: House) -> None:
    member, other = trusting.account(), trusting.account()
    stranger = house.call("GetCallerIdentity", _as=house.account()).account
    sentence = "User: arn:aws:iam::{}:user/admin is not authorized to perform: sts:AssumeRoot on resource: arn:aws:iam::{}:root"
    for target in (stranger, "999999999999", trusting.management):
        assert denied(trusting, target, DELETE) == sentence.format(trusting.management, target)
    denied(trusting, member, DELETE, house.root)
    denied(trusting, member, DELETE, trusting.inside(other))
    denied(trusting, member, DELETE, house.user("bare"))
    only = {"Condition": {"StringEquals": {"sts:TaskPolicyArn": f"{TASK}{AUDIT}"}}}
    statement = {"Effect": "Allow", "Action": "sts:AssumeRoot", "Resource": f"arn:aws:iam::{member}:root", **only}
    auditor = house.user("auditor", json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    session(trusting, member, AUDIT, auditor)
    denied(trusting, member, DELETE, auditor)
    denied(trusting, other, AUDIT, auditor)
    trusting("CloseAccount", account_id=other)
    denied(trusting, other, DELETE)


def test_each_task_needs_its_feature(trusting: Organization) -> None:
    member = trusting.account()
    trusting.house.call("DisableOrganizationsRootSessions")
    session(trusting, member, DELETE)
    denied(trusting, member, "S3UnlockBucketPolicy")
    trusting.house.call("EnableOrganizationsRootSessions")
    trusting.house.call("DisableOrganizationsRootCredentialsManagement")
    session(trusting, member, "SQSUnlockQueuePolicy")
    for task in (DELETE, AUDIT, "IAMCreateRootUserPassword"):
        denied(trusting, member, task)


def test_the_delegated_administrator_assumes_root_until_it_is_one_no_more(trusting: Organization) -> None:
    member, boss = trusting.account(), trusting.account()
    keys = trusting.inside(boss)
    denied(trusting, member, DELETE, keys)
    trusting("RegisterDelegatedAdministrator", account_id=boss, service_principal=IAM)
    session(trusting, member, DELETE, keys)
    denied(trusting, trusting.management, DELETE, keys)
    denied(trusting, boss, DELETE, keys)
    trusting("DeregisterDelegatedAdministrator", account_id=boss, service_principal=IAM)
    denied(trusting, member, DELETE, keys)


ENDS: dict[str, Callable[[Organization, str, str], Any]] = {
    "the_feature_is_disabled": lambda org, *_: org.house.call("DisableOrganizationsRootCredentialsManagement"),
    "iam_has_no_access_any_more": lambda org, _, boss: (
        org("DeregisterDelegatedAdministrator", account_id=boss, service_principal=IAM),
        org("DisableAWSServiceAccess", service_principal=IAM),
    ),
    "the_member_leaves": lambda org, member, _: org("RemoveAccountFromOrganization", account_id=member),
    "the_administrator_is_none_any_more": lambda org, _, boss: org(
        "DeregisterDelegatedAdministrator", account_id=boss, service_principal=IAM
    ),
    "the_administrator_is_closed": lambda org, _, boss: org("CloseAccount", account_id=boss),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_session_ends_with_the_right_to_it(trusting: Organization, refused: Refused, name: str) -> None:
    (member, _), boss = trusting.invited(), trusting.account()
    trusting("RegisterDelegatedAdministrator", account_id=boss, service_principal=IAM)
    at = session(trusting, member, AUDIT, trusting.inside(boss))
    trusting.house.call("ListAccessKeys", _as=at)
    trusting.house.call("DisableOrganizationsRootSessions")  # of which the task is not
    trusting.house.call("ListAccessKeys", _as=at)
    asked: dict[str, Any] = {"bearer_token": token(at), "action": "iam:ListAccessKeys", "resource": f"arn:aws:iam::{member}:root"}
    assert trusting.house.call("Authorize", **asked).outcome == pb.OUTCOME_ALLOWED
    ENDS[name](trusting, member, boss)
    assert refused("ListAccessKeys", at)[0] == "InvalidClientTokenId"
    with pytest.raises(SekishoError) as caught:
        trusting.house.call("Authorize", **asked)
    assert caught.value.code == "UnknownPrincipal"


def test_a_session_of_a_closed_member_is_refused(trusting: Organization, refused: Refused) -> None:
    member = trusting.account()
    at = session(trusting, member, AUDIT)
    trusting("CloseAccount", account_id=member)
    assert refused("ListAccessKeys", at)[0] == "OptInRequired"


def test_a_session_lasts_a_quarter_of_an_hour_at_most(trusting: Organization, refused: Refused) -> None:
    member = trusting.account()
    asked: dict[str, Any] = {"target_principal": member, "task_policy_arn": {"arn": f"{TASK}{DELETE}"}}
    assert refused("AssumeRoot", trusting.admin, duration_seconds=901, **asked)[0] == "ValidationError"
    with clock.stopped(datetime(2030, 1, 1, tzinfo=UTC)):
        for given, ends in (({}, "2030-01-01T00:15:00Z"), ({"duration_seconds": 60}, "2030-01-01T00:01:00Z")):
            made = trusting.house.call("AssumeRoot", _as=trusting.admin, **(asked | given))
            assert made.credentials.expiration.ToJsonString() == ends
    unknown = refused("AssumeRoot", trusting.admin, **(asked | {"task_policy_arn": {"arn": "arn:aws:iam::aws:policy/AdministratorAccess"}}))
    assert unknown[0] == "ValidationError"
    for target in ("arn:aws:iam::123456789012:user/ann", "x" * 12):
        assert refused("AssumeRoot", trusting.admin, **(asked | {"target_principal": target}))[0] == "ValidationError"
