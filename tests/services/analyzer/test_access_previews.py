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
    wrong: list[dict[str, Any]] = [
        {role: {"iam_role": {}}},
        {role: {}},
        {role: {"sqs_queue": {"queue_policy": PUBLIC_QUEUE}}},
        {"arn:aws:iam::999988887777:role/x": {"iam_role": {"trust_policy": trust("*")}}},
        {"role": {"iam_role": {"trust_policy": trust("*")}}},
        {"arn:aws:s3:::photos": {"s3_bucket": {"bucket_policy": PUBLIC_QUEUE}}},
        {"arn:aws:sm:::x": {"secrets_manager_secret": {"secret_policy": PUBLIC_QUEUE, "kms_key_id": "k"}}},
        {role: {"iam_role": {"trust_policy": trust("*")}}, f"{role}2": {"iam_role": {"trust_policy": trust("*")}}},
    ]
    for configurations in wrong:
        assert failing("CreateAccessPreview", analyzer_arn=arn, configurations=configurations) == "Validation", configurations
    unknown = "00000000-0000-0000-0000-000000000000"
    assert failing("GetAccessPreview", analyzer_arn=arn, access_preview_id=unknown) == "ResourceNotFound"
    assert list(call("ListAccessPreviews", analyzer_arn=arn).access_previews) == []
