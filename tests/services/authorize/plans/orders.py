"""An account with orders, and what tests ask about them."""

import json
from typing import Any

from sekisho import sigv4
from sekisho.api.authorize.v1 import plans_pb2 as pb
from sekisho.policy import residual
from tests.harness import House
from tests.services.iam.documents import allow

RED = {"StringEquals": {"aws:ResourceTag/Team": "red"}}


def order(house: House, number: int | str) -> str:
    return f"arn:aws:orders:eu-west-1:{house.account_id}:order/{number}"


def deny(*actions: str, on: str = "*") -> str:
    return allow(*actions, on=on).replace("Allow", "Deny")


def user(house: House, name: str) -> str:
    return f"arn:aws:iam::{house.account_id}:user/{name}"


def plan(house: House, _as: sigv4.Credentials | None = None, **fields: Any) -> residual.Plan:
    """The plan about a type of orders, whose message says the same as its JSON."""
    answer: pb.PlanResourcesResponse = house.call(
        "PlanResources", _as, **{"action": "orders:GetOrder", "resource_type": "orders:order"} | fields
    )
    found = residual.from_json(answer.plan_json)
    assert pb.PlanKind.Name(answer.kind) == f"PLAN_KIND_{found.kind}"
    assert answer.revision
    return found


def listed(house: House, name: str, entries: str, _as: sigv4.Credentials | None = None, **fields: Any) -> list[str]:
    """All pages of a list."""
    found: list[str] = []
    token = ""
    while True:
        page = house.call(name, _as, next_token=token, **fields)
        found += getattr(page, entries)
        token = page.next_token
        if not token:
            return found


def decided(house: House, _as: sigv4.Credentials | None = None, **fields: Any) -> bool:
    return bool(house.call("Authorize", _as, **fields).outcome == 1)


def own(effect: str, principal: Any, action: str = "orders:*", **more: Any) -> str:
    statement = {"Effect": effect, "Principal": principal, "Action": action, "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def register(house: House) -> list[str]:
    """Orders of two teams, of which some have policies of their own."""
    for number in range(12):
        tags = [{"key": "Team", "value": "red" if number % 3 else "blue"}]
        policies = {5: own("Deny", "*"), 6: own("Allow", {"AWS": user(house, "ann")}), 7: own("Allow", {"AWS": "999999999999"})}
        house.call("PutResource", resource_arn=order(house, number), tags=tags, resource_policy=policies.get(number))
    house.call("PutResource", resource_arn=f"arn:aws:orders:eu-west-1:{house.account_id}:shelf/1", tags=[{"key": "team", "value": "red"}])
    house.call("PutResource", resource_arn=f"arn:aws:parcels:eu-west-1:{house.account_id}:order/1", tags=[{"key": "team", "value": "red"}])
    return [order(house, number) for number in range(12)]
