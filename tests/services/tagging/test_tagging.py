"""The Resource Groups Tagging API over registered resources and entities of IAM. On both databases."""

from typing import Any

import pytest

from sekisho import sigv4
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import LIST_BUCKETS, TRUST_EC2, allow


def order(house: House, number: int | str = 1) -> str:
    return f"arn:aws:orders:eu-west-1:{house.account_id}:order/{number}"


def iam(house: House, what: str) -> str:
    return f"arn:aws:iam::{house.account_id}:{what}"


def listed(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


@pytest.fixture
def filled(house: House) -> House:
    """Three resources, a user, a role and a policy, in two environments."""
    house.call("PutResource", resource_arn=order(house, 1), tags=listed({"Env": "prod", "Team": "red"}))
    house.call("PutResource", resource_arn=order(house, 2), tags=listed({"Env": "dev"}))
    house.call("PutResource", resource_arn="arn:aws:s3:::photos")
    house.call("CreateUser", user_name="ann", path="/staff/", tags=listed({"Env": "prod"}))
    house.call("CreateRole", role_name="deploy", assume_role_policy_document=TRUST_EC2, tags=listed({"Team": "blue"}))
    house.call("CreatePolicy", policy_name="read", policy_document=LIST_BUCKETS)
    house.call("CreateGroup", group_name="no-tags")
    return house


def found(house: House, **fields: Any) -> dict[str, dict[str, str]]:
    """What GetResources tells, page by page."""
    token, all_ = "", dict[str, dict[str, str]]()
    while True:
        page = house.call("GetResources", pagination_token=token, **fields)
        for one in page.resource_tag_mapping_list:
            assert one.resource_arn not in all_
            all_[one.resource_arn] = {tag.key: tag.value for tag in one.tags}
        token = page.pagination_token
        if not token:
            return all_


def test_everything_of_the_account_is_found_and_nothing_of_another(filled: House) -> None:
    other = filled.account()
    filled.call("PutResource", other, resource_arn="arn:aws:s3:::photos", tags=listed({"Env": "theirs"}))
    every = {
        order(filled, 1): {"Env": "prod", "Team": "red"},
        order(filled, 2): {"Env": "dev"},
        "arn:aws:s3:::photos": {},
        iam(filled, "policy/read"): {},
        iam(filled, "role/deploy"): {"Team": "blue"},
        iam(filled, "user/staff/ann"): {"Env": "prod"},
    }
    assert found(filled) == every
    for size in (1, 2, 4):
        assert found(filled, resources_per_page=size) == every
    assert list(found(filled)) == list(found(filled, resources_per_page=1)), "in the same order"


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"tag_filters": [{"key": "Env"}]}, ["order/1", "order/2", "user/staff/ann"]),
        ({"tag_filters": [{"key": "Env", "values": ["prod", "test"]}]}, ["order/1", "user/staff/ann"]),
        ({"tag_filters": [{"key": "Env", "values": ["prod"]}, {"key": "Team"}]}, ["order/1"]),
        ({"tag_filters": [{"key": "env"}]}, []),
        ({"resource_type_filters": ["orders"]}, ["order/1", "order/2"]),
        ({"resource_type_filters": ["orders:order", "iam:role"]}, ["order/1", "order/2", "role/deploy"]),
        ({"resource_type_filters": ["s3"]}, ["photos"]),
        ({"resource_type_filters": ["iam"]}, ["policy/read", "role/deploy", "user/staff/ann"]),
        ({"resource_type_filters": ["iam:user"], "tag_filters": [{"key": "Env"}]}, ["user/staff/ann"]),
        ({"resource_type_filters": ["carts"]}, []),
    ],
)
def test_filters_narrow(filled: House, fields: dict[str, Any], names: list[str]) -> None:
    for size in ({}, {"resources_per_page": 1}):
        assert [arn.rpartition(":")[2] for arn in found(filled, **fields, **size)] == names


