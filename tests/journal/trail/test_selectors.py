"""Event selectors: which events each kind of selector takes, case by case."""

import json
from typing import Any

import pytest

from sekisho.journal.trail import selectors

WRITE: dict[str, Any] = {
    "eventName": "CreateUser",
    "eventSource": "iam.amazonaws.com",
    "readOnly": False,
    "eventCategory": "Management",
    "eventType": "AwsApiCall",
    "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice"},
    "resources": [{"ARN": "arn:aws:iam::111122223333:user/bob", "type": "AWS::IAM::User", "accountId": "111122223333"}],
}
READ = {**WRITE, "eventName": "ListUsers", "readOnly": True, "resources": []}
KMS = {**WRITE, "eventName": "Decrypt", "eventSource": "kms.amazonaws.com"}
FAILED = {**WRITE, "errorCode": "AccessDenied"}
ORDER: dict[str, Any] = {
    "eventName": "Ship",
    "eventSource": "shop.example.com",
    "readOnly": False,
    "eventCategory": "Data",
    "resources": [
        {"ARN": "arn:aws:shop::111122223333:order/7", "type": "Shop::Order"},
        {"ARN": "arn:aws:shop::111122223333:box/9", "type": "Shop::Box"},
    ],
}
VIEW = {**ORDER, "eventName": "View", "readOnly": True}
BARE = {"eventName": "Ping", "eventCategory": "Data", "readOnly": True}
EVENTS = {"write": WRITE, "read": READ, "kms": KMS, "failed": FAILED, "order": ORDER, "view": VIEW, "bare": BARE}

ALL_MANAGEMENT = {"write", "read", "kms", "failed"}
OUR_ORDERS = "arn:aws:shop::111122223333:order/"


def resources(*values: str, type_: str = "Shop::Order") -> list[dict[str, Any]]:
    return [{"Type": type_, "Values": list(values)}]


