"""Units: names, depth, what hangs where."""

import re

from tests.services.organizations.conftest import Failing
from tests.services.organizations.tree import Organization


def test_a_unit_has_the_roots_characters_in_its_id_and_a_path(org: Organization) -> None:
    made = org("CreateOrganizationalUnit", parent_id=org.root_id, name="dev").organizational_unit
    stem = org.root_id.removeprefix("r-")
    assert re.fullmatch(f"ou-{stem}-[a-z0-9]{{8}}", made.id)
    assert made.arn == f"arn:aws:organizations::{org.management}:ou/{org.id}/{made.id}"
    assert (made.name, made.path) == ("dev", f"{org.id}/{org.root_id}/{made.id}/")
    assert org("DescribeOrganizationalUnit", organizational_unit_id=made.id).organizational_unit == made
    inner = org.unit("inner", made.id)
    found = org("DescribeOrganizationalUnit", organizational_unit_id=inner).organizational_unit
    assert found.path == f"{org.id}/{org.root_id}/{made.id}/{inner}/"


def test_names_are_unique_beneath_a_parent(org: Organization, failing: Failing) -> None:
    dev = org.unit("dev")
    other = org.unit("other")
    org.unit("dev", dev)
    assert failing("CreateOrganizationalUnit", parent_id=org.root_id, name="dev")[0] == "DuplicateOrganizationalUnit"
    assert failing("UpdateOrganizationalUnit", organizational_unit_id=other, name="dev")[0] == "DuplicateOrganizationalUnit"
    assert org("UpdateOrganizationalUnit", organizational_unit_id=dev, name="dev").organizational_unit.name == "dev"
    assert org("UpdateOrganizationalUnit", organizational_unit_id=dev, name="Dev").organizational_unit.name == "Dev"


def test_units_are_nested_five_deep(org: Organization, failing: Failing) -> None:
    at = org.root_id
    for level in range(5):
        at = org.unit(f"level-{level}", at)
    assert failing("CreateOrganizationalUnit", parent_id=at, name="deeper") == ("ConstraintViolation", "OU_DEPTH_LIMIT_EXCEEDED")


def test_only_an_empty_unit_is_deleted(org: Organization, failing: Failing) -> None:
    outer = org.unit("outer")
    inner = org.unit("inner", outer)
    member = org.account(parent=inner)
    assert failing("DeleteOrganizationalUnit", organizational_unit_id=outer)[0] == "OrganizationalUnitNotEmpty"
    assert failing("DeleteOrganizationalUnit", organizational_unit_id=inner)[0] == "OrganizationalUnitNotEmpty"
    org("MoveAccount", account_id=member, source_parent_id=inner, destination_parent_id=org.root_id)
    for unit in (inner, outer):
        org("DeleteOrganizationalUnit", organizational_unit_id=unit)
    assert failing("DescribeOrganizationalUnit", organizational_unit_id=inner)[0] == "OrganizationalUnitNotFound"


def test_children_and_parents_find_each_other(org: Organization, failing: Failing) -> None:
    outer = org.unit("outer")
    inner = org.unit("inner", outer)
    member = org.account(parent=outer)
    units = org("ListChildren", parent_id=outer, child_type="ORGANIZATIONAL_UNIT").children
    assert [(child.id, child.type) for child in units] == [(inner, "ORGANIZATIONAL_UNIT")]
    accounts = org("ListChildren", parent_id=outer, child_type="ACCOUNT").children
    assert [(child.id, child.type) for child in accounts] == [(member, "ACCOUNT")]
    assert [(found.id, found.type) for found in org("ListParents", child_id=member).parents] == [(outer, "ORGANIZATIONAL_UNIT")]
    assert [(found.id, found.type) for found in org("ListParents", child_id=outer).parents] == [(org.root_id, "ROOT")]
    assert [account.id for account in org("ListAccountsForParent", parent_id=outer).accounts] == [member]
    assert [unit.name for unit in org("ListOrganizationalUnitsForParent", parent_id=org.root_id).organizational_units] == ["outer"]
    absent = "ou-abcd-12345678"
    assert failing("ListParents", child_id=absent)[0] == "ChildNotFound"
    assert failing("ListParents", child_id="123456789012")[0] == "ChildNotFound"
    for name in ("ListAccountsForParent", "ListOrganizationalUnitsForParent"):
        assert failing(name, parent_id=absent)[0] == "ParentNotFound"
    assert failing("ListChildren", parent_id=absent, child_type="ACCOUNT")[0] == "ParentNotFound"
    assert failing("CreateOrganizationalUnit", parent_id=absent, name="u")[0] == "ParentNotFound"


def test_lists_are_paged(org: Organization, failing: Failing) -> None:
    units = sorted(org.unit(f"unit-{number:02}") for number in range(5))
    seen, token = [], None
    while True:
        page = org("ListOrganizationalUnitsForParent", parent_id=org.root_id, max_results=2, next_token=token)
        seen.append([unit.id for unit in page.organizational_units])
        token = page.next_token
        if not page.HasField("next_token"):
            break
    assert seen == [units[:2], units[2:4], units[4:]]
    first = org("ListOrganizationalUnitsForParent", parent_id=org.root_id, max_results=2).next_token
    other = failing("ListChildren", parent_id=org.root_id, child_type="ORGANIZATIONAL_UNIT", next_token=first)
    assert other == ("InvalidInput", "INVALID_NEXT_TOKEN")
    assert failing("ListRoots", next_token="x") == ("InvalidInput", "INVALID_NEXT_TOKEN")
