"""The rules of tag policies, as they are on the way from the root to an account."""

import json
from typing import Any

import pytest

from sekisho.errors import Unavailable
from sekisho.world import AccountRecord, Record, TagPolicyRecord, UnitRecord, tag_policies

ROOT, DEV, MEMBER = "r-root", "ou-root-dev", "111122223333"


def rule(**said: Any) -> dict[str, Any]:
    return {"tags": {"costcenter": {name: {"@@assign": value} for name, value in said.items()}}}


def world(*, root: dict[str, Any] | None = None, dev: dict[str, Any] | None = None, own: dict[str, Any] | None = None) -> dict[str, Record]:
    """An account beneath a unit, with a policy at each level where there is one."""
    given = {"p-root": root, "p-dev": dev, "p-own": own}
    ids = {id_: (id_,) if document is not None else () for id_, document in given.items()}
    types = frozenset({"TAG_POLICY"})
    records: dict[str, Record] = {
        ROOT: UnitRecord(ROOT, "o-a", types=types, tag_policy_ids=ids["p-root"]),
        DEV: UnitRecord(DEV, "o-a", ROOT, tag_policy_ids=ids["p-dev"]),
        MEMBER: AccountRecord(MEMBER, "ACTIVE", DEV, tag_policy_ids=ids["p-own"]),
    }
    return records | {id_: TagPolicyRecord(id_, json.dumps(document)) for id_, document in given.items() if document is not None}


def fault(records: dict[str, Record], type_: str, key: str, value: str) -> str:
    account = records[MEMBER]
    assert isinstance(account, AccountRecord)
    return tag_policies.fault(tag_policies.effective(account, records.get), type_, [("other", "x"), (key, value)])


CAPITALS = "The tag policy does not allow the specified capitalization for the following tag key: '{}'."
VALUE = "The tag policy does not allow the specified value for the following tag key: '{}'."
SPELLED = rule(tag_key="CostCenter", tag_value=["100", "2*0", "*@example.com"], enforced_for=["iam:role", "shop:*", "port:ALL_SUPPORTED"])


@pytest.mark.parametrize(
    ("type_", "key", "value", "said"),
    [
        ("iam:role", "CostCenter", "100", ""),
        ("iam:role", "CostCenter", "101", VALUE),
        ("iam:role", "costcenter", "100", CAPITALS),
        ("iam:role", "Costcenter", "101", CAPITALS),
        ("iam:role", "CostCenters", "101", ""),
        ("iam:user", "costcenter", "101", ""),
        ("shop:order", "CostCenter", "101", VALUE),
        ("port:ship", "CostCenter", "101", VALUE),
        ("shops:order", "CostCenter", "101", ""),
        ("iam:role", "CostCenter", "20", ""),
        ("iam:role", "CostCenter", "2-anything-0", ""),
        ("iam:role", "CostCenter", "2", VALUE),
        ("iam:role", "CostCenter", "ann@example.com", ""),
        ("iam:role", "CostCenter", "ann@example.com.org", VALUE),
        ("iam:role", "CostCenter", "", VALUE),
    ],
)
def test_what_is_enforced_is_key_and_value(type_: str, key: str, value: str, said: str) -> None:
    assert fault(world(dev=SPELLED), type_, key, value) == said.format(key)


def test_a_key_without_a_spelling_is_in_lower_case_and_without_values_has_any() -> None:
    records = world(root=rule(enforced_for=["iam:role"]))
    assert fault(records, "iam:role", "costcenter", "whatever") == ""
    assert fault(records, "iam:role", "CostCenter", "whatever") == CAPITALS.format("CostCenter")


def test_levels_come_together() -> None:
    more = {"tags": {"costcenter": {"tag_value": {"@@append": ["500"]}, "enforced_for": {"@@assign": ["iam:user"]}}}}
    records = world(root=SPELLED, own=more)
    assert fault(records, "iam:user", "CostCenter", "500") == ""
    assert fault(records, "iam:user", "CostCenter", "600") == VALUE.format("CostCenter")
    assert fault(records, "iam:role", "CostCenter", "600") == ""
    assert fault(world(root=SPELLED), "iam:role", "CostCenter", "500") == VALUE.format("CostCenter")


def test_without_the_type_in_force_or_an_organization_there_are_no_rules() -> None:
    records = world(root=SPELLED)
    records[ROOT] = UnitRecord(ROOT, "o-a", tag_policy_ids=("p-root",))
    assert fault(records, "iam:role", "CostCenter", "600") == ""
    assert tag_policies.effective(AccountRecord(MEMBER, "ACTIVE"), records.get) == {}
    assert tag_policies.effective(AccountRecord(MEMBER, "ACTIVE", ROOT), world().get) == {}


def test_a_policy_that_cannot_be_loaded_is_not_guessed() -> None:
    records = world(root=SPELLED)
    del records["p-root"]
    with pytest.raises(Unavailable):
        fault(records, "iam:role", "CostCenter", "100")
