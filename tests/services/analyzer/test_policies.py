"""What is said of a policy, and what is proved of it."""

import json
from typing import Any

import pytest

from sekisho.analysis.solver import Answer, Verdict
from sekisho.services.analyzer import questions
from tests.harness import House
from tests.services.analyzer.conftest import Called, Failing
from tests.services.iam.documents import allow, trust

IDENTITY: dict[str, Any] = {"policy_type": "IDENTITY_POLICY"}


def test_findings_have_aws_classes_codes_and_places(call: Called) -> None:
    text = '{\n  "Version": "2012-10-17",\n  "Statement": [{"Effect": "Allow", "Action": ["iam:PassRole", "no-colon"], "Resource": "*"}]\n}'
    found = {one.issue_code: one for one in call("ValidatePolicy", policy_document=text, **IDENTITY).findings}
    wrong = found["INVALID_ACTION"]
    assert wrong.finding_type == "ERROR"
    assert wrong.learn_more_link.endswith("#access-analyzer-reference-policy-checks-error-invalid-action")
    (place,) = wrong.locations
    assert [(step.value, step.index) if step.HasField("value") else step.index for step in place.path] == [
        ("Statement", 0),
        0,
        ("Action", 0),
        1,
    ]
    begin = text.index('"no-colon"')
    assert (place.span.start.line, place.span.start.offset, place.span.end.offset) == (3, begin, begin + len('"no-colon"'))
    assert place.span.start.column == begin - text.rindex("\n", 0, begin) - 1
    broad = found["PASS_ROLE_WITH_STAR_IN_RESOURCE"]
    assert (broad.finding_type, "-security-warning-pass-role-with-star-in-resource" in broad.learn_more_link) == ("SECURITY_WARNING", True)


def test_what_is_no_json_has_a_place_too(call: Called) -> None:
    (one,) = call("ValidatePolicy", policy_document='{"Version": ', **IDENTITY).findings
    assert (one.issue_code, one.finding_type) == ("JSON_SYNTAX_ERROR", "ERROR")
    assert one.locations[0].span.start.offset == 12


def test_a_policy_of_each_kind(call: Called, failing: Failing) -> None:
    def issues(document: str, type_: str, **fields: Any) -> set[str]:
        return {one.issue_code for one in call("ValidatePolicy", policy_document=document, policy_type=type_, **fields).findings}

    role = {"validate_policy_resource_type": "AWS::IAM::AssumeRolePolicyDocument"}
    assert "MISSING_RESOURCE" in issues(trust("*"), "RESOURCE_POLICY")
    assert "MISSING_RESOURCE" not in issues(trust("*"), "RESOURCE_POLICY", **role)
    assert issues(allow("s3:GetObject"), "SERVICE_CONTROL_POLICY") == set()
    assert "RCP_SYNTAX_ERROR_ALLOW" in issues(allow("s3:GetObject"), "RESOURCE_CONTROL_POLICY")
    assert failing("ValidatePolicy", policy_document="{}", policy_type="IDENTITY_POLICY", **role) == "Validation"
    assert failing("ValidatePolicy", policy_document="{}", policy_type="OTHER") == "Validation"


def test_findings_come_in_pages(call: Called, failing: Failing) -> None:
    text = allow(*(f"wrong-{number}" for number in range(5)))
    whole = [one.locations[0].span.start.offset for one in call("ValidatePolicy", policy_document=text, **IDENTITY).findings]
    seen: list[int] = []
    token = None
    while token != "":
        page = call("ValidatePolicy", policy_document=text, max_results=2, next_token=token, **IDENTITY)
        seen += [one.locations[0].span.start.offset for one in page.findings]
        token = page.next_token
    assert seen == whole
    assert len(whole) >= 5
    token = call("ValidatePolicy", policy_document=text, max_results=2, **IDENTITY).next_token
    assert failing("ValidatePolicy", policy_document=allow("a"), next_token=token, **IDENTITY) == "Validation"


