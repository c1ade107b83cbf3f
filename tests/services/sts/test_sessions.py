"""AssumeRole: who may, for how long, with what in the session. Rules: SEMANTICS 7-9 and 23-29."""

import random
import string
from datetime import UTC, datetime
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.store.tables import Account
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import allow
from tests.services.sts.roles import ALL, SHIP, assumer, may, new_account, role, trusting


def test_the_session_acts_as_the_role(house: House) -> None:
    arn = role(house, path="/shop/")
    made = house.call("AssumeRole", _as=assumer(house), role_arn=arn, role_session_name="monday")
    session = sigv4.Credentials(made.credentials.access_key_id, made.credentials.secret_access_key, made.credentials.session_token)
    assert made.assumed_role_user.arn == f"arn:aws:sts::{house.account_id}:assumed-role/clerk/monday"
    assert made.assumed_role_user.assumed_role_id.endswith(":monday")
    assert session.access_key_id.startswith("ASIA")
    identity = house.call("GetCallerIdentity", _as=session)
    assert (identity.arn, identity.user_id) == (made.assumed_role_user.arn, made.assumed_role_user.assumed_role_id)
    assert may(house, session)
    assert not may(house, session, "orders:Burn")


@pytest.mark.parametrize(
    ("seconds", "most", "code"),
    [
        (None, 3600, None), (900, 3600, None), (899, 3600, "ValidationError"), (3600, 3600, None), (3601, 3600, "ValidationError"),
        (7200, 7200, None), (43200, 43200, None), (43201, 43200, "ValidationError"),
    ],
)  # fmt: skip
def test_a_session_lasts_as_long_as_its_role_permits(
    house: House, refused: Refused, seconds: int | None, most: int, code: str | None
) -> None:
    arn = role(house, max_session_duration=most)
    fields = {} if seconds is None else {"duration_seconds": seconds}
    asked: dict[str, Any] = {"_as": assumer(house), "role_arn": arn, "role_session_name": "s1", **fields}
    if code is not None:
        assert refused("AssumeRole", **asked)[0] == code
    else:
        made = house.call("AssumeRole", **asked)
        left = made.credentials.expiration.seconds - datetime.now(UTC).timestamp()
        assert (seconds or 3600) - 120 < left <= (seconds or 3600)
        assert made.credentials.expiration.nanos == 0


def test_a_chained_session_lasts_an_hour_at_most(house: House, refused: Refused) -> None:
    first, second = role(house, name="first"), role(house, name="second", max_session_duration=43200)
    house.call("PutRolePolicy", role_name="first", policy_name="chain", policy_document=allow(*ALL))
    session = house.assume(first, _as=assumer(house))
    house.assume(second, _as=session, duration_seconds=3600)
    house.assume(second, _as=session)
    assert refused("AssumeRole", _as=session, role_arn=second, role_session_name="s2", duration_seconds=3601) == (
        "ValidationError",
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
    )


def test_root_assumes_no_role(house: House, refused: Refused) -> None:
    denied = ("AccessDenied", "Roles may not be assumed by root accounts.")
    assert refused("AssumeRole", role_arn=role(house), role_session_name="s1") == denied
    assert refused("AssumeRole", role_arn=f"arn:aws:iam::{house.account_id}:role/nobody", role_session_name="s1") == denied


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"tags": [{"key": "a", "value": "1"}, {"key": "A", "value": "2"}]},
        {"serial_number": "arn:aws:iam::1:mfa/x", "token_code": "123456"},
        {"transitive_tag_keys": ["x"]},
    ],
)
def test_who_may_not_assume_a_role_does_not_learn_whether_it_exists(house: House, refused: Refused, fields: dict[str, Any]) -> None:
    stranger = house.user("stranger")
    arn = role(house, trusting(house.account_id))
    known = refused("AssumeRole", _as=stranger, role_arn=arn, role_session_name="s1", **fields)
    other = refused("AssumeRole", _as=stranger, role_arn=arn.replace("clerk", "nobody"), role_session_name="s1", **fields)
    assert known == (other[0], other[1].replace("nobody", "clerk"))