def test_resources_are_told_by_their_arns(filled: House) -> None:
    named = [order(filled, 1), iam(filled, "user/staff/ann"), iam(filled, "user/ann"), order(filled, 9), "arn:aws:s3:::x", "nonsense"]
    foreign = order(filled).replace(filled.account_id, "999988887777")
    assert list(found(filled, resource_arn_list=[*named, foreign, named[0]])) == named[:2]


def test_pages_have_so_many_tags(house: House) -> None:
    for number in range(4):
        tags = {f"k{at}": "v" for at in range(40)}
        house.call("PutResource", resource_arn=order(house, number), tags=listed(tags))
    page = house.call("GetResources", tags_per_page=100, resource_type_filters=["orders"])
    assert len(page.resource_tag_mapping_list) == 2
    assert len(found(house, tags_per_page=100, resource_type_filters=["orders"])) == 4


@pytest.mark.parametrize(
    "fields",
    [
        {"resources_per_page": 0},
        {"resources_per_page": 101},
        {"tags_per_page": 99},
        {"tags_per_page": 501},
        {"exclude_compliant_resources": True},
        {"tag_filters": [{"values": ["x"]}]},
        {"resource_type_filters": ["a b"]},
        {"resource_type_filters": ["a"] * 101},
        {"resource_arn_list": ["arn:aws:s3:::photos"], "resource_type_filters": ["s3"]},
        {"pagination_token": "nonsense"},
        {"resource_arn_list": ["x"] * 101},
    ],
)
def test_parameters_that_cannot_be_are_refused(house: House, refused: Refused, fields: dict[str, Any]) -> None:
    assert refused("GetResources", **fields)[0] == "InvalidParameter"


def test_a_token_is_good_for_its_own_request_and_account(filled: House, refused: Refused) -> None:
    token = filled.call("GetResources", resources_per_page=1).pagination_token
    assert refused("GetResources", pagination_token=token, tag_filters=[{"key": "Env"}])[0] == "InvalidParameter"
    assert refused("GetResources", filled.account(), pagination_token=token)[0] == "InvalidParameter"
    assert refused("GetTagKeys", pagination_token=token)[0] == "InvalidParameter"


def test_keys_and_values_are_told_once(filled: House) -> None:
    assert list(filled.call("GetTagKeys").tag_keys) == ["Env", "Team"]
    assert list(filled.call("GetTagValues", key="Env").tag_values) == ["dev", "prod"]
    assert list(filled.call("GetTagValues", key="Team").tag_values) == ["blue", "red"]
    assert list(filled.call("GetTagValues", key="Nothing").tag_values) == []
    assert list(filled.call("GetTagKeys", filled.account()).tag_keys) == []


def test_keys_and_values_come_in_pages(house: House) -> None:
    for number in range(5):
        tags = {f"k{number * 50 + at:03}": "" for at in range(50)}
        house.call("PutResource", resource_arn=order(house, number), tags=listed(tags))
    house.call("CreateUser", user_name="ann", tags=listed({"k000": "", "a": "", "z": ""}))
    keys, token = [], ""
    for _ in range(3):
        page = house.call("GetTagKeys", pagination_token=token)
        keys += page.tag_keys
        token = page.pagination_token
    assert keys == ["a", *(f"k{number:03}" for number in range(250)), "z"]
    assert token == ""


def test_all_kinds_are_tagged_and_untagged_together(filled: House) -> None:
    named = [order(filled, 1), iam(filled, "user/staff/ann"), iam(filled, "role/deploy"), iam(filled, "policy/read"), "arn:aws:s3:::photos"]
    made = filled.call("tagging:TagResources", resource_arn_list=named, tags={"Env": "test", "New": ""})
    assert dict(made.failed_resources_map) == {}
    now = found(filled, resource_arn_list=named)
    assert {arn: (tags["Env"], tags["New"]) for arn, tags in now.items()} == dict.fromkeys(named, ("test", ""))
    assert [(tag.key, tag.value) for tag in filled.call("ListUserTags", user_name="ann").tags] == [("Env", "test"), ("New", "")]
    made = filled.call("tagging:UntagResources", resource_arn_list=named, tag_keys=["Env", "Nothing"])
    assert dict(made.failed_resources_map) == {}
    assert all("Env" not in tags for tags in found(filled, resource_arn_list=named).values())