BASIC: dict[str, tuple[list[dict[str, Any]], set[str]]] = {
    "usual": (selectors.USUAL, ALL_MANAGEMENT),
    "nothing_said": ([{}], ALL_MANAGEMENT),
    "read_only": ([{"ReadWriteType": "ReadOnly"}], {"read"}),
    "write_only": ([{"ReadWriteType": "WriteOnly"}], {"write", "kms", "failed"}),
    "without_kms": ([{"ExcludeManagementEventSources": ["kms.amazonaws.com"]}], {"write", "read", "failed"}),
    "data_beside_management": ([{"DataResources": resources("arn:aws:shop")}], {*ALL_MANAGEMENT, "order", "view"}),
    "data_alone": ([{"IncludeManagementEvents": False, "DataResources": resources("arn:aws:shop")}], {"order", "view"}),
    "data_written": (
        [{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": False, "DataResources": resources("arn:aws:shop")}],
        {"order"},
    ),
    "data_of_one": (
        [{"IncludeManagementEvents": False, "DataResources": resources(OUR_ORDERS + "7")}],
        {"order", "view"},
    ),
    "data_of_another": ([{"IncludeManagementEvents": False, "DataResources": resources(OUR_ORDERS + "8")}], set()),
    "data_of_another_type": (
        [{"IncludeManagementEvents": False, "DataResources": resources(OUR_ORDERS, type_="Shop::Box")}],
        set(),
    ),
    "one_of_two_selectors_is_enough": (
        [{"ReadWriteType": "ReadOnly"}, {"IncludeManagementEvents": False, "DataResources": resources("arn:aws:shop")}],
        {"read", "order", "view"},
    ),
    "none": ([], set()),
}


def field(name: str, **operators: list[str]) -> dict[str, Any]:
    return {"Field": name, **operators}


MANAGEMENT = field("eventCategory", Equals=["Management"])
DATA = field("eventCategory", Equals=["Data"])
ORDERS = field("resources.type", Equals=["Shop::Order"])

ADVANCED: dict[str, tuple[list[list[dict[str, Any]]], set[str]]] = {
    "management": ([[MANAGEMENT]], ALL_MANAGEMENT),
    "data": ([[DATA]], {"order", "view", "bare"}),
    "both": ([[MANAGEMENT], [DATA]], {*ALL_MANAGEMENT, "order", "view", "bare"}),
    "read_only": ([[MANAGEMENT, field("readOnly", Equals=["true"])]], {"read"}),
    "written": ([[MANAGEMENT, field("readOnly", Equals=["false"])]], {"write", "kms", "failed"}),
    "without_kms": ([[MANAGEMENT, field("eventSource", NotEquals=["kms.amazonaws.com"])]], {"write", "read", "failed"}),
    "name_equals_one_of": ([[MANAGEMENT, field("eventName", Equals=["Decrypt", "ListUsers"])]], {"read", "kms"}),
    "name_starts_with": ([[MANAGEMENT, field("eventName", StartsWith=["Create", "Delete"])]], {"write", "failed"}),
    "name_ends_with": ([[MANAGEMENT, field("eventName", EndsWith=["Users"])]], {"read"}),
    "name_starts_with_none_of": ([[MANAGEMENT, field("eventName", NotStartsWith=["Create", "List"])]], {"kms"}),
    "name_ends_with_none_of": ([[MANAGEMENT, field("eventName", NotEndsWith=["User", "Users"])]], {"kms"}),
    "select_operators_are_alternatives": ([[MANAGEMENT, field("eventName", StartsWith=["List"], EndsWith=["crypt"])]], {"read", "kms"}),
    "deselect_comes_on_top": ([[MANAGEMENT, field("eventName", StartsWith=["List", "Dec"], NotEquals=["ListUsers"])]], {"kms"}),
    "letters_count": ([[MANAGEMENT, field("eventName", Equals=["createuser"])]], set()),
    "who": ([[MANAGEMENT, field("userIdentity.arn", EndsWith=["user/alice"])]], ALL_MANAGEMENT),
    "who_else": ([[MANAGEMENT, field("userIdentity.arn", EndsWith=["user/carol"])]], set()),
    "failed": ([[MANAGEMENT, field("errorCode", Equals=["AccessDenied"])]], {"failed"}),
    "a_field_that_is_not_there_is_not_unwanted": ([[MANAGEMENT, field("errorCode", NotEquals=["AccessDenied"])]], {"write", "read", "kms"}),
    "type": ([[DATA, ORDERS]], {"order", "view"}),
    "arn_of_the_type": ([[DATA, ORDERS, field("resources.ARN", EndsWith=["order/7"])]], {"order", "view"}),
    "arn_of_another_resource_of_the_event": ([[DATA, ORDERS, field("resources.ARN", EndsWith=["box/9"])]], set()),
    "arn_that_is_not_wanted": ([[DATA, ORDERS, field("resources.ARN", NotStartsWith=["arn:aws:shop::111122223333:order/7"])]], set()),
    "arn_of_another_type_is_not_unwanted": ([[DATA, ORDERS, field("resources.ARN", NotEndsWith=["box/9"])]], {"order", "view"}),
    "all_conditions": ([[DATA, ORDERS, field("readOnly", Equals=["false"]), field("eventName", NotEquals=["Pack"])]], {"order"}),
    "none": ([], set()),
}


def taken(found: selectors.Selectors) -> set[str]:
    return {name for name, event in EVENTS.items() if selectors.selected(found, event)}


@pytest.mark.parametrize("case", BASIC)
def test_basic_selectors_take(case: str) -> None:
    given, expected = BASIC[case]
    assert taken(selectors.parsed(json.dumps(given), None)) == expected


@pytest.mark.parametrize("case", ADVANCED)
def test_advanced_selectors_take(case: str) -> None:
    given, expected = ADVANCED[case]
    kept = json.dumps([{"Name": case, "FieldSelectors": fields} for fields in given])
    assert taken(selectors.parsed(None, kept)) == expected


def test_a_trail_that_was_given_none_has_the_usual_ones() -> None:
    assert selectors.parsed(None, None) == selectors.parsed(json.dumps(selectors.USUAL), None)
    assert taken(selectors.parsed(None, None)) == ALL_MANAGEMENT
