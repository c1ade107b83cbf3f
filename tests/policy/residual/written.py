"""Statements and plans as tests write them: what a plan comes to, as its JSON has it."""

import json
from typing import Any

from sekisho import policy
from sekisho.policy import residual
from sekisho.policy.residual import ANY, RUN, Resources

ANN = policy.Principal("user", "arn:aws:iam::111122223333:user/ann", "111122223333", unique_id="AIDAANN")
ROLE = policy.Principal(
    "assumed-role", "arn:aws:sts::111122223333:assumed-role/r/s", "111122223333", role_arn="arn:aws:iam::111122223333:role/r"
)
ROOT = policy.Principal("root", "arn:aws:iam::111122223333:root", "111122223333")
SERVICE = policy.Principal("service", "orders.example.com", "")
SCOPE: residual.Shape = ("arn:aws:orders:", RUN, ":111122223333:order/", ANY)
RED = {"StringEquals": {"aws:ResourceTag/team": "red"}}
IS_RED = {"tag_in": {"key": "team", "texts": ["red"], "ignoring_case": False}}
BLUE = {"StringEquals": {"aws:ResourceTag/team": "blue"}}
IS_BLUE = {"tag_in": {"key": "team", "texts": ["blue"], "ignoring_case": False}}
EMPTY = {"tag_in": {"key": "team", "texts": [""], "ignoring_case": False}}
EXISTS: dict[str, Any] = {"tag_exists": "team"}


def tag_in(*texts: str, key: str = "team", any_case: bool = False) -> Any:
    return {"tag_in": {"key": key, "texts": list(texts), "ignoring_case": any_case}}


def arn_like(*parts: Any) -> Any:
    return {"arn_like": [part if isinstance(part, str) else {"wildcard": part.value} for part in parts]}


def tag_like(*parts: Any) -> Any:
    return {"tag_like": {"key": "team", "pattern": arn_like(*parts)["arn_like"]}}


def arn_is(*parts: Any, open_end: bool = False) -> Any:
    return {"arn_is": {"parts": list(parts), "open_end": open_end}}


def no(node: Any) -> Any:
    return {"negated": node}


def every(*nodes: Any) -> Any:
    return {"all_of": list(nodes)}


def some(*nodes: Any) -> Any:
    return {"some_of": list(nodes)}


def statement(effect: str = "Allow", when: Any = None, on: Any = "*", **more: Any) -> dict[str, Any]:
    made = {"Effect": effect, "Action": "orders:*", "Resource": on, **more}
    return {**made, "Condition": when} if when else made


def attached(*statements: dict[str, Any]) -> policy.Attached:
    return policy.Attached(policy.compile_policy(policy.from_json({"Version": "2012-10-17", "Statement": list(statements)})))


def planned(
    layers: policy.Layers,
    principal: policy.Principal = ANN,
    action: str = "orders:Get",
    owner: str = "111122223333",
    scopes: tuple[residual.Shape, ...] = (SCOPE,),
    prefixes: tuple[str, ...] = ("aws",),
    **context: str | tuple[str, ...],
) -> residual.Plan:
    keys = {key.replace("__", ":").replace("_", "/"): value for key, value in context.items()}
    request = policy.Request(principal, action, "", owner, policy.Context(keys))
    return residual.plan(request, layers, Resources(scopes, prefixes))


def condition(*statements: dict[str, Any], **options: Any) -> Any:
    """The condition of a plan by identity policies alone, as JSON."""
    return json.loads(residual.to_json(planned(policy.Layers(identity=(attached(*statements),)), **options)))["condition"]


NEVER: Any = {"ForAnyValue:StringEquals": {"aws:ResourceTag/team": []}}


def full() -> policy.Attached:
    return attached(statement())


def of_resource(*statements: dict[str, Any], who: Any = "*") -> policy.Attached:
    return attached(*({**one, "Principal": who} for one in statements))
