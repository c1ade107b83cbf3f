"""AWS's documented rules, one case each, decided as documented."""

import json
from pathlib import Path
from typing import Any

import pytest

from sekisho import policy
from sekisho.errors import ValidationError
from sekisho.policy import cases

LINES = (Path(__file__).parent / "documented-rules.jsonl").read_text().splitlines()


def test_all_the_rules_are_here() -> None:
    assert len(LINES) == 165


@pytest.mark.parametrize("line", LINES, ids=[json.loads(line)["id"] for line in LINES])
def test_rule(line: str) -> None:
    expected = json.loads(line)
    case = cases.read(line)
    decision = policy.decide(case.request, case.layers)
    assert decision.error == ""
    assert cases.to_json(case, decision) == {"id": expected["id"], "decision": expected["expected"]}, expected["notes"]


REQUEST: dict[str, Any] = {
    "principal": "arn:aws:iam::111122223333:user/alice",
    "principal_type": "user",
    "action": "s3:GetObject",
    "resource": "arn:aws:s3:::data",
    "resource_account": "111122223333",
    "context": {},
}
POLICY: dict[str, Any] = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}


def test_the_provider_of_a_federated_principal_is_its_name() -> None:
    """Unless the request names another one."""
    google = {**REQUEST, "principal": "accounts.google.com", "principal_type": "federated"}
    statement = {"Effect": "Allow", "Principal": {"Federated": "accounts.google.com"}, "Action": "s3:GetObject", "Resource": "*"}
    for request, expected in ((google, "Allowed"), ({**google, "provider": "www.amazon.com"}, "ImplicitlyDenied")):
        case = cases.from_json({"id": "x", "request": request, "resource_policy": {"Version": "2012-10-17", "Statement": statement}})
        assert cases.to_json(case, policy.decide(case.request, case.layers)) == {"id": "x", "decision": expected}


FAULTY = {
    "a_key_twice": ('{"id": "x", "request": {"action": "a:B", "action": "a:C"}}', "x"),
    "no_number": ('{"id": "x", "request": NaN}', "x"),
    "no_request": ('{"id": "x"}', "x"),
    "no_text_for_an_id": ('{"id": 7}', ""),
    "no_object": ("[]", ""),
    "no_json": ('{"id": "x"', ""),
}


@pytest.mark.parametrize(("line", "name"), FAULTY.values(), ids=FAULTY.keys())
def test_a_faulty_case_keeps_its_id(line: str, name: str) -> None:
    with pytest.raises(cases.CaseError) as raised:
        cases.read(line)
    assert raised.value.id == name


BAD: dict[str, tuple[Any, str]] = {
    "no_object": ([], "case `?`: a case is no JSON object"),
    "no_request": ({"id": "x"}, "case `x`: `request` is no JSON object"),
    "typing_error": ({"id": "x", "request": REQUEST, "identity_policy": []}, "case `x`: unknown member `identity_policy` of a case"),
    "unknown_member_of_the_request": (
        {"id": "x", "request": {**REQUEST, "role": "r"}},
        "case `x`: unknown member `role` of `request`",
    ),
    "no_action": ({"id": "x", "request": {**REQUEST, "action": ""}}, "case `x`: `action` is missing or no text"),
    "no_arn": (
        {"id": "x", "request": {**REQUEST, "principal": "alice"}},
        "case `x`: `principal` `alice` is no ARN with an account",
    ),
    "anonymous_with_a_name": (
        {"id": "x", "request": {**REQUEST, "principal_type": "anonymous"}},
        "case `x`: `principal` is null for an anonymous principal, and only for that",
    ),
    "policies_no_array": ({"id": "x", "request": REQUEST, "identity_policies": POLICY}, "case `x`: `identity_policies` is no JSON array"),
    "a_malformed_policy": (
        {"id": "x", "request": REQUEST, "scps": [[POLICY], [POLICY, {"Statement": []}]]},
        "case `x`: `scps[1][1]`: Syntax errors in policy.",
    ),
    "an_object_in_the_context": (
        {"id": "x", "request": {**REQUEST, "context": {"k:e": [{}]}}},
        "case `x`: `context` key `k:e` holds something else than text, numbers and booleans",
    ),
    "a_key_twice": (
        {"id": "x", "request": {**REQUEST, "context": {"k:e": "a", "K:E": "b"}}},
        "case `x`: condition key `K:E` is given twice",
    ),
    "endpoint_policies": (
        {"id": "x", "request": REQUEST, "endpoint_policies": [POLICY]},
        "case `x`: `endpoint_policies` are not supported",
    ),
}


@pytest.mark.parametrize(("value", "message"), BAD.values(), ids=BAD.keys())
def test_bad_case(value: Any, message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        cases.read(json.dumps(value))
    assert raised.value.message.startswith(message)


def test_unknown_principal_type() -> None:
    with pytest.raises(ValidationError, match="unknown principal_type `robot`"):
        cases.from_json({"id": "x", "request": {**REQUEST, "principal_type": "robot"}})


@pytest.mark.parametrize("line", ["", "{", "[" * 100_000, '{"id": NaN}', '{"id": "a", "id": "b"}', "null"])
def test_bad_line(line: str) -> None:
    with pytest.raises(ValidationError, match="case"):
        cases.read(line)


def test_shorthand_of_the_context() -> None:
    case = cases.from_json({"id": "x", "request": {**REQUEST, "context": {"k:e": True, "k:n": [5], "aws:TagKeys": ["a"], "k:none": []}}})
    assert case.request.context == {"k:e": "true", "k:n": "5", "aws:tagkeys": ("a",)}
    assert (case.layers.identity, case.layers.boundary, case.layers.scps) == ((), None, None)


def test_details_of_the_principal() -> None:
    session = {"principal": "arn:aws:sts::111122223333:assumed-role/app/s", "principal_type": "assumed-role"}
    details = {"role_arn": "arn:aws:iam::111122223333:role/team/app", "unique_id": "AROAX", "provider": "p", "canonical": "c"}
    principal = cases.from_json({"id": "x", "request": {**REQUEST, **session, **details}}).request.principal
    assert (principal.role_arn, principal.unique_id, principal.provider, principal.canonical) == (details["role_arn"], "AROAX", "p", "c")
    context = {"aws:PrincipalArn": details["role_arn"]}
    assert (
        cases.from_json({"id": "x", "request": {**REQUEST, **session, "context": context}}).request.principal.role_arn
        == details["role_arn"]
    )
