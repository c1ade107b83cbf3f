"""Registered resources: whose they are, what they keep, and what is refused. On both databases."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho.calls import resources as registered
from sekisho.credentials import accounts
from sekisho.errors import AccessDenied, SekishoError
from sekisho.store.tables import QuotaOverride, ResourceCount, ResourceService, ResourceTag
from sekisho.world import AccountRecord
from tests import clock
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import allow

POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"orders:Ship","Resource":"*"}]}'
TAGS = [{"key": "Env", "value": "prod"}, {"key": "Team", "value": "red"}]


def order(house: House, number: int | str = 7) -> str:
    return f"arn:aws:orders:eu-west-1:{house.account_id}:order/{number}"


def tags(shown: Any) -> dict[str, str]:
    return {tag.key: tag.value for tag in shown.tags}


def test_a_resource_is_registered_once_and_told_as_it_was_given(house: House) -> None:
    made = house.call("PutResource", resource_arn=order(house), tags=TAGS, resource_policy=POLICY).resource
    assert (made.resource_arn, made.account_id, made.service, made.resource_type) == (order(house), house.account_id, "orders", "order")
    assert (tags(made), made.has_policy) == ({"Env": "prod", "Team": "red"}, True)
    assert house.call("PutResource", resource_arn=order(house), tags=TAGS, resource_policy=POLICY).resource.created_at == made.created_at
    assert house.call("GetResource", resource_arn=order(house)).resource == made
    assert house.call("resource:GetResourcePolicy", resource_arn=order(house)).resource_policy == POLICY
    assert [one.resource_arn for one in house.call("ListResources").resources] == [order(house)]


def test_the_same_request_again_changes_nothing(house: House) -> None:
    with clock.stopped() as moment:
        made = house.call("PutResource", resource_arn=order(house), tags=TAGS, resource_policy=POLICY).resource
    with clock.stopped(moment + timedelta(hours=1)):
        assert house.call("PutResource", resource_arn=order(house), tags=TAGS[::-1], resource_policy=POLICY).resource == made
        house.call("resource:TagResources", resource_arns=[order(house)], tags=TAGS[:1])
        assert house.call("GetResource", resource_arn=order(house)).resource == made
        for more in ({"tags": TAGS[:1]}, {"resource_policy": POLICY.replace("Ship", "Get")}):
            changed = house.call("PutResource", resource_arn=order(house), **more).resource
            assert changed.updated_at.seconds == made.updated_at.seconds + 3_600


def test_what_a_put_is_silent_about_stays(house: House) -> None:
    house.call("PutResource", resource_arn=order(house), tags=TAGS, resource_policy=POLICY)
    again = house.call("PutResource", resource_arn=order(house)).resource
    assert (tags(again), again.has_policy) == ({"Env": "prod", "Team": "red"}, True)
    other = house.call("PutResource", resource_arn=order(house), tags=[{"key": "env", "value": "dev"}]).resource
    assert (tags(other), other.has_policy) == ({"env": "dev"}, True)


def test_deleted_and_registered_again_it_has_nothing_of_before(house: House) -> None:
    house.call("PutResource", resource_arn=order(house), tags=TAGS, resource_policy=POLICY)
    house.call("DeleteResource", resource_arn=order(house))
    again = house.call("PutResource", resource_arn=order(house)).resource
    assert (tags(again), again.has_policy) == ({}, False)


def test_what_is_not_registered_is_not_found(house: House, refused: Refused) -> None:
    said = f"The resource {order(house)} is not registered."
    for name, more in (
        ("GetResource", {}),
        ("DeleteResource", {}),
        ("resource:PutResourcePolicy", {"resource_policy": POLICY}),
        ("resource:GetResourcePolicy", {}),
        ("resource:DeleteResourcePolicy", {}),
    ):
        assert refused(name, resource_arn=order(house), **more) == ("NoSuchResource", said), name
    assert refused("resource:TagResources", resource_arns=[order(house)], tags=TAGS) == ("NoSuchResource", said)
    assert refused("resource:UntagResources", resource_arns=[order(house)], tag_keys=["Env"]) == ("NoSuchResource", said)


def test_tags_are_put_and_taken_whatever_their_case(house: House, refused: Refused) -> None:
    for number in (1, 2):
        house.call("PutResource", resource_arn=order(house, number), tags=TAGS)
    both = [order(house, 1), order(house, 2)]
    house.call("resource:TagResources", resource_arns=both, tags=[{"key": "ENV", "value": "dev"}, {"key": "New", "value": ""}])
    assert [tags(one) for one in house.call("ListResources").resources] == [{"ENV": "dev", "New": "", "Team": "red"}] * 2
    house.call("resource:UntagResources", resource_arns=both, tag_keys=["team", "nothing"])
    assert [tags(one) for one in house.call("ListResources").resources] == [{"ENV": "dev", "New": ""}] * 2
    unknown = [order(house, 1), order(house, 3)]
    assert refused("resource:TagResources", resource_arns=unknown, tags=TAGS)[0] == "NoSuchResource"
    assert tags(house.call("GetResource", resource_arn=order(house, 1)).resource) == {"ENV": "dev", "New": ""}, "all of them, or none"


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ([{"key": "aws:Env", "value": "x"}], "InvalidTag", "reserved"),
        ([{"key": "Env", "value": "x"}, {"key": "ENV", "value": "y"}], "InvalidTag", "given twice"),
        ([{"key": "Env", "value": "x"}, {"key": "Env", "value": "y"}], "InvalidTag", "given twice"),
        ([{"key": "Env\0", "value": "x"}], "ValidationError", "tags.1.member.key"),
        ([{"key": "Env", "value": "<"}], "ValidationError", "tags.1.member.value"),
        ([{"key": "K" * 129, "value": ""}], "ValidationError", "less than or equal to 128"),
        ([{"key": "Env", "value": "v" * 257}], "ValidationError", "less than or equal to 256"),
        ([{"key": f"k{number}", "value": ""} for number in range(51)], "ValidationError", "less than or equal to 50"),
    ],
)
def test_tags_follow_aws_rules(house: House, refused: Refused, given: Any, code: str, words: str) -> None:
    found = refused("PutResource", resource_arn=order(house), tags=given)
    assert found[0] == code
    assert words in found[1]
    assert house.call("ListResources").resources == [], "nothing is written"


def test_a_resource_has_fifty_tags_at_most(house: House, refused: Refused) -> None:
    house.call("PutResource", resource_arn=order(house), tags=[{"key": f"k{number}", "value": ""} for number in range(50)])
    assert refused("resource:TagResources", resource_arns=[order(house)], tags=TAGS)[0] == "TooManyTags"
    house.call("resource:TagResources", resource_arns=[order(house)], tags=[{"key": "K7", "value": "x"}])
    assert len(house.call("GetResource", resource_arn=order(house)).resource.tags) == 50


@pytest.mark.parametrize(
    "named",
    [
        "arn:aws:orders:eu-west-1:{}:order/*",
        "arn:aws:orders:eu-west-1:{}:order/?",
        "arn:aws:orders:eu-west-1:{}:order/a b",
        "arn:aws:orders:eu-west-1:{}:ordér",
        "arn:aws:orders:eu-west-1:{}:",
        "arn:aws:orders:eu-west-1:aws:order/7",
        "arn:aws:ord_ers:eu-west-1:{}:order/7",
        "orders/7",
        "*",
        "arn:aws:iam::{}:role/admin",
        "arn:aws:sts::{}:assumed-role/admin/me",
        "arn:aws:organizations::{}:account/o-example1234/{}",
        "arn:aws:cloudtrail:us-east-1:{}:trail/one",
        "arn:aws:resource:::x",
    ],
)
def test_what_is_no_arn_of_a_resource_and_what_is_known_already_is_refused(house: House, refused: Refused, named: str) -> None:
    text = named.replace("{}", house.account_id)
    assert refused("PutResource", resource_arn=text)[0] in ("InvalidResource", "AccessDenied")
    assert house.call("ListResources").resources == []


def test_another_accounts_arn_is_refused_and_tells_nothing(house: House, refused: Refused) -> None:
    other = house.account()
    house.call("PutResource", resource_arn=order(house), tags=TAGS)
    for name, more in (
        ("PutResource", {}),
        ("GetResource", {}),
        ("DeleteResource", {}),
        ("resource:GetResourcePolicy", {}),
        ("resource:PutResourcePolicy", {"resource_policy": POLICY}),
    ):
        there = refused(name, other, resource_arn=order(house), **more)
        absent = refused(name, other, resource_arn=order(house, 8), **more)
        assert (there[0], there[1].replace("order/7", "")) == (absent[0], absent[1].replace("order/8", "")), name
        assert there[0] == "AccessDenied", name
    assert refused("resource:TagResources", other, resource_arns=[order(house)], tags=TAGS)[0] == "AccessDenied"


def test_an_arn_of_another_account_is_no_key_of_the_callers_whatever_it_is_permitted() -> None:
    call: Any = SimpleNamespace(account_id="111122223333")
    with pytest.raises(AccessDenied, match=r"is of account 444455556666, and only that can register it\.$"):
        registered.key(call, "arn:aws:orders:eu-west-1:444455556666:order/7")
    assert registered.key(call, "arn:aws:orders:eu-west-1:111122223333:order/7") != registered.key(
        call, "arn:aws:orders:eu-west-1::order/7"
    )


def test_an_arn_without_an_account_belongs_to_each_account_by_itself(house: House, refused: Refused) -> None:
    other = house.account()
    bucket = "arn:aws:s3:::photos"
    house.call("PutResource", resource_arn=bucket, tags=TAGS)
    assert refused("GetResource", other, resource_arn=bucket)[0] == "NoSuchResource"
    theirs = house.call("PutResource", other, resource_arn=bucket).resource
    assert (theirs.resource_arn, tags(theirs)) == (bucket, {})
    assert theirs.account_id != house.account_id
    house.call("DeleteResource", other, resource_arn=bucket)
    assert tags(house.call("GetResource", resource_arn=bucket).resource) == {"Env": "prod", "Team": "red"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "MalformedPolicyDocument"),
        (allow("orders:Ship"), "MalformedPolicyDocument"),
        (POLICY.replace("orders:Ship", "s" * 20_480), "ValidationError"),
    ],
)
def test_policies_are_held_to_what_policies_of_resources_may_say(house: House, refused: Refused, text: str, code: str) -> None:
    house.call("PutResource", resource_arn=order(house))
    assert refused("resource:PutResourcePolicy", resource_arn=order(house), resource_policy=text)[0] == code
    assert refused("PutResource", resource_arn=order(house, 8), resource_policy=text)[0] == code
    assert [one.has_policy for one in house.call("ListResources").resources] == [False]


def test_a_policy_of_20480_characters_is_taken(house: House) -> None:
    long = POLICY.replace("orders:Ship", "orders:" + "S" * (20_480 - len(POLICY) + 4))
    assert len(long) == 20_480
    house.call("PutResource", resource_arn=order(house), resource_policy=long)
    house.call("resource:DeleteResourcePolicy", resource_arn=order(house))
    assert not house.call("GetResource", resource_arn=order(house)).resource.has_policy


def test_lists_are_in_pages_by_service_type_and_arn(house: House, refused: Refused) -> None:
    named = [order(house, 1), order(house, 2), f"arn:aws:orders:eu-west-1:{house.account_id}:cart/1", "arn:aws:s3:::photos"]
    for text in named:
        house.call("PutResource", resource_arn=text)
    in_order = [named[2], named[0], named[1], named[3]]
    first = house.call("ListResources", max_results=3)
    assert [one.resource_arn for one in first.resources] == in_order[:3]
    rest = house.call("ListResources", max_results=3, next_token=first.next_token)
    assert [one.resource_arn for one in rest.resources] == in_order[3:]
    assert not rest.HasField("next_token")
    assert [one.resource_arn for one in house.call("ListResources", service="s3").resources] == [named[3]]
    assert [one.resource_arn for one in house.call("ListResources", service="orders", resource_type="cart").resources] == [named[2]]
    assert refused("ListResources", service="orders", next_token=first.next_token)[0] == "InvalidToken"


def test_each_operation_is_permitted_by_the_resources_arn_and_tags(house: House, refused: Refused) -> None:
    ann = house.user(
        "ann",
        allow("resource:*", on=order(house, "a*")),
        allow("resource:GetResource", when={"StringEquals": {"aws:ResourceTag/Team": "red"}}),
        allow("resource:TagResources", on=order(house, "b1"), when={"StringEquals": {"aws:RequestTag/Env": "dev"}}),
    )
    for name in ("a1", "b1", "b2"):
        house.call("PutResource", resource_arn=order(house, name), tags=TAGS if name == "b1" else [])
    house.call("PutResource", ann, resource_arn=order(house, "a1"), tags=TAGS)
    assert house.call("GetResource", ann, resource_arn=order(house, "b1")).resource.resource_arn == order(house, "b1")
    assert refused("GetResource", ann, resource_arn=order(house, "b2"))[0] == "AccessDenied"
    assert refused("DeleteResource", ann, resource_arn=order(house, "b1"))[0] == "AccessDenied"
    assert refused("DeleteResource", ann, resource_arn=order(house, "nothing"))[0] == "AccessDenied"
    house.call("resource:TagResources", ann, resource_arns=[order(house, "a1"), order(house, "b1")], tags=[{"key": "Env", "value": "dev"}])
    denied = refused(
        "resource:TagResources", ann, resource_arns=[order(house, "a1"), order(house, "b2")], tags=[{"key": "Env", "value": "dev"}]
    )
    assert denied[0] == "AccessDenied"
    assert order(house, "b2") in denied[1]


def test_tags_and_policies_of_a_new_resource_are_permissions_of_their_own(house: House, refused: Refused) -> None:
    ann = house.user("ann", allow("resource:PutResource"))
    house.call("PutResource", ann, resource_arn=order(house))
    assert "resource:TagResources" in refused("PutResource", ann, resource_arn=order(house), tags=TAGS)[1]
    assert "resource:PutResourcePolicy" in refused("PutResource", ann, resource_arn=order(house), resource_policy=POLICY)[1]


def test_whoever_takes_tags_away_by_a_put_needs_the_permission_of_untag(house: House, refused: Refused) -> None:
    house.call("PutResource", resource_arn=order(house), tags=TAGS)
    ann = house.user("ann", allow("resource:PutResource", "resource:TagResources"))
    code, message = refused("PutResource", ann, resource_arn=order(house), tags=TAGS[:1])
    assert code == "AccessDenied"
    assert f"resource:UntagResources on resource: {order(house)}" in message
    assert tags(house.call("GetResource", resource_arn=order(house)).resource) == {"Env": "prod", "Team": "red"}
    every = [{"key": "ENV", "value": "dev"}, *TAGS[1:], {"key": "New", "value": "x"}]
    assert tags(house.call("PutResource", ann, resource_arn=order(house), tags=every).resource) == {"ENV": "dev", "Team": "red", "New": "x"}
    only_new = {"ForAllValues:StringEquals": {"aws:TagKeys": "New"}}
    ben = house.user("ben", allow("resource:PutResource", "resource:TagResources"), allow("resource:UntagResources", when=only_new))
    assert refused("PutResource", ben, resource_arn=order(house), tags=every[:1])[0] == "AccessDenied"
    assert tags(house.call("PutResource", ben, resource_arn=order(house), tags=every[:2]).resource) == {"ENV": "dev", "Team": "red"}


def test_a_policy_of_a_resource_locks_nobody_out_of_the_registry_nor_lets_anybody_in(house: House, refused: Refused) -> None:
    everybody = POLICY.replace('"orders:Ship"', '"*"')
    house.call("PutResource", resource_arn=order(house), resource_policy=everybody)
    ann = house.user("ann")
    assert refused("DeleteResource", ann, resource_arn=order(house))[0] == "AccessDenied"
    house.call("resource:PutResourcePolicy", resource_arn=order(house), resource_policy=everybody.replace("Allow", "Deny"))
    house.call("resource:DeleteResourcePolicy", resource_arn=order(house))


def test_quotas_bound_resources_and_services(house: House, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts.set_quota(house.node.database, house.account_id, "ResourcesQuota", 2)
    for number in (1, 2):
        house.call("PutResource", resource_arn=order(house, number))
    assert refused("PutResource", resource_arn=order(house, 3))[0] == "LimitExceeded"
    house.call("PutResource", resource_arn=order(house, 2), tags=TAGS)
    house.call("DeleteResource", resource_arn=order(house, 1))
    house.call("PutResource", resource_arn=order(house, 3))
    accounts.set_quota(house.node.database, house.account_id, "ResourcesQuota", 20_000_000)
    monkeypatch.setattr(registered, "MOST_SERVICES", 1)
    assert refused("PutResource", resource_arn="arn:aws:s3:::photos") == (
        "LimitExceeded",
        "the account has registered resources of 1 services; no account has more",
    )
    with house.node.database.read() as session:
        assert session.get(QuotaOverride, (house.account_id, "ResourcesQuota")).value == 20_000_000  # type: ignore[union-attr]
        assert registered.held(session, house.account_id) == 2


def test_an_account_registers_a_service_as_long_as_it_has_a_resource_of_it(house: House) -> None:
    def registers() -> frozenset[str]:
        record = house.node.world.get_record(house.account_id)
        assert isinstance(record, AccountRecord)
        return record.registers

    assert registers() == frozenset()
    for text in (order(house, 1), order(house, 2), "arn:aws:s3:::photos"):
        house.call("PutResource", resource_arn=text, tags=TAGS)
    assert registers() == frozenset(("orders", "s3"))
    for text in (order(house, 1), "arn:aws:s3:::photos"):
        house.call("DeleteResource", resource_arn=text)
    assert registers() == frozenset(("orders",))
    house.call("DeleteResource", resource_arn=order(house, 2))
    assert registers() == frozenset()
    with house.node.database.read() as session:
        for table in (ResourceCount, ResourceService, ResourceTag):
            assert session.query(table).filter_by(account_id=house.account_id).all() == [], table


def test_the_trail_names_the_resource_of_a_call(house: House) -> None:
    house.call("PutResource", resource_arn=order(house))
    found = [event for event in house.call("LookupEvents").events if event.event_name == "PutResource"]
    assert len(found) == 1
    assert order(house) in found[0].cloud_trail_event


def test_nothing_is_written_by_a_call_that_fails_half_way(house: House) -> None:
    house.call("PutResource", resource_arn=order(house, 1))
    with pytest.raises(SekishoError):
        house.call("PutResource", resource_arn=order(house, 2), tags=[{"key": "aws:x", "value": "y"}])
    assert [one.resource_arn for one in house.call("ListResources").resources] == [order(house, 1)]
    with house.node.database.read() as session:
        assert registered.held(session, house.account_id) == 1
