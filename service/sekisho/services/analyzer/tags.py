"""Tags of analyzers; the keys differ by case."""

from collections.abc import Mapping, Sequence

from sqlalchemy import select

from sekisho.api.analyzer.v1 import tags_pb2 as pb
from sekisho.calls import tag_policies
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.operations.annotations import Rules
from sekisho.operations.patterns import PATTERNS
from sekisho.services.analyzer import names, quotas
from sekisho.services.analyzer.errors import Validation
from sekisho.store.tables import Analyzer, AnalyzerTag

_LONGEST_KEY, _LONGEST_VALUE = 128, 256
"""Characters."""


@operation
def list_tags_for_resource(call: Call, request: pb.ListTagsForResourceRequest) -> pb.ListTagsForResourceResponse:
    """Of an analyzer of the caller's account."""
    return pb.ListTagsForResourceResponse(tags=of(call, names.find(call, request.resource_arn)))


@operation
def tag_resource(call: Call, request: pb.TagResourceRequest) -> pb.TagResourceResponse:
    """A key that is there already gets the new value."""
    put(call, names.find(call, request.resource_arn), request.tags)
    return pb.TagResourceResponse()


@operation
def untag_resource(call: Call, request: pb.UntagResourceRequest) -> pb.UntagResourceResponse:
    """A key that is not there is no error."""
    gone = set(request.tag_keys)
    for tag in _rows(call, names.find(call, request.resource_arn)):
        if tag.key in gone:
            call.session.delete(tag)
    return pb.UntagResourceResponse()


def of(call: Call, row: Analyzer) -> dict[str, str]:
    """The tags of an analyzer."""
    return {tag.key: tag.value for tag in _rows(call, row)}


def put(call: Call, row: Analyzer, given: Mapping[str, str]) -> None:
    """Give an analyzer tags, or other values of those that it has."""
    is_tag = PATTERNS[Rules.TAG][0]
    for key, value in given.items():
        if not 1 <= len(key) <= _LONGEST_KEY or len(value) > _LONGEST_VALUE or not is_tag(key) or not is_tag(value):
            raise Validation(
                f"Tag keys have 1 to {_LONGEST_KEY} characters, values up to {_LONGEST_VALUE}, of letters, digits, spaces and _.:/=+-@."
            )
        if key.lower().startswith("aws:"):
            raise Validation("Tag keys cannot begin with aws:.")
    if given and (said := tag_policies.fault(call, "access-analyzer:analyzer", sorted(given.items()))):
        raise Validation(said)
    old = {tag.key: tag for tag in _rows(call, row)}
    if len(old.keys() | given.keys()) > quotas.TAGS:
        raise Validation(f"An analyzer can have up to {quotas.TAGS} tags.")
    for key in sorted(given):
        if key in old:
            old[key].value = given[key]
        else:
            call.add(AnalyzerTag(analyzer_id=row.id, key=key, account_id=row.account_id, value=given[key]))


def clear(call: Call, row: Analyzer) -> None:
    """Take all tags from an analyzer that is about to go."""
    for tag in _rows(call, row):
        call.session.delete(tag)


def _rows(call: Call, row: Analyzer) -> Sequence[AnalyzerTag]:
    return call.session.scalars(select(AnalyzerTag).where(AnalyzerTag.analyzer_id == row.id).order_by(AnalyzerTag.key)).all()
