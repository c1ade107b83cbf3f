"""Numbers of what there is, and last uses of keys and roles, over the whole pipeline."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sekisho.journal.last_use import Use
from sekisho.store.tables import AccessKey, Role, SigningCertificate
from tests.harness import House
from tests.services.iam.documents import LIST_BUCKETS, TRUST_EC2

AT = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_a_policy_counts_what_it_is_attached_to_and_what_it_bounds(house: House) -> None:
    arns = [house.call("CreatePolicy", policy_name=name, policy_document=LIST_BUCKETS).policy.arn for name in ("used", "unused")]
    used, unused = arns
    house.call("CreateUser", user_name="ann", permissions_boundary=used)
    house.call("CreateUser", user_name="bob", permissions_boundary=used)
    house.call("CreateRole", role_name="r", assume_role_policy_document=TRUST_EC2, permissions_boundary=used)
    house.call("AttachUserPolicy", user_name="ann", policy_arn=used)
    house.call("AttachRolePolicy", role_name="r", policy_arn=used)
    other = house.account()
    aws = "arn:aws:iam::aws:policy/Administrator"
    house.call("CreateUser", _as=other, user_name="ann", permissions_boundary=aws)
    house.call("AttachUserPolicy", _as=other, user_name="ann", policy_arn=aws)
    expected = {used: (2, 3, True), unused: (0, 0, True)}

    def counts(rows: Any) -> dict[str, tuple[int, int, bool]]:
        return {row.arn: (row.attachment_count, row.permissions_boundary_usage_count, row.is_attachable) for row in rows}

    assert counts(house.call("GetPolicy", policy_arn=arn).policy for arn in arns) == expected
    assert counts(house.call("ListPolicies", scope="Local").policies) == expected
    assert counts([house.call("GetPolicy", policy_arn=aws).policy]) == {aws: (0, 0, True)}
    details = house.call("GetAccountAuthorizationDetails")
    assert counts(details.policies) == expected
    assert {row.description for row in details.policies} == {""}
    assert {row.create_date.nanos + row.update_date.nanos for row in details.policies} == {0}
    (role,) = details.role_detail_list
    assert (role.permissions_boundary.permissions_boundary_arn, role.role_last_used.HasField("last_used_date")) == (used, False)

    def names(usage: str) -> list[str]:
        return [row.policy_name for row in house.call("ListPolicies", scope="Local", policy_usage_filter=usage).policies]

    assert names("PermissionsBoundary") == names("PermissionsPolicy") == ["used"]
    house.call("DeleteRolePermissionsBoundary", role_name="r")
    assert names("PermissionsBoundary") == ["used"]
    for name in ("ann", "bob"):
        house.call("DeleteUserPermissionsBoundary", user_name=name)
    assert names("PermissionsBoundary") == []
    house.call("PutRolePermissionsBoundary", role_name="r", permissions_boundary=used)
    assert names("PermissionsBoundary") == ["used"]


def test_a_policy_of_the_account_is_attached_whatever_its_path(house: House) -> None:
    house.call("CreateUser", user_name="ann")
    path = "/aws-service-role/x.example.com/"
    arn = house.call("CreatePolicy", policy_name="p", path=path, policy_document=LIST_BUCKETS).policy.arn
    house.call("AttachUserPolicy", user_name="ann", policy_arn=arn)
    attached = house.call("ListAttachedUserPolicies", user_name="ann", path_prefix=path).attached_policies
    assert [(one.policy_name, one.policy_arn) for one in attached] == [("p", arn)]


def test_the_root_user_has_credentials_or_not(house: House) -> None:
    house.call("CreateAccessKey")
    with house.node.database.write((house.account_id,)) as session:
        for name in "ab":
            columns = {"account_id": house.account_id, "owner_id": house.account_id, "body": "b", "created_at": AT}
            session.add(SigningCertificate(id=f"{house.account_id}-{name}", fingerprint=name, **columns))
    summary = house.call("GetAccountSummary").summary_map
    assert (summary["AccountAccessKeysPresent"], summary["AccountSigningCertificatesPresent"]) == (1, 1)
    assert (summary["AccountPasswordPresent"], summary["AccountMFAEnabled"], summary["Providers"]) == (0, 0, 0)


def test_the_last_use_is_the_later_of_what_is_stored_and_seen(house: House) -> None:
    """Of two at the same moment the one that was seen, which knows where."""
    house.call("CreateUser", user_name="ann")
    key = house.call("CreateAccessKey", user_name="ann").access_key.access_key_id
    role = house.call("CreateRole", role_name="r", assume_role_policy_document=TRUST_EC2).role.role_id
    with house.node.database.write((house.account_id,)) as session:
        session.get_one(AccessKey, key).last_used_service = "s3"
        for row in (session.get_one(AccessKey, key), session.get_one(Role, role)):
            row.last_used_at, row.last_used_region = AT, "eu-west-1"
    cases = [
        (AT - SECOND, ("2026-01-02T03:04:05Z", "s3", "eu-west-1")),
        (AT, ("2026-01-02T03:04:05Z", "sqs", "us-east-1")),
        (AT + SECOND, ("2026-01-02T03:04:06Z", "sqs", "us-east-1")),
    ]
    for seen, shown in cases:
        for id_ in (key, role):
            house.node.last_use.note(id_, Use(seen, "sqs", "us-east-1"))
        used = house.call("GetAccessKeyLastUsed", access_key_id=key).access_key_last_used
        assert (used.last_used_date.ToJsonString(), used.service_name, used.region) == shown
        used = house.call("GetRole", role_name="r").role.role_last_used
        assert (used.last_used_date.ToJsonString(), used.region) == (shown[0], shown[2])