@pytest.mark.parametrize(
    ("trusted", "policies", "allowed"),
    [
        ("the user", (), True),
        ("the account", (), False),
        ("the account", (allow("sts:AssumeRole"),), True),
        ("another user", (allow("sts:AssumeRole"),), False),
        ("everybody", (allow("sts:AssumeRole"),), True),
    ],
)
def test_what_trust_takes(house: House, refused: Refused, trusted: str, policies: tuple[str, ...], allowed: bool) -> None:
    ann = house.user("ann", *policies)
    house.user("bob")
    prefix = f"arn:aws:iam::{house.account_id}"
    principal = {"the user": f"{prefix}:user/ann", "the account": house.account_id, "another user": f"{prefix}:user/bob", "everybody": "*"}
    arn = role(house, trusting(principal[trusted]))
    if allowed:
        assert may(house, house.assume(arn, _as=ann))
    else:
        code, message = refused("AssumeRole", _as=ann, role_arn=arn, role_session_name="s1")
        assert (code, message) == (
            "AccessDenied",
            f"User: {prefix}:user/ann is not authorized to perform: sts:AssumeRole on resource: {arn}",
        )


def test_across_accounts_both_must_agree(house: House, refused: Refused) -> None:
    other = House(house.node, new_account(house))
    arn = role(house, trusting(other.account_id))
    ann = other.user("ann")
    assert refused("AssumeRole", _as=ann, role_arn=arn, role_session_name="s1")[0] == "AccessDenied"
    other.call("PutUserPolicy", user_name="ann", policy_name="p", policy_document=allow("sts:AssumeRole", on=arn))
    assert other.call("GetCallerIdentity", _as=other.assume(arn, _as=ann)).account == house.account_id


def test_an_external_id_is_what_a_third_party_must_say(house: House, refused: Refused) -> None:
    ann = assumer(house)
    arn = role(house, trusting(house.account_id, when={"StringEquals": {"sts:ExternalId": "shop-42"}}))
    house.assume(arn, _as=ann, external_id="shop-42")
    for fields in ({}, {"external_id": "shop-43"}, {"external_id": "SHOP-42"}):
        assert refused("AssumeRole", _as=ann, role_arn=arn, role_session_name="s1", **fields)[0] == "AccessDenied"


def test_a_user_that_was_deleted_and_made_again_is_not_trusted(house: House, refused: Refused) -> None:
    ann = house.user("ann")
    arn = role(house, trusting(f"arn:aws:iam::{house.account_id}:user/ann"))
    house.assume(arn, _as=ann)
    house.call("DeleteAccessKey", user_name="ann", access_key_id=ann.access_key_id)
    house.call("DeleteUser", user_name="ann")
    again = house.user("ann")
    assert refused("AssumeRole", _as=again, role_arn=arn, role_session_name="s1")[0] == "AccessDenied"
    assert refused("AssumeRole", _as=ann, role_arn=arn, role_session_name="s1")[0] == "InvalidClientTokenId"


def test_tags_and_source_identity_take_trust_of_their_own(house: House, refused: Refused) -> None:
    ann = assumer(house)
    arn = role(house, trusting(house.account_id))
    wanted: list[tuple[dict[str, Any], str]] = [
        ({"tags": [{"key": "team", "value": "red"}]}, "sts:TagSession"),
        ({"source_identity": "ann"}, "sts:SetSourceIdentity"),
    ]
    for fields, action in wanted:
        code, message = refused("AssumeRole", _as=ann, role_arn=arn, role_session_name="s1", **fields)
        assert code == "AccessDenied"
        assert f"is not authorized to perform: {action} on resource: {arn}" in message
    only_assuming = house.user("bob", allow("sts:AssumeRole"))
    wide = role(house, name="wide")
    assert refused("AssumeRole", _as=only_assuming, role_arn=wide, role_session_name="s1", source_identity="bob")[0] == "AccessDenied"


