"""Each way by which a service acts as a role: open to whoever has all that it takes, and closed by whatever should close it."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from sekisho import policy
from sekisho.policy import cases
from tests.escalations.paths import SERVICES, Path

ACCOUNT = "111122223333"
ADMIN = f"arn:aws:iam::{ACCOUNT}:role/admin"
Document = dict[str, Any]


def document(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def statement(effect: str, *actions: str, on: str = "*", when: Document | None = None) -> Document:
    return {"Effect": effect, "Action": list(actions), "Resource": on} | ({"Condition": when} if when else {})


def questions(path: Path) -> list[tuple[str, str, Document]]:
    """What the service asks before it acts as the role: action, resource, context."""
    asked: list[tuple[str, str, Document]] = [(action, "*", {}) for action in path.actions]
    return asked + ([("iam:PassRole", ADMIN, {"iam:PassedToService": [path.service]})] if path.service else [])


def needs(path: Path) -> list[str]:
    return [action for action, _, _ in questions(path)]


def denied(path: Path, *identity: Document, **layers: Any) -> list[str]:
    """The actions of a way that mallory is denied."""
    found = []
    for action, resource, context in questions(path):
        asked = {
            "principal": f"arn:aws:iam::{ACCOUNT}:user/mallory",
            "principal_type": "user",
            "action": action,
            "resource": resource,
            "resource_account": ACCOUNT,
            "context": context,
        }
        case = cases.read(json.dumps({"id": action, "request": asked, "identity_policies": list(identity), **layers}))
        if not policy.decide(case.request, case.layers).allowed:
            found.append(action)
    return found


ALL = document(statement("Allow", "*"))
passing = [name for name, path in SERVICES.items() if path.service]


def without(actions: Sequence[str], one: str) -> list[str]:
    return [action for action in actions if action != one]


@pytest.mark.parametrize("name", SERVICES)
def test_all_that_it_takes_opens_it(name: str) -> None:
    path = SERVICES[name]
    assert denied(path, document(statement("Allow", *needs(path)))) == []


@pytest.mark.parametrize("name", SERVICES)
def test_each_part_that_is_missing_closes_it(name: str) -> None:
    path = SERVICES[name]
    for one in dict.fromkeys(needs(path)):
        some = [statement("Allow", *rest)] if (rest := without(needs(path), one)) else [statement("Allow", "a:B")]
        limit = document({"Effect": "Allow", "NotAction": one, "Resource": "*"})
        assert denied(path, document(*some)) == [one]
        assert denied(path, ALL, permission_boundary=[limit]) == [one]
        assert denied(path, ALL, scps=[[ALL], [limit]]) == [one]
        assert denied(path, ALL, scps=[[ALL, document(statement("Deny", one))]]) == [one]
        assert denied(path, document(statement("Allow", "*"), statement("Deny", one))) == [one]
        assert denied(path, document(statement("Allow", one.replace(":", "x:"), *some[0]["Action"]))) == [one]


@pytest.mark.parametrize("name", passing)
@pytest.mark.parametrize("wanted", ["admin", "app/../admin", "apps/admin", "ADMIN"])
def test_a_role_of_another_path_is_not_passed(name: str, wanted: str) -> None:
    path = SERVICES[name]
    on = f"arn:aws:iam::{ACCOUNT}:role/{wanted if wanted != 'admin' else 'app/*'}"
    some = document(statement("Allow", *path.actions), statement("Allow", "iam:PassRole", on=on))
    assert denied(path, some) == ["iam:PassRole"]


@pytest.mark.parametrize("name", passing)
@pytest.mark.parametrize("operator", ["StringEquals", "StringLike", "StringEqualsIfExists", "ForAnyValue:StringEquals"])
def test_a_role_is_not_passed_to_another_service(name: str, operator: str) -> None:
    path = SERVICES[name]
    for service, left in (("other.amazonaws.com", ["iam:PassRole"]), (path.service, [])):
        when = {operator: {"iam:PassedToService": service}}
        assert denied(path, document(statement("Allow", *path.actions), statement("Allow", "iam:PassRole", when=when))) == left
    guard = statement("Deny", "iam:PassRole", on=ADMIN, when={"StringNotEquals": {"iam:PassedToService": "other.amazonaws.com"}})
    assert denied(path, document(statement("Allow", "*"), guard)) == ["iam:PassRole"]


@pytest.mark.parametrize("name", passing)
def test_passing_is_not_assuming(name: str) -> None:
    path = SERVICES[name]
    assert denied(path, document(statement("Allow", *path.actions, "sts:AssumeRole", "iam:GetRole"))) == ["iam:PassRole"]
