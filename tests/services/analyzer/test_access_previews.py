"""Access previews: what a change would make, before it is made."""

import json
from typing import Any

from tests.harness import House
from tests.services.analyzer.conftest import Called, Failing, found, make, until
from tests.services.iam.documents import TRUST_EC2, trust

PUBLIC_QUEUE = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}],
    }
)


def preview(call: Called, arn: str, resource: str, configuration: dict[str, Any]) -> str:
    made: str = call("CreateAccessPreview", analyzer_arn=arn, configurations={resource: configuration}).id
    return made


def previewed(call: Called, arn: str, id_: str, **fields: Any) -> list[Any]:
    return list(call("ListAccessPreviewFindings", analyzer_arn=arn, access_preview_id=id_, **fields).findings)


def test_a_role_that_would_be_new(house: House, call: Called) -> None:
    arn, role = make(call), f"arn:aws:iam::{house.account_id}:role/planned"
    id_ = preview(call, arn, role, {"iam_role": {"trust_policy": trust("*")}})
    shown = call("GetAccessPreview", analyzer_arn=arn, access_preview_id=id_).access_preview
    assert (shown.status, shown.analyzer_arn, shown.configurations[role].iam_role.trust_policy) == ("COMPLETED", arn, trust("*"))
    (one,) = previewed(call, arn, id_)
    assert (one.change_type, one.status, one.resource, one.is_public) == ("NEW", "ACTIVE", role, True)
    assert (dict(one.principal), list(one.action), one.HasField("existing_finding_id")) == ({"AWS": "*"}, ["sts:AssumeRole"], False)
    assert found(call, arn) == []
    assert [each.id for each in call("ListAccessPreviews", analyzer_arn=arn).access_previews] == [id_]
    harmless = preview(call, arn, role, {"iam_role": {"trust_policy": TRUST_EC2}})
    assert previewed(call, arn, harmless) == []


def test_changes_of_a_role_that_is_there(house: House, call: Called) -> None:
    arn = make(call, archive_rules=[{"rule_name": "known", "filter": {"principal.AWS": {"contains": ["arn:"]}}}])
    role = house.call("CreateRole", role_name="open", assume_role_policy_document=trust("*")).role.arn
    (known,) = until(lambda: found(call, arn), "nothing is found")
    same = preview(call, arn, role, {"iam_role": {}})
    (one,) = previewed(call, arn, same)
    assert (one.change_type, one.existing_finding_id, one.existing_finding_status, one.status) == (
        "UNCHANGED",
        known.id,
        "ACTIVE",
        "ACTIVE",
    )
    their = house.call("CreateUser", _as=house.account(), user_name="ann").user.arn
    other = preview(call, arn, role, {"iam_role": {"trust_policy": trust(their)}})
    by_change = {one.change_type: one for one in previewed(call, arn, other)}
    assert (by_change["NEW"].status, dict(by_change["NEW"].principal)) == ("ARCHIVED", {"AWS": their})
    assert (by_change["CHANGED"].status, by_change["CHANGED"].existing_finding_id) == ("RESOLVED", known.id)
    assert [one.change_type for one in previewed(call, arn, other, filter={"changeType": {"eq": ["NEW"]}})] == ["NEW"]
    page = call("ListAccessPreviewFindings", analyzer_arn=arn, access_preview_id=other, max_results=1)
    assert len(page.findings) == 1
    assert len(previewed(call, arn, other, max_results=1, next_token=page.next_token)) == 1
    assert [one.status for one in found(call, arn)] == ["ACTIVE"]


def test_other_resources_whose_policy_alone_decides(house: House, call: Called) -> None:
    arn, queue = make(call), f"arn:aws:sqs:us-east-1:{house.account_id}:orders"
    (one,) = previewed(call, arn, preview(call, arn, queue, {"sqs_queue": {"queue_policy": PUBLIC_QUEUE}}))
    assert (one.resource_type, one.is_public, list(one.action)) == ("AWS::SQS::Queue", True, ["sqs:SendMessage"])


