"""Policies made of what was done, as the trail says."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sekisho import policy
from sekisho.analysis import generation
from sekisho.journal.analyzers import generating
from tests.harness import House
from tests.services.analyzer.conftest import Called, Failing, until
from tests.services.iam.documents import TRUST_EC2, allow


def generated(call: Called, job: str, **fields: Any) -> Any:
    return until(
        lambda: (found := call("GetGeneratedPolicy", job_id=job, **fields)).job_details.status != "IN_PROGRESS" and found, "it is not made"
    )


def test_a_policy_of_what_a_user_did(house: House, call: Called) -> None:
    ann = house.user("ann", allow("*"))
    house.call("GetUser", _as=ann, user_name="ann")
    house.call("CreateUser", _as=ann, user_name="bob")
    house.call("CreateUser", user_name="carol")
    arn = f"arn:aws:iam::{house.account_id}:user/ann"
    details = {"principal_arn": arn}

    def statements() -> Any:
        job = call("StartPolicyGeneration", policy_generation_details=details).job_id
        found = generated(call, job)
        assert (found.job_details.status, found.generated_policy_result.properties.principal_arn) == ("SUCCEEDED", arn)
        assert found.generated_policy_result.properties.is_complete
        (made,) = found.generated_policy_result.generated_policies
        actions = {
            one["Action"] if isinstance(one["Action"], str) else tuple(one["Action"]): one["Resource"]
            for one in json.loads(made.policy)["Statement"]
        }
        return actions if len(actions) == 2 else None

    found = until(statements, "what was read is not in the trail yet")
    assert found == {"iam:CreateUser": f"arn:aws:iam::{house.account_id}:user/bob", "iam:GetUser": arn}
    listed = call("ListPolicyGenerations", principal_arn=arn).policy_generations
    assert {one.status for one in listed} == {"SUCCEEDED"}
    shown = generated(call, listed[-1].job_id, include_resource_placeholders=True)
    assert "${Account}" in shown.generated_policy_result.generated_policies[0].policy
    policy.parse(generated(call, listed[-1].job_id).generated_policy_result.generated_policies[0].policy)


@pytest.mark.parametrize("stretch", [1, 2, 3, 4, 5])
def test_records_are_read_a_stretch_at_a_time(house: House, call: Called, monkeypatch: pytest.MonkeyPatch, stretch: int) -> None:
    monkeypatch.setattr(generating, "STRETCH", stretch)
    ann = house.user("ann", allow("*"))
    for name in ("a", "b", "c", "d"):
        house.call("CreateUser", _as=ann, user_name=name)
    arn = f"arn:aws:iam::{house.account_id}:user/"

    def resources() -> Any:
        found = generated(call, call("StartPolicyGeneration", policy_generation_details={"principal_arn": f"{arn}ann"}).job_id)
        (made,) = found.generated_policy_result.generated_policies
        (statement,) = json.loads(made.policy)["Statement"]
        return statement["Resource"] == [f"{arn}{name}" for name in ("a", "b", "c", "d")]

    until(resources, "the second in which it was done is not over, or records are left out")


def test_a_job_that_cannot_be_done_keeps_no_other_from_it(house: House, call: Called, monkeypatch: pytest.MonkeyPatch) -> None:
    def unforeseen(*_: object) -> Any:
        raise KeyError("ARN")

    for name in ("ann", "bob"):
        house.user(name, allow("*"))
    details = [{"principal_arn": f"arn:aws:iam::{house.account_id}:user/{name}"} for name in ("ann", "bob")]
    with monkeypatch.context() as patched:
        patched.setattr(generation, "generate", unforeseen)
        found = generated(call, call("StartPolicyGeneration", policy_generation_details=details[0]).job_id)
    assert (found.job_details.status, found.job_details.job_error.code) == ("FAILED", "SERVICE_ERROR")
    found = generated(call, call("StartPolicyGeneration", policy_generation_details=details[1]).job_id)
    assert found.job_details.status == "SUCCEEDED"


def test_what_is_refused(house: House, call: Called, failing: Failing) -> None:
    ann = house.user("ann", allow("access-analyzer:*"))
    house.call("CreateRole", role_name="reader", assume_role_policy_document=TRUST_EC2)
    house.call("CreateTrail", name="main", s3_bucket_name="logs")
    own, now = f"arn:aws:iam::{house.account_id}:", datetime.now(UTC)
    who = {"policy_generation_details": {"principal_arn": f"{own}user/ann"}}
    trail: dict[str, Any] = {"cloud_trail_arn": f"arn:aws:cloudtrail:us-east-1:{house.account_id}:trail/main", "all_regions": True}
    good: dict[str, Any] = {"trails": [trail], "access_role": f"{own}role/reader", "start_time": now - timedelta(days=3)}
    for wrong in (
        {"policy_generation_details": {"principal_arn": f"{own}user/nobody"}},
        {"policy_generation_details": {"principal_arn": "arn:aws:iam::999988887777:user/ann"}},
        {**who, "cloud_trail_details": {**good, "access_role": f"{own}role/nobody"}},
        {**who, "cloud_trail_details": {**good, "trails": [{"cloud_trail_arn": trail["cloud_trail_arn"] + "x"}]}},
        {**who, "cloud_trail_details": {**good, "trails": [{**trail, "regions": ["eu-west-1"]}]}},
        {**who, "cloud_trail_details": {**good, "start_time": now + timedelta(days=1)}},
        {**who, "cloud_trail_details": {**good, "start_time": now - timedelta(days=91)}},
    ):
        assert failing("StartPolicyGeneration", **wrong) == "Validation", wrong
    theirs = {**good, "access_role": "arn:aws:iam::999988887777:role/reader"}
    assert failing("StartPolicyGeneration", **who, cloud_trail_details=theirs) == "AccessDenied"
    assert failing("StartPolicyGeneration", ann, **who, cloud_trail_details=good) == "AccessDenied"
    job = call("StartPolicyGeneration", **who, cloud_trail_details=good).job_id
    found = generated(call, job)
    shown = found.generated_policy_result.properties.cloud_trail_properties
    assert (shown.trail_properties[0].cloud_trail_arn, shown.trail_properties[0].all_regions) == (trail["cloud_trail_arn"], True)
    stranger = house.account()
    for name in ("GetGeneratedPolicy", "CancelPolicyGeneration"):
        assert failing(name, stranger, job_id=job) == "Validation"
        assert failing(name, job_id="none") == "Validation"
    assert list(call("ListPolicyGenerations", _as=stranger).policy_generations) == []
    call("CancelPolicyGeneration", job_id=job)
    assert call("GetGeneratedPolicy", job_id=job).job_details.status == "SUCCEEDED"