def test_trust_sees_the_tags_and_the_name_that_are_asked_for(house: House, refused: Refused) -> None:
    ann = assumer(house)
    when = {
        "StringEquals": {"aws:RequestTag/team": "red", "sts:RoleSessionName": "monday"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]},
    }
    arn = role(house, trusting(house.account_id, *ALL, when=when))
    red = {"key": "Team", "value": "red"}
    good: dict[str, Any] = {"_as": ann, "role_arn": arn, "role_session_name": "monday"}
    assert refused("AssumeRole", **good, tags=[{"key": "Team", "value": "blue"}])[0] == "AccessDenied"
    assert refused("AssumeRole", **good, tags=[red, {"key": "cost", "value": "1"}])[0] == "AccessDenied"
    assert refused("AssumeRole", **good | {"role_session_name": "tuesday"}, tags=[red])[0] == "AccessDenied"
    lower = {"key": "team", "value": "red"}
    assert house.call("AssumeRole", **good, tags=[lower]).packed_policy_size > 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"tags": [{"key": "a", "value": "1"}, {"key": "A", "value": "2"}]},
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        ),
        ({"tags": [{"key": "aws:team", "value": "1"}]}, "Tag keys beginning with aws: are reserved for system use."),
        ({"tags": [{"key": "AWS:team", "value": "1"}]}, "Tag keys beginning with aws: are reserved for system use."),
        ({"transitive_tag_keys": ["team"]}, "The specified transitive tag key must be included in the requested tags."),
    ],
)
def test_tags_that_no_session_has(house: House, refused: Refused, fields: dict[str, Any], message: str) -> None:
    """Source: answers of AWS, recorded on 2025-04-10."""
    said = ("InvalidParameterValue", message)
    assert refused("AssumeRole", _as=assumer(house), role_arn=role(house), role_session_name="s1", **fields) == said


@pytest.mark.parametrize(
    "arn",
    [
        "nothing-valid-in-here",
        "arn::b:::something/test-role",
        "arn:a::::something/test-role",
        "arn:a:::something/test-role",
        "arn:a:a::aaaaaaaaaa:",
    ],
)
def test_a_role_arn_that_is_none_is_invalid(house: House, refused: Refused, arn: str) -> None:
    """Source: answers of AWS, recorded on 2025-07-21."""
    assert refused("AssumeRole", _as=assumer(house), role_arn=arn, role_session_name="s1") == ("ValidationError", f"{arn} is invalid")


def test_session_tags_stand_over_the_roles_own(house: House) -> None:
    arn = role(house, tags=[{"key": "Team", "value": "blue"}, {"key": "cost", "value": "7"}])
    when = {"StringEquals": {"aws:PrincipalTag/team": "red", "aws:PrincipalTag/cost": "7"}}
    house.call("PutRolePolicy", role_name="clerk", policy_name="p", policy_document=allow("orders:Ship", when=when))
    ann = assumer(house)
    assert may(house, house.assume(arn, _as=ann, tags=[{"key": "team", "value": "red"}]))
    assert not may(house, house.assume(arn, _as=ann))