def test_a_policy_that_is_none_fails_the_preview(house: House, call: Called, failing: Failing) -> None:
    arn, role = make(call), f"arn:aws:iam::{house.account_id}:role/planned"
    id_ = preview(call, arn, role, {"iam_role": {"trust_policy": "{}"}})
    shown = call("GetAccessPreview", analyzer_arn=arn, access_preview_id=id_).access_preview
    assert (shown.status, shown.status_reason.code) == ("FAILED", "INVALID_CONFIGURATION")
    assert failing("ListAccessPreviewFindings", analyzer_arn=arn, access_preview_id=id_) == "Conflict"


def test_what_cannot_be_previewed_is_refused(house: House, call: Called, failing: Failing) -> None:
    arn, role = make(call), f"arn:aws:iam::{house.account_id}:role/planned"
    key = f"arn:aws:kms:us-east-1:{house.account_id}:key/1234"
    wrong: list[dict[str, Any]] = [
        {role: {"iam_role": {}}},
        {role: {}},
        {role: {"sqs_queue": {"queue_policy": PUBLIC_QUEUE}}},
        {"arn:aws:iam::999988887777:role/x": {"iam_role": {"trust_policy": trust("*")}}},
        {"role": {"iam_role": {"trust_policy": trust("*")}}},
        {"arn:aws:s3:::photos": {"s3_bucket": {"access_points": {"arn:aws:s3:us-east-1:999988887777:accesspoint/x": {}}}}},
        {"arn:aws:s3:::photos": {"s3_bucket": {"bucket_acl_grants": [{"permission": "READ", "grantee": {"id": "79a59d"}}]}}},
        {key: {"kms_key": {"key_policies": {"other": PUBLIC_QUEUE}}}},
        {key: {"ebs_snapshot": {"user_ids": ["999988887777"], "kms_key_id": "k"}}},
        {key: {"rds_db_snapshot": {"attributes": {"copy": {"account_ids": ["all"]}}}}},
        {"arn:aws:sm:::x": {"secrets_manager_secret": {"secret_policy": PUBLIC_QUEUE, "kms_key_id": "k"}}},
        {role: {"iam_role": {"trust_policy": trust("*")}}, f"{role}2": {"iam_role": {"trust_policy": trust("*")}}},
    ]
    for configurations in wrong:
        assert failing("CreateAccessPreview", analyzer_arn=arn, configurations=configurations) == "Validation", configurations
    unknown = "00000000-0000-0000-0000-000000000000"
    assert failing("GetAccessPreview", analyzer_arn=arn, access_preview_id=unknown) == "ResourceNotFound"
    assert list(call("ListAccessPreviews", analyzer_arn=arn).access_previews) == []


