"""Tags of trails and event data stores; the keys differ by case."""

from collections.abc import Iterable, Sequence

from sqlalchemy import select

from sekisho.api.cloudtrail.v1 import tags_pb2 as pb
from sekisho.calls import pages as markers
from sekisho.calls import permission
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.cloudtrail import names, quotas, resources
from sekisho.services.cloudtrail.errors import (
    CloudTrailARNInvalid,
    InvalidParameter,
    InvalidTagParameter,
    InvalidToken,
    ResourceNotFound,
    ResourceTypeNotSupported,
    TagsLimitExceeded,
)
from sekisho.store import paging
from sekisho.store.tables import TrailTag
from sekisho.world import NO_KEYS


@operation
def add_tags(call: Call, request: pb.AddTagsRequest) -> pb.AddTagsResponse:
    """A key that is there already gets the new value."""
    put(call, _find(call, request.resource_id), request.tags_list)
    return pb.AddTagsResponse()


@operation
def remove_tags(call: Call, request: pb.RemoveTagsRequest) -> pb.RemoveTagsResponse:
    """By key, whatever value is given; a key that is not there is no error."""
    id_ = _find(call, request.resource_id)
    gone = {tag.key for tag in request.tags_list}
    for row in _rows(call, id_):
        if row.key in gone:
            call.session.delete(row)
    return pb.RemoveTagsResponse()


@operation
def list_tags(call: Call, request: pb.ListTagsRequest) -> pb.ListTagsResponse:
    """In the order of the request, each with all of its tags."""
    if len(request.resource_id_list) > quotas.LISTED:
        raise InvalidParameter(f"You can list the tags of up to {quotas.LISTED} resources.")
    for text in request.resource_id_list[1:]:
        permission.demand(call, call.operation.action, resources.of(call, text, "trail"), NO_KEYS)
    if request.next_token:  # all fits a page, so none was ever given
        try:
            markers.cursor(call, request, place="next_token", size="").open(request.next_token)
        except paging.InvalidMarker:
            raise InvalidToken("The specified token is not valid.") from None
    shown = []
    for text in request.resource_id_list:
        rows = _rows(call, _find(call, text))
        shown.append(pb.ResourceTag(resource_id=text, tags_list=[pb.Tag(key=row.key, value=row.value) for row in rows]))
    return pb.ListTagsResponse(resource_tag_list=shown)


def put(call: Call, id_: str, given: Iterable[pb.Tag]) -> None:
    """Give a resource tags, or other values of those that it has."""
    new: dict[str, str | None] = {}
    for tag in given:
        if tag.key.lower().startswith("aws:"):
            raise InvalidTagParameter("Tag keys cannot begin with aws:.")
        if tag.key in new:
            raise InvalidTagParameter("Tag keys must be unique.")
        new[tag.key] = tag.value if tag.HasField("value") else None
    old = {row.key: row for row in _rows(call, id_)}
    if len(old.keys() | new.keys()) > quotas.TAGS:
        raise TagsLimitExceeded(f"A resource can have up to {quotas.TAGS} tags.")
    for key, value in new.items():
        if key in old:
            old[key].value = value
        else:
            call.add(TrailTag(resource_id=id_, key=key, value=value))


def clear(call: Call, id_: str) -> None:
    """Take all tags from a resource that is about to go."""
    for row in _rows(call, id_):
        call.session.delete(row)


def _rows(call: Call, id_: str) -> Sequence[TrailTag]:
    return call.session.scalars(select(TrailTag).where(TrailTag.resource_id == id_).order_by(TrailTag.key)).all()


def _find(call: Call, text: str) -> str:
    """The id of what an ARN names in the caller's own account."""
    named = names.get_named(text)
    if named is None:
        raise CloudTrailARNInvalid(f"{text[:256]} is not a valid ARN of CloudTrail.")
    if named.kind not in ("trail", "eventdatastore"):
        raise ResourceTypeNotSupported(f"{named.kind} is not a type of resource that has tags here.")
    id_ = resources.get_id(call, named) if named.account_id == call.account_id else None
    if id_ is None:
        raise ResourceNotFound(f"Resource {text[:256]} does not exist.")
    return id_