def test_transitive_tags_go_down_the_chain_and_cannot_be_said_again(house: House, refused: Refused) -> None:
    first, second = role(house, name="first"), role(house, name="second", tags=[{"key": "team", "value": "blue"}])
    house.call("PutRolePolicy", role_name="first", policy_name="chain", policy_document=allow(*ALL))
    when = {"StringEquals": {"aws:PrincipalTag/team": "red"}, "Null": {"aws:PrincipalTag/desk": "true"}}
    house.call("PutRolePolicy", role_name="second", policy_name="p", policy_document=allow("orders:Ship", when=when))
    tags = [{"key": "Team", "value": "red"}, {"key": "desk", "value": "3"}]
    session = house.assume(first, _as=assumer(house), tags=tags, transitive_tag_keys=["Team"])
    assert may(house, house.assume(second, _as=session))
    assert refused("AssumeRole", _as=session, role_arn=second, role_session_name="s2", tags=[{"key": "tEAM", "value": "green"}]) == (
        "InvalidParameterValue",
        "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.",
    )
    third = role(house, name="third")
    house.call("PutRolePolicy", role_name="second", policy_name="chain", policy_document=allow(*ALL))
    house.call("PutRolePolicy", role_name="third", policy_name="p", policy_document=allow("orders:Ship", when=when))
    assert may(house, house.assume(third, _as=house.assume(second, _as=session)))


def test_inherited_tags_take_the_same_permission_as_given_ones(house: House, refused: Refused) -> None:
    first, second = role(house, name="first"), role(house, trusting(house.account_id, "sts:AssumeRole"), name="second")
    house.call("PutRolePolicy", role_name="first", policy_name="chain", policy_document=allow(*ALL))
    tags = [{"key": "team", "value": "red"}]
    session = house.assume(first, _as=assumer(house), tags=tags, transitive_tag_keys=["team"])
    code, message = refused("AssumeRole", _as=session, role_arn=second, role_session_name="s2")
    caller = f"arn:aws:sts::{house.account_id}:assumed-role/first/session"
    assert (code, message) == ("AccessDenied", f"User: {caller} is not authorized to perform: sts:TagSession on resource: {second}")
    house.assume(second, _as=house.assume(first, _as=assumer(house, "bob"), tags=tags))  # which are not passed on


def test_a_source_identity_stays(house: House, refused: Refused) -> None:
    first, second = role(house, name="first"), role(house, name="second")
    house.call("PutRolePolicy", role_name="first", policy_name="chain", policy_document=allow(*ALL))
    when = {"StringEquals": {"aws:SourceIdentity": "ann"}}
    house.call("PutRolePolicy", role_name="second", policy_name="p", policy_document=allow("orders:Ship", when=when))
    session = house.assume(first, _as=assumer(house), source_identity="ann")
    made = house.call("AssumeRole", _as=session, role_arn=second, role_session_name="s2")
    assert made.source_identity == "ann"
    assert may(house, sigv4.Credentials(made.credentials.access_key_id, made.credentials.secret_access_key, made.credentials.session_token))
    assert refused("AssumeRole", _as=session, role_arn=second, role_session_name="s2", source_identity="bob")[0] == "AccessDenied"


@pytest.mark.parametrize("name", ["a", "x" * 65, "an n"])
def test_a_source_identity_has_2_to_64_characters(house: House, refused: Refused, name: str) -> None:
    assert (
        refused("AssumeRole", _as=assumer(house), role_arn=role(house), role_session_name="s1", source_identity=name)[0]
        == "ValidationError"
    )


def test_session_policies_only_take_away_and_are_a_union_among_themselves(house: House) -> None:
    arn, ann = role(house), assumer(house)
    house.call("PutRolePolicy", role_name="clerk", policy_name="more", policy_document=allow("orders:Pack"))
    pack = house.call("CreatePolicy", policy_name="pack", policy_document=allow("orders:Pack")).policy.arn
    only_ship = house.assume(arn, _as=ann, policy=allow("orders:Ship", "orders:Burn"))
    assert [may(house, only_ship, f"orders:{name}") for name in ("Ship", "Pack", "Burn")] == [True, False, False]
    both = house.assume(arn, _as=ann, policy=SHIP, policy_arns=[{"arn": pack}])
    assert [may(house, both, f"orders:{name}") for name in ("Ship", "Pack", "Burn")] == [True, True, False]
    managed = house.assume(arn, _as=ann, policy_arns=[{"arn": pack}])
    assert [may(house, managed, f"orders:{name}") for name in ("Ship", "Pack")] == [False, True]
    house.call("DeletePolicy", policy_arn=pack)
    assert [may(house, managed, f"orders:{name}") for name in ("Ship", "Pack")] == [False, False]


