"""What a policy names and definitions of services do not have: warnings, never refusals, and nothing of services without a definition."""

import json
import time
from typing import Any

import pytest

from sekisho.operations import definitions as own
from sekisho.policy import definitions
from sekisho.policy.findings import Finding, Severity, findings
from sekisho.policy.kinds import Kind
from sekisho.policy.validate import check
from tests.policy.documents import managed, when
from tests.policy.faults_of_form import MANAGED

SHOP = definitions.read(
    json.dumps(
        {
            "Name": "orders",
            "Actions": [{"Name": name} for name in ("ShipOrder", "GetOrder", "ListOrders")],
            "Resources": [
                {"Name": "order", "ARNFormats": ["arn:${Partition}:orders:${Region}:${Account}:order/${OrderId}"]},
                {"Name": "cart", "ARNFormats": ["arn:${Partition}:orders:${Region}:${Account}:cart:${CartId}"]},
            ],
            "ConditionKeys": [
                {"Name": "orders:Carrier", "Types": ["String"]},
                {"Name": "orders:ResourceTag/${TagKey}", "Types": ["String"]},
            ],
        }
    )
)
BUCKETS = definitions.read(
    '{"Name": "s3", "Actions": [{"Name": "GetObject"}, {"Name": "ListBucket"}, {"Name": "ListAllMyBuckets"}],'
    ' "Resources": [{"Name": "bucket", "ARNFormats": ["arn:${Partition}:s3:::${BucketName}"]}]}'
)
KNOWN = {"orders": SHOP, "s3": BUCKETS}
ARN = "arn:aws:orders:eu-west-1:111122223333:"


def found(text: str) -> list[tuple[str, str, str]]:
    made = [one for one in findings(text, MANAGED, KNOWN) if one.issue.startswith("UNKNOWN_")]
    assert all(one.severity is Severity.WARNING for one in made)
    return [(one.issue, one.path, one.message) for one in made]


@pytest.mark.parametrize(
    ("actions", "messages"),
    [
        (["orders:ShipOrder", "ORDERS:getorder", "orders:*", "orders:Get*", "*"], []),
        (["carts:Fill", "iam:Nothing"], []),
        (["orders:ShipOrders"], ["`orders` has no action `ShipOrders`; is `ShipOrder` meant?"]),
        (["orders:Burn"], ["`orders` has no action `Burn`"]),
        (["orders:Delete*"], ["`orders:Delete*` matches no action of `orders`"]),
        (["s3:Nothing"], ["`s3` has no action `Nothing`"]),
    ],
)
def test_actions_that_a_service_does_not_have(actions: list[str], messages: list[str]) -> None:
    assert [message for _, _, message in found(managed(Action=actions))] == messages
    assert {issue for issue, _, _ in found(managed(Action=actions))} <= {"UNKNOWN_ACTION"}
    assert len(found(json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "NotAction": actions, "Resource": "*"}}))) == len(
        messages
    )


@pytest.mark.parametrize(
    ("resource", "is_known"),
    [
        (ARN + "order/7", True),
        (ARN + "order/*", True),
        (ARN + "cart:1", True),
        (ARN + "*", True),
        (ARN + "or*", True),
        (ARN + "${aws:username}/7", True),
        (ARN + "parcel/7", False),
        (ARN + "parcel", False),
        ("arn:aws:s3:::anything/at/all", True),
        ("arn:aws:carts:::parcel/7", True),
        ("*", True),
    ],
)
def test_resource_types_that_a_service_does_not_have(resource: str, is_known: bool) -> None:
    assert [issue for issue, _, _ in found(managed(Resource=resource))] == ([] if is_known else ["UNKNOWN_RESOURCE_TYPE"])


@pytest.mark.parametrize(
    ("key", "messages"),
    [
        ("orders:Carrier", []),
        ("Orders:carrier", []),
        ("orders:ResourceTag/Team", []),
        ("aws:username", []),
        ("carts:Size", []),
        ("orders:Carier", ["`orders` has no condition key `orders:Carier`; is `orders:Carrier` meant?"]),
        ("orders:Size", ["`orders` has no condition key `orders:Size`"]),
    ],
)
def test_condition_keys_that_a_service_does_not_have(key: str, messages: list[str]) -> None:
    assert [message for _, _, message in found(managed(Condition=when("StringEquals", key, "x")))] == messages
    assert [message for _, _, message in found(managed(Resource=ARN + "order/${" + key + "}"))] == messages


def test_a_warning_points_at_what_is_unknown() -> None:
    text = managed(Action=["orders:ShipOrder", "orders:Burn"])
    (one,) = [one for one in findings(text, MANAGED, KNOWN) if one.issue == "UNKNOWN_ACTION"]
    assert one == Finding(
        Severity.WARNING,
        "UNKNOWN_ACTION",
        "`orders` has no action `Burn`",
        "$.Statement[0].Action[1]",
        one.line,
        text.index('"orders:Burn"') + 1,
    )


def test_without_definitions_nothing_is_unknown_and_nothing_is_ever_refused() -> None:
    text = managed(Action="orders:Burn", Resource=ARN + "parcel/7", Condition=when("StringEquals", "orders:Size", "x"))
    assert [one.issue for one in findings(text, MANAGED)] == []
    assert len(found(text)) == 3
    check(text, Kind.MANAGED)


def test_our_own_definitions_know_what_the_managed_policies_of_the_tests_name() -> None:
    text = managed(Action=["iam:PassRole", "sts:AssumeRole", "iam:Get*", "organizations:MoveAccount", "authorize:AssertPrincipal"])
    assert [one.issue for one in findings(text, MANAGED, own.own())] == []
    assert [one.message for one in findings(managed(Action="iam:GetUsers"), MANAGED, own.own())] == [
        "`iam` has no action `GetUsers`; is `GetUser` meant?"
    ]


def large() -> dict[str, Any]:
    return {
        "Name": "big",
        "Actions": [{"Name": f"Action{number:04}OfTheService"} for number in range(2_000)],
        "Resources": [
            {"Name": f"r{number}", "ARNFormats": [f"arn:aws:big:::r{number}x{at}/${{Id}}" for at in range(32)]} for number in range(500)
        ],
        "ConditionKeys": [{"Name": f"big:Key{number:04}OfTheService"} for number in range(2_000)],
    }


def test_patterns_are_matched_as_far_as_a_million_names_go() -> None:
    known = {"big": definitions.read(json.dumps(large()), most=8_000_000)}
    for count, said in ((499, 1), (500, 0)):
        text = managed(Action=[*(f"big:Action{number:04}*" for number in range(count)), "big:Nothing*"])
        assert [one.issue for one in findings(text, MANAGED, known)].count("UNKNOWN_ACTION") == said


@pytest.mark.bounded
@pytest.mark.parametrize(
    "text",
    [
        managed(Action=[f"big:*{number}*" for number in range(9_000)]),
        managed(Action=[f"big:Action{number:04}OfTheServices" for number in range(3_000)]),
        managed(Resource=[f"arn:aws:big:::q{number}/x" for number in range(4_000)]),
        managed(Condition={"StringEquals": {f"big:Key{number:04}OfTheServices": "x" for number in range(2_500)}}),
    ],
    ids=["patterns", "actions", "resources", "keys"],
)
def test_hostile_documents_and_definitions_are_examined_in_bounded_time(text: str) -> None:
    assert len(text) <= 131_072
    known = {"big": definitions.read(json.dumps(large()), most=8_000_000)}
    started = time.process_time()
    findings(text, MANAGED, known)
    assert time.process_time() - started < 40  # measured: at most 2 s
