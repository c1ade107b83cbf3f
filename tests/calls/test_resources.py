"""Registered resources, row by row, in a database of their tables alone: keys, counts, quotas and tags."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from sekisho.calls import resources
from sekisho.calls.call import Call
from sekisho.calls.resources import InvalidResource, InvalidTag, LimitExceeded, NoSuchResource, TooManyTags
from sekisho.errors import AccessDenied
from sekisho.operations import Resource
from sekisho.store import changes, db
from sekisho.store.tables import QuotaOverride, RegisteredResource, ResourceCount, ResourceService, ResourceTag
from tests.calls.fakes import ACCOUNT, NOW, OTHER, FakeNode

TABLES = (QuotaOverride, RegisteredResource, ResourceCount, ResourceService, ResourceTag)
ORDER = f"arn:aws:orders:eu-1:{ACCOUNT}:order/7"
PHOTOS = "arn:aws:s3:::photos"
BEFORE = NOW - timedelta(days=1)


@pytest.fixture
def call(session: db.Transaction) -> Call:
    return FakeNode().call("GetUser", database_session=session)


def touched(call: Call) -> set[str]:
    """The ids that are stale since the last time."""
    found: changes.Touched = next(one for one in call.session.info.values() if isinstance(one, changes.Touched))
    found.gather(call.session)
    ids, found.ids = found.ids, set()
    return ids


def registered(call: Call, text: str = ORDER, **tags: str) -> RegisteredResource:
    """A resource that was registered the day before."""
    row = resources.register(call, text)
    row.created_at = row.updated_at = BEFORE
    resources.put_tags(call, row, tags)
    row.updated_at = BEFORE
    call.session.flush()
    touched(call)
    return row


def counts(call: Call) -> dict[str, int]:
    """The number of resources of each service that the account registers."""
    found = {row.service: row.held for row in call.session.scalars(select(ResourceCount))}
    assert sorted(call.session.scalars(select(ResourceService.service))) == sorted(found)
    assert resources.held(call.session, ACCOUNT) == sum(found.values())
    return found


def test_our_own_services_are_known() -> None:
    resources.own_services.cache_clear()
    assert {"iam", "sts", "organizations", "cloudtrail", "access-analyzer", "accessanalyzer", "kms", "signin"} <= resources.own_services()
    assert not {"orders", "s3"} & resources.own_services()


@pytest.mark.parametrize(("text", "key"), [(ORDER, ORDER), (PHOTOS, f"{PHOTOS}#{ACCOUNT}")])
def test_a_key_is_the_arn_with_its_account(call: Call, text: str, key: str) -> None:
    assert resources.key(call, text) == key


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        (
            "x" * 200,
            InvalidResource,
            f"`{'x' * 128}` is not the ARN of a resource: six segments of ASCII, no blanks and wildcards, its account in digits or none",
        ),
        (ORDER + "*", InvalidResource, None),
        (
            ORDER.replace(ACCOUNT, OTHER),
            AccessDenied,
            f"The resource {ORDER.replace(ACCOUNT, OTHER)} is of account {OTHER}, and only that can register it.",
        ),
        ("arn:aws:kms:eu-1::key/1", InvalidResource, "resources of `kms` cannot be registered: they are known already"),
        (f"arn:aws:iam::{ACCOUNT}:user/ann", InvalidResource, "resources of `iam` cannot be registered: they are known already"),
    ],
)
def test_what_has_no_key(call: Call, text: str, error: Any, said: str | None) -> None:
    for made in (resources.key, resources.get, resources.find, resources.register):
        with pytest.raises(error) as caught:
            made(call, text)
        assert said is None or caught.value.message == said


def test_a_resource_is_registered_with_what_its_arn_says(call: Call) -> None:
    row = resources.register(call, ORDER)
    assert touched(call) == {ORDER, ACCOUNT}
    assert (row.id, row.account_id, row.arn, row.service, row.type, row.policy) == (ORDER, ACCOUNT, ORDER, "orders", "order", None)
    assert (row.created_at, row.updated_at) == (NOW, NOW)
    assert resources.get(call, ORDER) is resources.find(call, ORDER) is row
    photos = resources.register(call, PHOTOS)
    assert (photos.id, photos.arn, photos.type) == (f"{PHOTOS}#{ACCOUNT}", PHOTOS, "")
    assert resources.find(call, PHOTOS) is photos
    assert touched(call) == {photos.id, ACCOUNT}
    resources.register(call, f"{PHOTOS}/a")
    assert touched(call) == {f"{PHOTOS}/a#{ACCOUNT}"}  # that the account registers the service is known
    assert counts(call) == {"orders": 1, "s3": 2}


def test_what_is_not_registered_is_not_found(call: Call) -> None:
    assert resources.get(call, ORDER) is None
    with pytest.raises(NoSuchResource) as caught:
        resources.find(call, ORDER)
    assert caught.value.message == f"The resource {ORDER} is not registered."


def test_an_account_registers_as_many_as_its_quota(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "MOST", 3)
    for text in (ORDER, PHOTOS, f"{PHOTOS}/a"):
        resources.register(call, text)
    with pytest.raises(LimitExceeded) as caught:
        resources.register(call, f"{PHOTOS}/b")
    assert caught.value.message == "the account has registered 3 resources, which is its ResourcesQuota"
    call.session.add(ResourceCount(account_id=OTHER, service="orders", held=50))  # is none of this account's
    call.session.add(QuotaOverride(account_id=OTHER, quota=resources.QUOTA, value=1))
    call.session.add(QuotaOverride(account_id=ACCOUNT, quota=resources.QUOTA, value=4))
    resources.register(call, f"{PHOTOS}/b")
    with pytest.raises(LimitExceeded, match=r"has registered 4 resources"):
        resources.register(call, f"{PHOTOS}/c")
    assert resources.held(call.session, ACCOUNT) == 4
    assert resources.held(call.session, "999988887777") == 0


def test_an_account_registers_so_many_services(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "MOST_SERVICES", 2)
    registered(call, ORDER)
    registered(call, PHOTOS)
    with pytest.raises(LimitExceeded) as caught:
        resources.register(call, "arn:aws:sqs:::queue")
    assert caught.value.message == "the account has registered resources of 2 services; no account has more"
    resources.register(call, f"{PHOTOS}/a")
    assert counts(call) == {"orders": 1, "s3": 2}


def test_a_service_goes_with_its_last_resource(call: Call) -> None:
    first, second = registered(call, PHOTOS, Team="a", area="b"), registered(call, f"{PHOTOS}/a", Team="c")
    order = registered(call)
    resources.remove(call, first)
    assert ACCOUNT not in touched(call)
    call.session.flush()
    assert counts(call) == {"orders": 1, "s3": 1}
    assert [tag.value for tag in call.session.scalars(select(ResourceTag))] == ["c"]
    resources.remove(call, second)
    call.session.flush()
    assert counts(call) == {"orders": 1}
    assert list(call.session.scalars(select(RegisteredResource))) == [order]
    assert touched(call) >= {ACCOUNT, second.id}
    resources.remove(call, order)
    call.session.flush()
    assert counts(call) == {}


def test_what_policies_see_of_a_resource(call: Call) -> None:
    registered(call, ORDER, Team="a")
    registered(call, PHOTOS, area="b")
    assert resources.as_resource(call, ORDER) == Resource(ORDER, {"Team": "a"}, owner=ACCOUNT)
    assert resources.as_resource(call, PHOTOS) == Resource(PHOTOS, {"area": "b"}, owner=ACCOUNT)
    assert resources.as_resource(call, f"{PHOTOS}/a") == Resource(f"{PHOTOS}/a", owner=ACCOUNT)


@pytest.mark.parametrize(
    ("text", "owner"),
    [(ORDER.replace(ACCOUNT, OTHER), OTHER), (f"{ORDER}*", ACCOUNT), ("no ARN", ACCOUNT)],
)
def test_of_what_is_not_the_callers_to_register_policies_see_the_arn_alone(call: Call, text: str, owner: str) -> None:
    call.database_session = None  # nothing is looked up
    assert resources.as_resource(call, text) == Resource(text, owner=owner)


def test_tags_are_told_by_resource_in_the_order_of_their_keys(call: Call) -> None:
    order, photos = registered(call, ORDER, b="2", A="1", c="3"), registered(call, PHOTOS)
    registered(call, f"{PHOTOS}/a", d="4")
    found = resources.tags(call.session, [order, photos])
    assert found == {ORDER: {"A": "1", "b": "2", "c": "3"}, photos.id: {}}
    assert list(found[ORDER]) == ["A", "b", "c"]


@pytest.mark.parametrize(
    ("given", "whole", "tags", "changed"),
    [
        ({"area": "b"}, False, {"Team": "a", "Cost": "1", "area": "b"}, True),
        ({"Team": "b"}, False, {"Team": "b", "Cost": "1"}, True),
        ({"team": "a"}, False, {"team": "a", "Cost": "1"}, True),
        ({"Team": "a"}, False, {"Team": "a", "Cost": "1"}, False),
        ({}, False, {"Team": "a", "Cost": "1"}, False),
        ({"area": "b"}, True, {"area": "b"}, True),
        ({"Team": "a"}, True, {"Team": "a"}, True),
        ({"Team": "a", "Cost": "1"}, True, {"Team": "a", "Cost": "1"}, False),
        ({"Team": "a", "cost": "1"}, True, {"Team": "a", "cost": "1"}, True),
        ({}, True, {}, True),
    ],
)
def test_tags_are_put_beside_others_or_in_their_place(call: Call, given: dict[str, str], whole: bool, tags: Any, changed: bool) -> None:
    row, other = registered(call, ORDER, Team="a", Cost="1"), registered(call, PHOTOS, Team="c")
    resources.put_tags(call, row, given, whole=whole)
    assert (row.updated_at, other.updated_at) == (NOW if changed else BEFORE, BEFORE)
    assert (ORDER in touched(call)) is changed
    assert resources.tags(call.session, [row, other]) == {ORDER: tags, other.id: {"Team": "c"}}
    kept = {tag.key_key: tag.account_id for tag in call.session.scalars(select(ResourceTag).where(ResourceTag.resource_id == ORDER))}
    assert kept == {name.lower(): ACCOUNT for name in tags}


@pytest.mark.parametrize(
    ("given", "whole", "refused"),
    [
        (range(1, 50), False, False),
        (range(1, 51), False, True),
        (range(50), False, False),
        (range(1, 51), True, False),
        (range(1, 52), True, True),
    ],
)
def test_a_resource_has_fifty_tags(call: Call, given: range, whole: bool, refused: bool) -> None:
    row = registered(call, ORDER, K0="a")
    tags = {f"k{number}": "x" for number in given}
    if refused:
        with pytest.raises(TooManyTags) as caught:
            resources.put_tags(call, row, tags, whole=whole)
        assert caught.value.message == f"The resource {ORDER} would have more than 50 tags."
        assert resources.tags(call.session, [row]) == {ORDER: {"K0": "a"}}
    else:
        resources.put_tags(call, row, tags, whole=whole)
        assert len(resources.tags(call.session, [row])[ORDER]) == len(tags) + (1 if not whole and 0 not in given else 0)


def test_tags_are_taken_whatever_their_case(call: Call) -> None:
    row, other = registered(call, ORDER, Team="a", Cost="1", area="b"), registered(call, PHOTOS, Team="c")
    resources.remove_tags(call, row, ["TEAM", "area", "none"])
    call.session.flush()
    assert resources.tags(call.session, [row, other]) == {ORDER: {"Cost": "1"}, other.id: {"Team": "c"}}
    assert (row.updated_at, other.updated_at) == (NOW, BEFORE)


KEY = "is not the key of a tag: 1 to 128 letters, digits, blanks and characters of _.:/=+-@"
VALUE = "has more than 256 characters, or others than letters, digits, blanks and _.:/=+-@"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"a": "", "b" * 128: "c" * 256, "Team_.:/=+-@ 1": "_.:/=+-@ 1é"}, ""),
        ({}, ""),
        ({"": "a"}, f"`` {KEY}"),
        ({"a" * 129: "b"}, f"`{'a' * 128}` {KEY}"),
        ({"a?": "b"}, f"`a?` {KEY}"),
        ({"a": "b" * 257}, f"The value of the tag `a` {VALUE}"),
        ({"a": "b?"}, f"The value of the tag `a` {VALUE}"),
        ({"aws:a": "b"}, "Tag keys that begin with aws: are reserved."),
        ({"AWS:a": "b"}, "Tag keys that begin with aws: are reserved."),
        ({"a": "b", "aws:a": "b"}, "Tag keys that begin with aws: are reserved."),
        ({"awsome": "b"}, ""),
        ({"a": "b", "A": "b"}, "A tag key is given twice; the case of a key makes no difference."),
    ],
)
def test_tags_that_no_resource_can_have(call: Call, given: dict[str, str], said: str) -> None:
    if not said:
        resources.refuse_wrong(given)
        return
    with pytest.raises(InvalidTag) as caught:
        resources.refuse_wrong(given)
    assert caught.value.message == said
    row = registered(call)
    with pytest.raises(InvalidTag):
        resources.put_tags(call, row, given)
    assert resources.tags(call.session, [row]) == {ORDER: {}}


def test_a_count_that_nobody_keeps_is_none(call: Call) -> None:
    session: Session = call.session
    assert resources.held(session, ACCOUNT) == 0
    assert counts(call) == {}
