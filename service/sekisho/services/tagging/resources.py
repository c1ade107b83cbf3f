"""GetResources: registered resources, then entities of IAM, each in an order of their own, filtered in the database.

Source: https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Select, and_, exists, false, or_, select, tuple_

from sekisho import arn
from sekisho.api.tagging.v1 import resources_pb2 as pb
from sekisho.api.tagging.v1 import tags_pb2
from sekisho.calls import pages, tag_policies
from sekisho.calls import resources as registered
from sekisho.calls.call import Call
from sekisho.errors import SekishoError
from sekisho.operations import operation
from sekisho.services.tagging import entities
from sekisho.services.tagging.errors import InvalidParameter
from sekisho.store import paging
from sekisho.store.tables import Entity, RegisteredResource, ResourceTag, Tag
from sekisho.world import tag_policies as rules_of

Row = RegisteredResource | Entity

_PER_PAGE, _MOST_PER_PAGE = 50, 100
_TAGS_PER_PAGE = (100, 500)
_MOST_TYPES = 100
_TYPE = re.compile(r"[A-Za-z0-9.-]{1,63}(?::[A-Za-z0-9._-]{1,128})?")


@operation
def get_resources(call: Call, request: pb.GetResourcesRequest) -> pb.GetResourcesResponse:
    """Everything that is registered, and everything of IAM's that has tags or could have; of the latter AWS shows what ever had one."""
    _refuse_wrong(request)
    if request.resource_arn_list:
        rows, token = list(_named(call, request.resource_arn_list)), ""
    else:
        rows, token = _page(call, request)
    tags = {
        **registered.tags(call.session, [row for row in rows if isinstance(row, RegisteredResource)]),
        **entities.tags(call.session, [row for row in rows if isinstance(row, Entity)]),
    }
    if request.HasField("tags_per_page"):
        rows, token = _shortened(call, request, rows, token, tags)
    rules = tag_policies.rules(call) if request.include_compliance_details else {}
    shown = [_mapping(row, tags[row.id], rules, details=request.include_compliance_details) for row in rows]
    if request.exclude_compliant_resources:
        shown = [one for one in shown if not one.compliance_details.compliance_status]
    return pb.GetResourcesResponse(resource_tag_mapping_list=shown, pagination_token=token)


def _refuse_wrong(request: pb.GetResourcesRequest) -> None:
    filters = request.tag_filters or request.resource_type_filters
    sizes = request.HasField("resources_per_page") or request.HasField("tags_per_page")
    if request.resource_arn_list and (filters or sizes or request.pagination_token):
        raise InvalidParameter("ResourceARNList cannot be given with other filters, with page sizes or with a PaginationToken.")
    if request.HasField("resources_per_page") and not 1 <= request.resources_per_page <= _MOST_PER_PAGE:
        raise InvalidParameter(f"ResourcesPerPage is between 1 and {_MOST_PER_PAGE}.")
    if request.HasField("tags_per_page") and not _TAGS_PER_PAGE[0] <= request.tags_per_page <= _TAGS_PER_PAGE[1]:
        raise InvalidParameter(f"TagsPerPage is between {_TAGS_PER_PAGE[0]} and {_TAGS_PER_PAGE[1]}.")
    if request.exclude_compliant_resources and not request.include_compliance_details:
        raise InvalidParameter("ExcludeCompliantResources needs IncludeComplianceDetails.")
    if any(not one.HasField("key") for one in request.tag_filters):
        raise InvalidParameter("A filter of tags has a key.")
    if len(request.resource_type_filters) > _MOST_TYPES:
        raise InvalidParameter(f"There are at most {_MOST_TYPES} filters of types.")
    for text in request.resource_type_filters:
        if not _TYPE.fullmatch(text):
            raise InvalidParameter(f"`{text[:128]}` is not a type of resources: service, or service:type")


def _named(call: Call, named: Sequence[str]) -> Iterator[Row]:
    """What there is of these ARNs; the rest is left out."""
    for text in dict.fromkeys(named):
        try:
            of_iam = arn.entity(text)
            found: Row | None = registered.get(call, text) if of_iam is None else entities.find(call, text)
        except SekishoError:  # not the caller's, or nobody's
            continue
        if found is not None:
            yield found