def test_session_policies_that_are_none(house: House, refused: Refused) -> None:
    asked: dict[str, Any] = {"_as": assumer(house), "role_arn": role(house), "role_session_name": "s1"}
    stranger = f"arn:aws:iam::{house.account_id}:policy/nobody"
    assert refused("AssumeRole", **asked, policy_arns=[{"arn": stranger}])[0] == "ValidationError"
    assert refused("AssumeRole", **asked, policy="{")[0] == "MalformedPolicyDocument"
    assert refused("AssumeRole", **asked, policy=" " * 2049)[0] == "ValidationError"
    assert refused("AssumeRole", **asked, policy_arns=[{"arn": stranger}] * 11)[0] == "ValidationError"
    other = House(house.node, new_account(house))
    foreign = other.call("CreatePolicy", policy_name="p", policy_document=SHIP).policy.arn
    assert refused("AssumeRole", **asked, policy_arns=[{"arn": foreign}])[0] == "ValidationError"
    house.assume(asked["role_arn"], _as=asked["_as"], policy_arns=[{"arn": "arn:aws:iam::aws:policy/Administrator"}])


def test_what_does_not_fit_into_a_token_is_refused_with_its_percentage(house: House, refused: Refused) -> None:
    arn, ann = role(house), assumer(house)
    noise = "".join(random.Random(1).choices(string.ascii_letters + string.digits + "_.:/=+-@", k=256 * 50))
    tags = [{"key": f"{index}", "value": noise[index * 256 : (index + 1) * 256]} for index in range(50)]
    code, message = refused("AssumeRole", _as=ann, role_arn=arn, role_session_name="s1", tags=tags)
    assert code == "PackedPolicyTooLarge"
    percent = int(message.removeprefix("Packed size of session tags consumes ").removesuffix("% of allotted space."))
    assert percent > 100
    some = house.call("AssumeRole", _as=ann, role_arn=arn, role_session_name="s1", tags=tags[:5])
    assert 0 < some.packed_policy_size <= 100
    assert len(some.credentials.session_token) <= 6144
    many = [{"key": f"{number}", "value": ""} for number in range(51)]
    assert refused("AssumeRole", _as=ann, role_arn=arn, role_session_name="s1", tags=many)[0] == "ValidationError"


@pytest.mark.parametrize(
    "fields",
    [{"provided_contexts": [{"provider_arn": "arn:aws:iam::aws:contextProvider/x"}]}, {"minimum_session_token_size": 4096}],
)
def test_what_is_not_done_is_not_ignored(house: House, refused: Refused, fields: dict[str, Any]) -> None:
    assert refused("AssumeRole", _as=assumer(house), role_arn=role(house), role_session_name="s1", **fields)[0] == "Unimplemented"


def test_a_role_of_an_account_that_is_not_active_is_nobodys(house: House, refused: Refused) -> None:
    other = House(house.node, new_account(house))
    ann = assumer(house)
    asked: dict[str, Any] = {"_as": ann, "role_arn": role(other, trusting(house.account_id)), "role_session_name": "s1"}
    assert house.call("AssumeRole", **asked).credentials.session_token
    with house.node.database.write((other.account_id,)) as session:
        session.get_one(Account, other.account_id).status = "SUSPENDED"
    house.node.world.committed(house.node.world.point, (other.account_id,))  # as the log of changes would have it
    said = "User: {0}user/ann is not authorized to perform: sts:AssumeRole on resource: {1}"
    expected = said.format(f"arn:aws:iam::{house.account_id}:", asked["role_arn"])
    assert refused("AssumeRole", **asked) == ("AccessDenied", expected)