LESS, MORE = allow("s3:GetObject", on="arn:aws:s3:::a/*"), allow("s3:Get*", on="arn:aws:s3:::a/*")
PUBLIC = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Sid": "Open", "Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": "*"}]}
)
OWN = PUBLIC.replace('"*", "Action"', '{"AWS": "111122223333"}, "Action"')


def test_no_new_access(call: Called) -> None:
    def check(old: str, new: str, **fields: Any) -> Any:
        return call("CheckNoNewAccess", existing_policy_document=old, new_policy_document=new, **(IDENTITY | fields))

    passed = check(MORE, LESS)
    assert (passed.result, list(passed.reasons)) == ("PASS", [])
    assert passed.message == "The modified permissions do not grant new access compared to your existing policy."
    failed = check(LESS, MORE)
    assert (failed.result, failed.message) == ("FAIL", "The modified permissions grant new access compared to your existing policy.")
    (reason,) = failed.reasons
    assert (reason.description, reason.statement_index, reason.HasField("statement_id")) == (
        "New access in the statement with index: 0.",
        0,
        False,
    )
    resource = {"policy_type": "RESOURCE_POLICY"}
    assert check(PUBLIC, OWN, **resource).result == "PASS"
    (reason,) = check(OWN, PUBLIC, **resource).reasons
    assert (reason.description, reason.statement_id) == ("New access in the statement with sid: Open.", "Open")


def test_access_that_is_not_granted(call: Called, failing: Failing) -> None:
    def result(document: str, *access: dict[str, Any]) -> str:
        answer: str = call("CheckAccessNotGranted", policy_document=document, access=access, **IDENTITY).result
        return answer

    assert result(LESS, {"actions": ["s3:PutObject"]}) == "PASS"
    assert result(MORE, {"actions": ["s3:GetObjectAcl"]}) == "FAIL"
    assert result(LESS, {"actions": ["s3:GetObject"], "resources": ["arn:aws:s3:::b/*"]}) == "PASS"
    assert result(LESS, {"resources": ["arn:aws:s3:::a/x"]}) == "FAIL"
    assert failing("CheckAccessNotGranted", policy_document=LESS, access=[{}], **IDENTITY) == "Validation"


def test_public_access(call: Called) -> None:
    def check(document: str, type_: str = "AWS::SNS::Topic") -> Any:
        return call("CheckNoPublicAccess", policy_document=document, resource_type=type_)

    assert check(OWN).result == "PASS"
    (reason,) = check(PUBLIC).reasons
    assert reason.description == "Public access granted in the following statement with sid: Open."
    assert check(trust("*"), "AWS::IAM::AssumeRolePolicyDocument").result == "FAIL"
    assert check(trust("111122223333"), "AWS::IAM::AssumeRolePolicyDocument").result == "PASS"


@pytest.mark.parametrize("text", ["", "{", "{}", allow("wrong"), allow("s3:GetObject") + " " * 140_000])
def test_what_is_no_policy_is_refused(call: Called, failing: Failing, text: str) -> None:
    access = {"access": [{"actions": ["s3:GetObject"]}], **IDENTITY}
    assert failing("CheckAccessNotGranted", policy_document=text, **access) in ("InvalidParameter", "Validation")
    assert failing("CheckNoNewAccess", existing_policy_document=LESS, new_policy_document=text, **IDENTITY) in (
        "InvalidParameter",
        "Validation",
    )
    assert failing("CheckNoPublicAccess", policy_document=text, resource_type="AWS::SNS::Topic") in ("InvalidParameter", "Validation")


def test_what_cannot_be_proved_fails(house: House, call: Called, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "_asked", lambda *_: Verdict(Answer.UNKNOWN, reason="the time was over"))
    answer = call("CheckNoPublicAccess", policy_document=OWN, resource_type="AWS::SNS::Topic")
    assert (answer.result, answer.message) == ("FAIL", "The check could not be completed, so it failed: the time was over")
    assert [one.description for one in answer.reasons] == [answer.message]
