"""Answers have the members that AWS's have, and no others: the table holds for every operation, in every protocol.

Sources: the rows' own. `recorded` are answers of AWS that LocalStack's tests recorded and publish beside them, in `*.snapshot.json`.
"""

from typing import Any

import pytest
from botocore import xform_name

from sekisho.edges.aws.services import Router
from sekisho.edges.aws.wire import Route
from sekisho.operations import OPERATIONS
from tests.wire import presence, shapes
from tests.wire.operations import operations

ROUTES = {f"{route.service.package}:{route.name}": route for route in Router(OPERATIONS.values()).routes() if route.answered is not None}
SOURCES = ("https://docs.aws.amazon.com/", "recorded 20")


def shape_of(row: presence.Row) -> Any:
    """The shape of a row's member; KeyError when AWS has none."""
    shape = shapes.model(row.service).operation_model(row.operation).output_shape
    for name in row.member.split("."):
        shape = (shape.member if shape.type_name == "list" else shape.value if shape.type_name == "map" else shape).members[name]
    return shape


@pytest.mark.parametrize("row", presence.rows(), ids=lambda row: f"{row.operation}-{row.member}-{row.when}")
def test_a_row_is_about_a_member_that_aws_has(row: presence.Row) -> None:
    assert row.when in ("empty", "absent", "never")
    assert row.when == "never" or shape_of(row).type_name in ("list", "map")
    assert row.when != "absent" or "." not in row.member
    assert shape_of(row) is not None
    assert row.source.startswith(SOURCES)
    assert f"{row.service}:{row.operation}" in ROUTES


def test_a_member_has_one_row_and_rows_are_in_order() -> None:
    keys = [row[:3] for row in presence.rows()]
    assert keys == sorted(set(keys))


@pytest.mark.parametrize("name", ROUTES)
def test_empty_lists_are_sent_where_the_table_or_the_model_says_so(name: str) -> None:
    """An answer with every structure, and nothing in any of them: botocore finds the lists that are expected, and no others."""
    route = ROUTES[name]
    service, name = route.service.model, route.name
    shape = shapes.model(service).operation_model(name).output_shape
    assert route.answered is not None
    operation, codec = route.answered
    bare = shapes.fill(operation.response(), hollow(shape, operation.response.DESCRIPTOR) if shape is not None else {})
    parsed = shapes.response(service, name, codec.write(bare, "request-1"))
    del parsed["ResponseMetadata"]
    assert parsed == (expected(service, name, shape, operation.response.DESCRIPTOR) if shape is not None else {})


def members(shape: Any) -> list[tuple[str, Any]]:
    """The members of a structure; of a union, which has one of them, the first structure."""
    found = list(shape.members.items())
    return [one for one in found if one[1].type_name == "structure"][:1] if shape.is_tagged_union else found


def hollow(shape: Any, message: Any, depth: int = 0) -> dict[str, Any]:
    """A value in which structures, and lists of structures, hold one that is empty but for the same."""
    made: dict[str, Any] = {}
    for name, inner in members(shape):
        field = message.fields_by_name.get(xform_name(name))
        item = inner.member if inner.type_name == "list" else inner
        if field is not None and item.type_name == "structure" and depth < shapes.DEEPEST:
            value = hollow(item, field.message_type, depth + 1)
            made[name] = [value] if inner.type_name == "list" else value
    return made


def expected(service: str, operation: str, shape: Any, message: Any) -> dict[str, Any]:
    """What botocore makes of that, after the model and the table."""
    words = {when: presence.members(service, operation, when) for when in ("empty", "absent", "never")}

    def of(inner: Any, ours: Any, path: str, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, member in members(inner):
            field, at = ours.fields_by_name.get(xform_name(name)), f"{path}{name}"
            if field is None or at in words["never"]:
                continue
            item = member.member if member.type_name == "list" else member
            if item.type_name == "structure" and depth < shapes.DEEPEST:
                value = of(item, field.message_type, f"{at}.", depth + 1)
                made[name] = [value] if member.type_name == "list" else value
            elif member.type_name in ("list", "map"):
                usual = not path or name in inner.required_members
                if at in words["empty"] or (usual and at not in words["absent"]):
                    made[name] = {} if member.type_name == "map" else []
        return made

    return of(shape, message, "", 0)


FOREIGN: list[Route] = [
    route
    for route in Router(operations("organizations", ["DescribeOrganization"]) + operations("accessanalyzer", ["ListFindings"])).routes()
    if route.answered is not None
]


@pytest.mark.parametrize("route", FOREIGN, ids=lambda route: route.name)
def test_the_table_holds_in_the_protocols_of_json(route: Route, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those protocols have no row yet; so they are given some."""
    from sekisho.edges.aws import presence as table

    rows = {
        "DescribeOrganization": table.Presence(frozenset({(("Organization", "AvailablePolicyTypes"), "empty")})),
        "ListFindings": table.Presence(frozenset({(("findings", "sources"), "empty"), (("nextToken",), "never")})),
    }
    monkeypatch.setattr(table, "of", lambda _, operation: rows[operation])
    assert route.answered is not None
    operation, _ = route.answered
    (again,) = [made for made in Router([operation]).routes() if made.answered is not None]
    assert again.answered is not None
    value: dict[str, Any] = (
        {"Organization": {"Id": "o-1"}} if route.name == "DescribeOrganization" else {"findings": [{}], "nextToken": "n"}
    )
    service = "organizations" if route.name == "DescribeOrganization" else "accessanalyzer"
    parsed = shapes.response(service, route.name, again.answered[1].write(shapes.fill(operation.response(), value), "request-1"))
    del parsed["ResponseMetadata"]
    lists: dict[str, Any] = {
        "DescribeOrganization": {"Organization": {"Id": "o-1", "AvailablePolicyTypes": []}},
        "ListFindings": {"findings": [{"sources": []}]},
    }
    assert without_required(parsed, route.name) == lists[route.name]


def without_required(parsed: Any, name: str) -> Any:
    """A finding's required lists are sent empty by the model's own rule; they are not what is asked about here."""
    if name != "ListFindings":
        return parsed
    return {"findings": [{key: inner for key, inner in one.items() if key == "sources"} for one in parsed["findings"]]}
