"""The user of a request that names none: the one who calls, if it is one."""

from types import SimpleNamespace
from typing import Any

import pytest

from sekisho import arn
from sekisho.api.iam.v1 import access_keys_pb2 as pb
from sekisho.errors import SekishoError
from sekisho.operations import Resource
from sekisho.services.iam import access_keys, users
from sekisho.store.tables import AccessKey, Entity, Root, User
from sekisho.world import EntityRecord
from tests.calls.fakes import ACCOUNT, NOW, OTHER

ROOT, ANN = f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:iam::{ACCOUNT}:user/x/Ann"
RECORD = EntityRecord("AIDAANN", ACCOUNT, "user", "Ann", "/x/", ANN, NOW, {"k": "v"})
ROW = User(id="AIDAANN", account_id=ACCOUNT, name="Ann", name_key="ann", path="/x/")
ROOT_ROW = Root(id=ACCOUNT, account_id=ACCOUNT, name="root", name_key="root")
NOBODY = "Must specify userName when calling with non-User credentials"


def calling(kind: str, **keys: Any) -> Any:
    """A call by somebody, in an account with the user Ann and two keys."""
    rows: dict[Any, Any] = {
        (AccessKey, f"AKIA{name}"): AccessKey(id=f"AKIA{name}", account_id=ACCOUNT, owner_id=owner)
        for name, owner in (("ANN", "AIDAANN"), ("ROOT", ACCOUNT))
    }
    rows |= {(AccessKey, "AKIAOTHER"): AccessKey(id="AKIAOTHER", account_id=OTHER, owner_id=OTHER), (Root, ACCOUNT): ROOT_ROW}
    rows |= {(Entity, "AIDAANN"): ROW, (Entity, ACCOUNT): ROOT_ROW}
    return SimpleNamespace(
        account_id=ACCOUNT,
        caller=SimpleNamespace(principal=SimpleNamespace(kind=kind), arn=ROOT, keys=keys),
        entity=lambda kind, name: RECORD if (kind, name.lower()) == ("user", "ann") else None,
        row=lambda table, name: ROW if name.lower() == "ann" else None,
        session=SimpleNamespace(get=lambda table, key: rows.get((table, key))),
    )


@pytest.mark.parametrize(
    ("kind", "keys", "name", "expected"),
    [
        ("root", {}, "", Resource(ROOT)),
        ("root", {}, "ann", Resource(ANN, {"k": "v"}, named=arn.iam(ACCOUNT, "user", "ann"))),
        ("user", {"aws:username": "Ann"}, "", Resource(ANN, {"k": "v"})),
        ("user", {"aws:username": "Ann"}, "none", Resource(arn.iam(ACCOUNT, "user", "none"))),
        ("assumed-role", {}, "", Resource(arn.iam(ACCOUNT, "user", ""))),
    ],
)
def test_the_resource_of_whoever_is_meant(kind: str, keys: dict[str, str], name: str, expected: Resource) -> None:
    assert users.user(calling(kind, **keys), pb.ListAccessKeysRequest(user_name=name), "user_name") == expected


@pytest.mark.parametrize(
    ("kind", "keys", "name", "expected"),
    [
        ("root", {}, "", ROOT_ROW),
        ("root", {}, "ann", ROW),
        ("user", {"aws:username": "Ann"}, "", ROW),
        ("assumed-role", {}, "ann", ROW),
        ("assumed-role", {}, "", None),
        ("user", {"aws:username": ("Ann", "Bob")}, "", None),
    ],
)
def test_the_user_or_root_user_who_is_meant(kind: str, keys: dict[str, Any], name: str, expected: Any) -> None:
    if expected is None:
        with pytest.raises(SekishoError) as caught:
            users.find_named_or_own(calling(kind, **keys), name)
        assert (caught.value.code, caught.value.message) == ("ValidationError", NOBODY)
    else:
        assert users.find_named_or_own(calling(kind, **keys), name) is expected
        assert users.shown_name(expected) == (None if expected is ROOT_ROW else "Ann")


@pytest.mark.parametrize(
    ("id_", "expected"),
    [
        ("AKIAANN", Resource(ANN, {"k": "v"}, named="access key AKIAANN")),
        ("AKIAROOT", Resource(arn.iam(ACCOUNT, "user", ""), named="access key AKIAROOT")),
        ("AKIAOTHER", Resource(arn.iam(ACCOUNT, "user", ""), named="access key AKIAOTHER")),
        ("AKIANONE", Resource(arn.iam(ACCOUNT, "user", ""), named="access key AKIANONE")),
    ],
)
def test_the_resource_of_a_key_is_the_user_who_has_it(id_: str, expected: Resource) -> None:
    request = pb.GetAccessKeyLastUsedRequest(access_key_id=id_)
    assert access_keys.access_key(calling("root"), request, "access_key_id") == expected
