"""Definitions of services: the shape of AWS's service reference, read, written, expanded, and held within bounds."""

import json
from typing import Any

import pytest

from sekisho.policy import definitions
from sekisho.policy.definitions import ActionDefinition, InvalidServiceDefinition, KeyDefinition, Level, ResourceDefinition

ORDER = "arn:${Partition}:orders:${Region}:${Account}:order/${OrderId}"
ITEM = "arn:${Partition}:orders:${Region}:${Account}:order/${OrderId}/item/${ItemId}"


def properties(**true: bool) -> dict[str, Any]:
    return {"Properties": {"IsList": False, "IsPermissionManagement": False, "IsTaggingOnly": False, "IsWrite": False, **true}}


SHOP: dict[str, Any] = {
    "Name": "orders",
    "Version": "v1.4",
    "Operations": [{"Name": "ShipOrder", "AuthorizedActions": [{"Name": "ShipOrder", "Service": "orders"}]}],
    "Actions": [
        {
            "Name": "ShipOrder",
            "ActionConditionKeys": ["orders:Carrier", "aws:ResourceTag/${TagKey}"],
            "Annotations": properties(IsWrite=True),
            "Resources": [{"Name": "order", "ConditionKeys": ["orders:Weight"]}],
            "SupportedBy": {"IAM Access Analyzer Policy Generation": False},
        },
        {"Name": "ListOrders", "Annotations": properties(IsList=True)},
        {"Name": "GetOrder", "Annotations": properties(), "Resources": [{"Name": "order"}]},
        {"Name": "TagOrder", "Annotations": properties(IsTaggingOnly=True, IsWrite=True), "Resources": [{"Name": "order"}]},
        {"Name": "PutOrderPolicy", "Annotations": properties(IsPermissionManagement=True, IsWrite=True)},
        {"Name": "Unannotated"},
    ],
    "Resources": [
        {"Name": "order", "ARNFormats": [ORDER], "ConditionKeys": ["aws:ResourceTag/${TagKey}"]},
        {"Name": "item", "ARNFormats": [ITEM]},
    ],
    "ConditionKeys": [
        {"Name": "orders:Carrier", "Types": ["String"]},
        {"Name": "aws:ResourceTag/${TagKey}", "Types": ["String"]},
    ],
}


def read(**other: Any) -> definitions.ServiceDefinition:
    return definitions.read(json.dumps(SHOP | other))


def test_a_definition_in_the_shape_of_aws_is_read_whatever_else_it_says() -> None:
    found = read()
    assert found.name == "orders"
    assert found.get_action("shiporder") == ActionDefinition(
        "ShipOrder", Level.WRITE, ("order",), ("aws:ResourceTag/${TagKey}", "orders:Carrier", "orders:Weight")
    )
    assert found.get_resource("order") == ResourceDefinition("order", (ORDER,), ("aws:ResourceTag/${TagKey}",))
    assert found.get_key("orders:carrier") == KeyDefinition("orders:Carrier", ("String",))
    assert found.get_key("AWS:ResourceTag/Colour") == KeyDefinition("aws:ResourceTag/${TagKey}", ("String",))
    assert found.get_key("orders:Weight") == KeyDefinition("orders:Weight", ("String",)), "a key that only an action names"
    assert found.get_key("orders:Size") is None
    assert found.get_action("ShipOrders") is None


@pytest.mark.parametrize(
    ("action", "level"),
    [
        ("ListOrders", "List"),
        ("GetOrder", "Read"),
        ("ShipOrder", "Write"),
        ("TagOrder", "Tagging"),
        ("PutOrderPolicy", "Permissions management"),
        ("Unannotated", "Write"),
    ],
)
def test_annotations_say_the_level(action: str, level: str) -> None:
    found = read().get_action(action)
    assert found is not None
    assert found.level == level


def test_what_is_written_is_read_again_and_equal_definitions_are_equal_texts() -> None:
    text = definitions.write(read())
    assert definitions.read(text) == read()
    assert definitions.write(definitions.read(text)) == text
    assert definitions.write(read(Actions=list(reversed(SHOP["Actions"])))) == text


@pytest.mark.parametrize(
    ("arn", "type_"),
    [
        ("arn:aws:orders:eu-west-1:111122223333:order/7", "order"),
        ("arn:aws:orders:eu-west-1:111122223333:order/7/item/2", "item"),
        ("arn:aws:orders:eu-west-1:111122223333:cart/7", None),
    ],
)
def test_an_arn_has_the_type_whose_format_fits_most_closely(arn: str, type_: str | None) -> None:
    found = read().type_of(arn)
    assert (found.name if found is not None else None) == type_


