"""Each operation by which permissions are won: mallory is not permitted it without the permission itself, and nothing changes."""

import json
from typing import Any

import pytest

from sekisho.errors import SekishoError
from tests.escalations import paths
from tests.harness import House
from tests.services.conftest import Refused, house, refused, shared  # noqa: F401  # fixtures, found by their names here
from tests.services.iam.documents import allow

pytestmark = pytest.mark.parametrize("shared", ["sqlite"], indirect=True)  # who is refused does not depend on the database

NAMES = sorted(paths.operations("111122223333"))
OF_STS = ("AssumeRole",)
"""The others are of IAM."""


def action(name: str) -> str:
    return ("sts:" if name in OF_STS else "iam:") + name


def fields(house: House, name: str) -> dict[str, Any]:  # noqa: F811  # the fixture's name is the right one
    return paths.operations(house.account_id)[name]


def newest(house: House) -> int:  # noqa: F811
    """The number of the newest revision."""
    house.call("GetUser")
    return house.node.world.point.number


def attempts(house: House, refused: Refused, name: str, *documents: str, **options: Any) -> None:  # noqa: F811
    """Be refused, as mallory with these policies, and leave no revision."""
    mallory = house.user("mallory", *documents, **options)
    before = newest(house)
    code, message = refused(name, _as=mallory, **fields(house, name))
    assert (code, action(name) in message) == ("AccessDenied", True)
    assert newest(house) == before


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_permitted_is_not_done(house: House, refused: Refused, name: str) -> None:  # noqa: F811
    others = sorted({action(other) for other in NAMES} - {action(name)})
    attempts(house, refused, name, allow("iam:Get*", "iam:List*", "sts:GetCallerIdentity"), allow(*others[::2]), allow(*others[1::2]))


@pytest.mark.parametrize("name", NAMES)
def test_what_a_boundary_leaves_out_is_not_done(house: House, refused: Refused, name: str) -> None:  # noqa: F811
    limits = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "NotAction": action(name), "Resource": "*"}]}
    bound = house.call("CreatePolicy", policy_name="bound", policy_document=json.dumps(limits)).policy.arn
    attempts(house, refused, name, allow("*"), permissions_boundary=bound)


@pytest.mark.parametrize("name", NAMES)
def test_a_permission_on_other_things_does_not_do(house: House, refused: Refused, name: str) -> None:  # noqa: F811
    attempts(house, refused, name, allow(action(name), on=f"arn:aws:iam::{house.account_id}:*/elsewhere/*"))


@pytest.mark.parametrize("name", NAMES)
def test_with_the_permission_it_is_not_denied(house: House, name: str) -> None:  # noqa: F811
    """Otherwise the attempts would prove nothing; many fail all the same, for what they name is not there."""
    mallory = house.user("mallory", allow("*"))
    code = "ok"
    try:
        house.call(name, _as=mallory, **fields(house, name))
    except SekishoError as error:
        code = error.code
    assert (code == "AccessDenied") == (name in OF_STS)  # whose role trusts nobody