def _page(call: Call, request: pb.GetResourcesRequest) -> tuple[list[Row], str]:
    """A page, and the token of the next; a token holds the place of the source, and the key of its last row."""
    most = request.resources_per_page or _PER_PAGE
    cursor = _cursor(call, request)
    try:
        source, *after = cursor.open(request.pagination_token) if request.pagination_token else [0]
    except paging.InvalidMarker:
        raise InvalidParameter("The PaginationToken is not one that this list has given.") from None
    rows: list[Row] = []
    for query, key in (_resources(call, request), _entities(call, request))[source:]:
        if after:
            query = query.where(tuple_(*key) > tuple_(*after))
        rows += call.session.scalars(query.order_by(*key).limit(most + 1 - len(rows))).all()
        after = []
        if len(rows) > most:
            break
    return rows[:most], cursor.marker(_place(rows[most - 1])) if len(rows) > most else ""


def _cursor(call: Call, request: pb.GetResourcesRequest) -> paging.Cursor:
    return pages.cursor(call, request, place="pagination_token", size="resources_per_page")


def _place(row: Row) -> list[Any]:
    if isinstance(row, RegisteredResource):
        return [0, row.service, row.type, row.id]
    return [1, row.kind, row.name_key]


def _shortened(
    call: Call, request: pb.GetResourcesRequest, rows: list[Row], token: str, tags: Mapping[str, Mapping[str, str]]
) -> tuple[list[Row], str]:
    """The first rows, as far as they have not more tags together than the request wants; at least one."""
    count = 0
    for index, row in enumerate(rows):
        count += len(tags[row.id])
        if count > request.tags_per_page and index:
            return rows[:index], _cursor(call, request).marker(_place(rows[index - 1]))
    return rows, token


def _resources(call: Call, request: pb.GetResourcesRequest) -> tuple[Select[Any], list[Any]]:
    table = RegisteredResource
    query: Select[Any] = select(table).where(table.account_id == call.account_id)
    if request.resource_type_filters:
        wanted = [text.partition(":") for text in request.resource_type_filters]
        query = query.where(
            or_(*(and_(table.service == one, table.type == type_) if type_ else table.service == one for one, _, type_ in wanted))
        )
    for one in request.tag_filters:
        same = (ResourceTag.account_id == call.account_id, ResourceTag.resource_id == table.id, ResourceTag.key == one.key)
        query = query.where(exists().where(*same, *((ResourceTag.value.in_(one.values),) if one.values else ())))
    return query, [table.service, table.type, table.id]


def _entities(call: Call, request: pb.GetResourcesRequest) -> tuple[Select[Any], list[Any]]:
    query: Select[Any] = entities.taggable(call.account_id)
    if request.resource_type_filters:
        wanted = [text.partition(":") for text in request.resource_type_filters]
        kinds = [kind for service, _, kind in wanted if service == "iam"]
        if "" not in kinds:
            query = query.where(Entity.kind.in_(kinds) if kinds else false())
    for one in request.tag_filters:
        same = (Tag.owner_id == Entity.id, Tag.key == one.key)
        query = query.where(exists().where(*same, *((Tag.value.in_(one.values),) if one.values else ())))
    return query, [Entity.kind, Entity.name_key]


def _mapping(row: Row, tags: Mapping[str, str], rules: Mapping[str, Any], *, details: bool) -> pb.ResourceTagMapping:
    named = row.arn if isinstance(row, RegisteredResource) else entities.arn_of(row)
    shown = pb.ResourceTagMapping(resource_arn=named, tags=[tags_pb2.Tag(key=key, value=value) for key, value in tags.items()])
    if details:
        keys, values = rules_of.breaches(rules, tags.items())
        shown.compliance_details.noncompliant_keys.extend(keys)
        shown.compliance_details.keys_with_noncompliant_values.extend(values)
        shown.compliance_details.compliance_status = not keys and not values
    return shown
