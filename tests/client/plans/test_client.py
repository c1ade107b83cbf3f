"""The client's methods for plans and lists, against a server in this process, blocking and awaited."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sekisho.api.authorize.v1 import plans_pb2 as pb
from sekisho.client import Client, Denied, FailedPrecondition, plans
from sekisho.client.aio import AsyncClient
from sekisho.client.errors import Internal
from sekisho.client.plans import questions
from sekisho.policy import residual
from tests.inside import Inside, inside
from tests.services.iam.documents import allow

RED = {"StringEquals": {"aws:ResourceTag/team": "red"}}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """A server, with Ann, who may do what is of the red team, and orders, of which each third is."""
    folder: Path = tmp_path_factory.mktemp("plans")
    with inside(f"sqlite:///{folder / 'sekisho.db'}", folder) as made:
        house = made.house
        house.user("ann", allow("orders:GetOrder", when=RED))
        for number in range(9):
            tags = [{"key": "Team", "value": "blue" if number % 3 else "red"}]
            house.call("PutResource", resource_arn=f"arn:aws:orders::{house.account_id}:order/{number}", tags=tags)
        yield made


def ann(place: Inside) -> str:
    return f"arn:aws:iam::{place.house.account_id}:user/ann"


def order(place: Inside, number: int) -> str:
    return f"arn:aws:orders::{place.house.account_id}:order/{number}"


def test_a_plan_is_asked_for_kept_and_used(place: Inside) -> None:
    with place.client(place.house.root) as client:
        plan = client.plan(principal=ann(place), action="orders:GetOrder", resource_pattern="arn:aws:orders::*:order/*")
        assert client.last_revision
    assert plan.kind is plans.Kind.CONDITIONAL
    assert plans.from_json(plans.to_json(plan)) == plan
    assert [plans.allows(plan, order(place, 1), tags) for tags in ({"TEAM": "red"}, {"team": "Red"}, {})] == [True, False, False]
    with pytest.raises(ValueError, match="given twice"):
        plans.allows(plan, order(place, 1), {"team": "red", "Team": "red"})


def test_lists(place: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "MOST", 2)
    with place.client(place.house.root) as client:
        pattern = "arn:aws:orders::*:order/*"
        found = client.allowed_resources(principal=ann(place), action="orders:GetOrder", resource_pattern=pattern)
        assert list(found) == [order(place, number) for number in (0, 3, 6)]
        assert list(client.allowed_principals(action="orders:GetOrder", resource=order(place, 3))) == [ann(place)]
        asked = client.allowed_actions(principal=ann(place), resource=order(place, 3), resource_tags={"team": "red"}, services=["orders"])
        assert list(asked) == ["orders:GetOrder"]


def test_the_same_awaited(place: Inside) -> None:
    async def asked() -> tuple[plans.Plan, list[str], list[str], list[str]]:
        async with AsyncClient(place.address, place.house.root) as client:
            pattern = "arn:aws:orders::*:order/*"
            return (
                await client.plan(principal=ann(place), action="orders:GetOrder", resource_pattern=pattern),
                [one async for one in client.allowed_resources(principal=ann(place), action="orders:GetOrder", resource_pattern=pattern)],
                [one async for one in client.allowed_principals(action="orders:GetOrder", resource=order(place, 3))],
                [one async for one in client.allowed_actions(principal=ann(place), resource=order(place, 3), services=("orders",))],
            )

    plan, resources, principals, actions = asyncio.run(asked())
    assert plan.kind is plans.Kind.CONDITIONAL
    assert resources == [order(place, number) for number in (0, 3, 6)]
    assert (principals, actions) == ([ann(place)], ["orders:GetOrder"])


def test_errors_are_no_answers(place: Inside) -> None:
    place.house.user("old", allow("orders:*", when={"DateLessThan": {"aws:ResourceTag/born": "2020-01-01"}}))
    nobody = place.house.user("nobody")
    old = f"arn:aws:iam::{place.house.account_id}:user/old"
    with place.client(place.house.root) as client, pytest.raises(FailedPrecondition, match="DateLessThan cannot be said of the tag `born`"):
        client.plan(principal=old, action="orders:GetOrder", resource_pattern="arn:aws:orders::*:order/*")
    with place.client(nobody) as client, pytest.raises(Denied):
        list(client.allowed_resources(action="orders:GetOrder", resource_pattern="arn:aws:orders::*:order/*"))


def test_two_subjects_are_none() -> None:
    client = Client("127.0.0.1:1", None)
    with pytest.raises(TypeError, match="give one of"):
        client.plan(principal="arn:aws:iam::1:user/a", bearer_token="x", action="a:B", resource_pattern="arn:aws:a:::b")
    with pytest.raises(ValueError, match="not empty"):
        client.plan(principal="", action="a:B", resource_pattern="arn:aws:a:::b")
    client.close()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"scopes":[],"condition":true,"longest":1}',
        '{"scopes":[["arn:"]],"condition":1,"longest":1}',
        '{"scopes":[["arn:"]],"condition":{"all_of":true},"longest":1}',
        '{"scopes":[["arn:"]],"condition":{"any_of":[]},"longest":1}',
        '{"scopes":[["arn:"]],"condition":{"negated":true,"all_of":[]},"longest":1}',
        '{"scopes":[["arn:"]],"condition":{"tag_in":{"key":"a","texts":["b"]}},"longest":1}',
        '{"scopes":[["arn:"]],"condition":{"tag_in":{"key":"a","texts":[1],"ignoring_case":false}},"longest":1}',
        '{"scopes":[["arn:"]],"condition":{"tag_in":{"key":"a","texts":["b"],"ignoring_case":0}},"longest":1}',
        '{"scopes":[["arn:",{"wildcard":"all"}]],"condition":true,"longest":1}',
        '{"scopes":[["arn:"]],"condition":true,"longest":true}',
        '{"scopes":[["arn:"]],"condition":true,"longest":2049}',
        '{"scopes":[["arn:"]],"condition":' + '{"negated":' * 40 + "true" + "}" * 40 + ',"longest":1}',
        "[" * 100_000,
    ],
)
def test_what_is_no_plan_is_not_read(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # json's own among them
        plans.from_json(text)


def test_a_server_that_says_two_things_is_not_believed() -> None:
    plan = residual.to_json(residual.Plan((residual.ARN,), condition=False))
    assert questions.plan(pb.PlanResourcesResponse(kind=pb.PLAN_KIND_ALWAYS_DENIED, plan_json=plan)).condition is False
    with pytest.raises(Internal, match="another kind"):
        questions.plan(pb.PlanResourcesResponse(kind=pb.PLAN_KIND_ALWAYS_ALLOWED, plan_json=plan))
    with pytest.raises(Internal, match="cannot be read"):
        questions.plan(pb.PlanResourcesResponse(kind=pb.PLAN_KIND_ALWAYS_ALLOWED, plan_json=json.dumps({})))