def test_what_fails_is_said_and_the_rest_is_tagged(filled: House) -> None:
    foreign = order(filled).replace(filled.account_id, "999988887777")
    wrong = [order(filled, 9), iam(filled, "user/ann"), iam(filled, "user/nobody"), iam(filled, "group/no-tags"), foreign, "nonsense"]
    made = filled.call("tagging:TagResources", resource_arn_list=[*wrong, order(filled, 1)], tags={"Env": "test"})
    assert set(made.failed_resources_map) == set(wrong)
    assert {one.error_code for one in made.failed_resources_map.values()} == {"InvalidParameterException"}
    assert made.failed_resources_map[foreign].status_code == 403
    assert made.failed_resources_map[order(filled, 9)].error_message == f"The resource {order(filled, 9)} is not registered."
    assert found(filled, resource_arn_list=[order(filled, 1)])[order(filled, 1)]["Env"] == "test"


@pytest.mark.parametrize("tags", [{"aws:x": "y"}, {"<": "y"}, {"x": "<"}, {"x\0": "y"}, {"x": "\0"}, {"a": "1", "A": "2"}, {"k" * 129: ""}])
def test_tags_that_nothing_can_have_fail_for_each(filled: House, tags: dict[str, str]) -> None:
    named = [order(filled, 1), iam(filled, "user/staff/ann")]
    made = filled.call("tagging:TagResources", resource_arn_list=named, tags=tags)
    assert set(made.failed_resources_map) == set(named)
    assert found(filled, resource_arn_list=named) == {named[0]: {"Env": "prod", "Team": "red"}, named[1]: {"Env": "prod"}}


def denied(house: House, who: sigv4.Credentials, named: list[str], **tags: str) -> list[str]:
    made = house.call("tagging:TagResources", who, resource_arn_list=named, tags=tags)
    return sorted(made.failed_resources_map)


def test_the_permission_to_tag_the_thing_itself_is_needed_too(filled: House, refused: Refused) -> None:
    named = [order(filled, 1), iam(filled, "user/staff/ann"), iam(filled, "user/nobody")]
    bare = filled.user("bare", allow("resource:*", "iam:*"))
    assert refused("tagging:TagResources", bare, resource_arn_list=named, tags={"Env": "x"})[0] == "AccessDenied"
    only = filled.user("only", allow("tag:*"))
    made = filled.call("tagging:TagResources", only, resource_arn_list=named, tags={"Env": "x"})
    assert {one.status_code for one in made.failed_resources_map.values()} == {403}, "whether it exists or not"
    assert "iam:TagUser" in made.failed_resources_map[named[1]].error_message
    assert "resource:TagResources" in made.failed_resources_map[named[0]].error_message
    both = filled.user(
        "both",
        allow("tag:*"),
        allow("iam:TagUser", on=iam(filled, "user/staff/*"), when={"StringEquals": {"aws:RequestTag/Env": "test"}}),
        allow("resource:TagResources", when={"StringEquals": {"aws:ResourceTag/Team": "red"}}),
    )
    assert denied(filled, both, [*named[:2], order(filled, 2)], Env="test") == [order(filled, 2)]
    assert denied(filled, both, named[:2], Env="prod") == [named[1]]


def test_the_trail_names_everything_that_was_tagged(filled: House) -> None:
    filled.call("tagging:TagResources", resource_arn_list=[order(filled, 1), iam(filled, "user/staff/ann")], tags={"Env": "test"})
    event = next(event for event in filled.call("LookupEvents").events if event.event_name == "TagResources")
    assert order(filled, 1) in event.cloud_trail_event
    assert iam(filled, "user/staff/ann") in event.cloud_trail_event