@pytest.mark.parametrize(
    ("pattern", "actions"),
    [
        ("orders:*Order", ("orders:GetOrder", "orders:ShipOrder", "orders:TagOrder")),
        ("ORDERS:get?rder", ("orders:GetOrder",)),
        ("orders:ListOrders", ("orders:ListOrders",)),
        ("orders:Nothing*", ()),
        ("carts:*", ()),
        ("orders", ()),
        ("or*:GetOrder", ()),
    ],
)
def test_a_pattern_expands_to_the_actions_that_it_matches(pattern: str, actions: tuple[str, ...]) -> None:
    assert definitions.expand(pattern, {"orders": read()}) == actions


def test_everything_expands_to_all_actions_of_all_services() -> None:
    carts = definitions.read('{"Name": "carts", "Actions": [{"Name": "Fill"}]}')
    every = ("carts:Fill", *(f"orders:{name}" for name in sorted(action["Name"] for action in SHOP["Actions"])))
    assert definitions.expand("*", {"orders": read(), "carts": carts}) == every


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON of the permitted kind"),
        ("[]", "the definition is not an object"),
        ("{}", "Name has nothing"),
        ('{"Name": "Orders"}', "Name has `Orders`"),
        ('{"Name": "a", "Name": "b"}', "key `Name` stands twice"),
        ('{"Name": "a", "Actions": {}}', "Actions is not a list"),
        ('{"Name": "a", "Actions": [7]}', r"Actions\[0\] is not an object"),
        ('{"Name": "a", "Actions": [{"Name": 7}]}', r"Actions\[0\].Name has a value that is no text|Actions\[0\].Name has `7`"),
        ('{"Name": "a", "Actions": [{"Name": "Get*"}]}', r"Actions\[0\].Name has `Get\*`"),
        ('{"Name": "a", "Actions": [{"Name": "Get"}, {"Name": "GET"}]}', "Actions has `get` twice"),
        ('{"Name": "a", "Actions": [{"Name": "Get", "Resources": [{"Name": "x"}]}]}', "`Get` is about `x`, which is not among Resources"),
        ('{"Name": "a", "Actions": [{"Name": "Get", "Annotations": {"Properties": {"IsWrite": "yes"}}}]}', "neither true nor false"),
        ('{"Name": "a", "Resources": [{"Name": "x", "ARNFormats": ["x/*"]}]}', r"Resources\[0\].ARNFormats has `x/\*`"),
        ('{"Name": "a", "Resources": [{"Name": "x", "ARNFormats": ["arn:aws:x"]}]}', "six segments"),
        ('{"Name": "a", "ConditionKeys": [{"Name": "nothing"}]}', r"ConditionKeys\[0\].Name has `nothing`"),
        ('{"Name": "a", "ConditionKeys": [{"Name": "a:K"}, {"Name": "a:k"}]}', "ConditionKeys has `a:k` twice"),
        ('{"Name": "\\u0000"}', "Name has"),
    ],
)
def test_what_is_no_definition_is_refused_with_its_place(text: str, words: str) -> None:
    with pytest.raises(InvalidServiceDefinition, match=words):
        definitions.read(text)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"Actions": [{"Name": f"A{number}"} for number in range(2_001)]}, "2001 items; at most 2000"),
        ({"Actions": [], "Resources": [{"Name": f"r{number}"} for number in range(501)]}, "501 items; at most 500"),
        ({"ConditionKeys": [{"Name": f"a:{number}"} for number in range(2_001)]}, "2001 items; at most 2000"),
        ({"Actions": [{"Name": "A" * 129}]}, "which is not of the form"),
        (
            {"Actions": [{"Name": f"A{number}", "ActionConditionKeys": [f"a:{key}" for key in range(100)]} for number in range(501)]},
            "more than 50000 resource types and condition keys",
        ),
        ({"Operations": "x" * 1_000_000}, "at most 1000000 are allowed"),
    ],
)
def test_a_definition_that_is_too_large_is_refused(other: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidServiceDefinition, match=words):
        read(**other)


def test_deep_nesting_is_refused_before_it_is_read() -> None:
    with pytest.raises(InvalidServiceDefinition, match="more than 32 levels"):
        definitions.read('{"Name": "a", "Operations": ' + "[" * 200_000 + "]" * 200_000 + "}")
