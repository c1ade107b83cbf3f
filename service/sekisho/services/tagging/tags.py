"""Keys and values of tags, and tagging up to 20 things at once, whatever they are."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select

from sekisho import arn
from sekisho.api.tagging.v1 import tags_pb2 as pb
from sekisho.calls import pages, permission, request_keys, tag_policies
from sekisho.calls import resources as registered
from sekisho.calls.call import Call
from sekisho.errors import DeadlineExceeded, Internal, SekishoError, TagPolicyViolation, Unavailable
from sekisho.operations import Resource, operation
from sekisho.services.tagging import entities
from sekisho.services.tagging.errors import InvalidParameter
from sekisho.store import paging
from sekisho.store.tables import Entity, ResourceTag, Tag

_PAGE = 100
"""Keys or values of a page: each is looked up by itself, at one price however many tags there are."""


@operation
def get_tag_keys(call: Call, request: pb.GetTagKeysRequest) -> pb.GetTagKeysResponse:
    """Each once, in order."""
    found, token = _distinct(call, request, ResourceTag.key, Tag.key, ())
    return pb.GetTagKeysResponse(tag_keys=found, pagination_token=token)


@operation
def get_tag_values(call: Call, request: pb.GetTagValuesRequest) -> pb.GetTagValuesResponse:
    """Each once, in order."""
    found, token = _distinct(call, request, ResourceTag.value, Tag.value, (ResourceTag.key == request.key, Tag.key == request.key))
    return pb.GetTagValuesResponse(tag_values=found, pagination_token=token)


@operation
def tag_resources(call: Call, request: pb.TagResourcesRequest) -> pb.TagResourcesResponse:
    """What cannot be tagged is in the answer with its reason; everything else is tagged."""
    given = dict(request.tags)
    keys = request_keys.of_request(request)

    def tag(text: str) -> None:
        found = _permitted(call, text, "Tag", keys)
        registered.refuse_wrong(given)
        if said := tag_policies.fault(call, tag_policies.type_of(text), given.items()):
            raise TagPolicyViolation(said)
        if isinstance(found, Entity):
            entities.put_tags(call, found, given)
        else:
            registered.put_tags(call, registered.find(call, text), given)

    return pb.TagResourcesResponse(failed_resources_map=_each(request.resource_arn_list, tag))


@operation
def untag_resources(call: Call, request: pb.UntagResourcesRequest) -> pb.UntagResourcesResponse:
    """A key that a thing does not have is no error."""
    keys = request_keys.of_request(request)

    def untag(text: str) -> None:
        found = _permitted(call, text, "Untag", keys)
        if isinstance(found, Entity):
            entities.remove_tags(call, found, request.tag_keys)
        else:
            registered.remove_tags(call, registered.find(call, text), request.tag_keys)

    return pb.UntagResourcesResponse(failed_resources_map=_each(request.resource_arn_list, untag))


def _permitted(call: Call, text: str, verb: str, keys: Mapping[str, Any]) -> Entity | None:
    """The entity of an ARN of IAM's, None for any other ARN; AccessDenied unless the caller may do this to it, by its service's own action,
    which comes before NoSuchResource.
    """
    named = arn.entity(text)
    if named is None or named.kind not in entities.ACTIONS:
        _demand(call, f"resource:{verb}Resources", registered.as_resource(call, text), keys)
        return None
    row, error = None, None
    try:
        row = entities.find(call, text)
    except registered.NoSuchResource as caught:
        error = caught
    _demand(call, f"iam:{verb}{entities.ACTIONS[named.kind]}", entities.as_resource(call, row) if row is not None else Resource(text), keys)
    if error is not None:
        raise error
    return row


def _demand(call: Call, action: str, found: Resource, keys: Mapping[str, Any]) -> None:
    permission.demand(call, action, found, keys)
    call.resources += (found,)


def _each(named: Iterable[str], do: Callable[[str], None]) -> dict[str, pb.FailureInfo]:
    """Do something to each, once; why it failed, by the ARNs for which it did. A failure of ours is one of the call."""
    failed = {}
    for text in dict.fromkeys(named):
        try:
            do(text)
        except (Unavailable, DeadlineExceeded, Internal):
            raise
        except SekishoError as error:
            # AWS's shape has two codes: this one, and one for failures of the service.
            failed[text] = pb.FailureInfo(status_code=error.http, error_code="InvalidParameterException", error_message=error.message)
    return failed


def _distinct(call: Call, request: Any, ours: Any, of_entities: Any, conditions: Sequence[Any]) -> tuple[list[str], str]:
    """A page of the different texts in a column of registered resources' tags and of entities' tags, and the token of the next one."""
    cursor = pages.cursor(call, request, place="pagination_token", size="")
    try:
        after = str(cursor.open(request.pagination_token)[0]) if request.pagination_token else None
    except paging.InvalidMarker:
        raise InvalidParameter("The PaginationToken is not one that this list has given.") from None
    own = select(of_entities).join(Entity, Entity.id == Tag.owner_id).where(Entity.account_id == call.account_id)
    own = own.where(conditions[1]) if conditions else own
    own = own.where(of_entities > after) if after is not None else own
    found = set(call.session.scalars(own.distinct().order_by(of_entities).limit(_PAGE + 1)))
    least, last = select(func.min(ours)).where(ResourceTag.account_id == call.account_id), after
    least = least.where(conditions[0]) if conditions else least
    for _ in range(_PAGE + 1):
        text = call.session.scalar(least.where(ours > last) if last is not None else least)
        if text is None:
            break
        found.add(text)
        last = text
    texts = sorted(found)
    more = len(texts) > _PAGE
    return texts[:_PAGE], cursor.marker([texts[_PAGE - 1]]) if more else ""