def statement(action: str, **more: Any) -> str:
    value = {"Effect": "Allow", "Principal": {"AWS": "999988887777"}, "Action": action, "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [value]})


def told(call: Called, arn: str, resource: str, configuration: dict[str, Any]) -> list[tuple[str, list[str], bool, str]]:
    found = previewed(call, arn, preview(call, arn, resource, configuration))
    return sorted((one.principal["AWS"], list(one.action), one.is_public, one.sources[0].type) for one in found)


def test_buckets_with_lists_and_blocks(house: House, call: Called) -> None:
    arn, bucket = make(call), "arn:aws:s3:::photos"
    everybody = {"permission": "READ_ACP", "grantee": {"uri": "http://acs.amazonaws.com/groups/global/AllUsers"}}
    logs = {"permission": "WRITE", "grantee": {"uri": "http://acs.amazonaws.com/groups/s3/LogDelivery"}}
    shared, public = statement("s3:GetObject"), statement("s3:GetObject", Principal="*")
    listed = {"bucket_policy": shared, "bucket_acl_grants": [everybody, logs]}
    partner = ("999988887777", ["s3:GetObject"], False, "POLICY")
    assert told(call, arn, bucket, {"s3_bucket": listed}) == [("*", ["s3:GetBucketAcl"], True, "BUCKET_ACL"), partner]
    ignored = {"ignore_public_acls": True, "restrict_public_buckets": False}
    assert told(call, arn, bucket, {"s3_bucket": {**listed, "bucket_public_access_block": ignored}}) == [partner]
    closed = {"ignore_public_acls": False, "restrict_public_buckets": True}
    assert told(call, arn, bucket, {"s3_bucket": {"bucket_policy": public}}) == [("*", ["s3:GetObject"], True, "POLICY")]
    assert told(call, arn, bucket, {"s3_bucket": {"bucket_policy": public, "bucket_public_access_block": closed}}) == []
    assert told(call, arn, bucket, {"s3_bucket": {"bucket_policy": shared, "bucket_public_access_block": closed}}) == [partner]


def test_a_deny_in_the_policy_holds_for_a_list_too(house: House, call: Called) -> None:
    arn, bucket = make(call), "arn:aws:s3:::photos"
    everybody = {"permission": "READ", "grantee": {"uri": "http://acs.amazonaws.com/groups/global/AllUsers"}}
    shut = statement("s3:*", Effect="Deny", Principal="*")
    assert told(call, arn, bucket, {"s3_bucket": {"bucket_policy": shut, "bucket_acl_grants": [everybody]}}) == []


def test_keys_with_grants(house: House, call: Called) -> None:
    arn, key = make(call), f"arn:aws:kms:us-east-1:{house.account_id}:key/1234"
    their = house.call("CreateUser", _as=house.account(), user_name="ann").user.arn
    grant = {"grantee_principal": their, "operations": ["Decrypt", "Encrypt"], "issuing_account": house.account_id}
    assert told(call, arn, key, {"kms_key": {"grants": [grant]}}) == [(their, ["kms:Decrypt", "kms:Encrypt"], False, "POLICY")]
    own = {**grant, "grantee_principal": f"arn:aws:iam::{house.account_id}:root"}
    service = {**grant, "grantee_principal": "ec2.amazonaws.com"}
    assert told(call, arn, key, {"kms_key": {"grants": [own, service]}}) == []
    both = {"key_policies": {"default": statement("kms:*")}, "grants": [own]}
    assert told(call, arn, key, {"kms_key": both}) == [("999988887777", ["kms:*"], False, "POLICY")]


def test_snapshots_that_are_shared(house: House, call: Called) -> None:
    arn, own = make(call), house.account_id
    volume = {"ebs_snapshot": {"user_ids": ["999988887777", own], "groups": ["all"]}}
    actions = ["ec2:CopySnapshot", "ec2:CreateVolume"]
    expected = [("*", actions, True, "POLICY"), ("999988887777", actions, False, "POLICY")]
    assert told(call, arn, f"arn:aws:ec2:us-east-1:{own}:snapshot/snap-1", volume) == expected
    database = {"rds_db_snapshot": {"attributes": {"restore": {"account_ids": ["all"]}}}}
    restored = ["rds:CopyDBSnapshot", "rds:RestoreDBInstanceFromDBSnapshot"]
    assert told(call, arn, f"arn:aws:rds:us-east-1:{own}:snapshot:one", database) == [("*", restored, True, "POLICY")]
    cluster = {"rds_db_cluster_snapshot": {"attributes": {"restore": {"account_ids": [own]}}}}
    assert told(call, arn, f"arn:aws:rds:us-east-1:{own}:cluster-snapshot:one", cluster) == []
    express = {"s3_express_directory_bucket": {"bucket_policy": statement("s3express:CreateSession")}}
    expected = [("999988887777", ["s3express:CreateSession"], False, "POLICY")]
    assert told(call, arn, f"arn:aws:s3express:us-east-1:{own}:bucket/one", express) == expected


def test_the_policy_of_a_resource_that_is_there_stays_or_goes(house: House, call: Called) -> None:
    arn, bucket = make(call), "arn:aws:s3:::photos"
    house.call("resource:PutResource", resource_arn=bucket)
    house.call("resource:PutResourcePolicy", resource_arn=bucket, resource_policy=statement("s3:GetObject"))
    assert [actions for _, actions, _, _ in told(call, arn, bucket, {"s3_bucket": {}})] == [["s3:GetObject"]]
    until(lambda: found(call, arn), "nothing is found")
    gone = previewed(call, arn, preview(call, arn, bucket, {"s3_bucket": {"bucket_policy": ""}}))
    assert [(one.change_type, one.status) for one in gone] == [("CHANGED", "RESOLVED")]
