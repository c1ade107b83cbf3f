"""Tags of registered resources."""

from collections.abc import Sequence

from google.protobuf.message import Message

from sekisho.api.resource.v1 import tags_pb2 as pb
from sekisho.calls import permission, request_keys, tag_policies
from sekisho.calls import resources as registered
from sekisho.calls.call import Call
from sekisho.errors import TagPolicyViolation
from sekisho.operations import operation
from sekisho.services.resource import resources


@operation
def tag_resources(call: Call, request: pb.TagResourcesRequest) -> pb.TagResourcesResponse:
    """A key that is there already, in whatever case, gives way to the new one."""
    new = resources.given(request.tags)
    for named in _permitted(call, request, request.resource_arns):
        if said := tag_policies.fault(call, tag_policies.type_of(named), new.items()):
            raise TagPolicyViolation(said)
        registered.put_tags(call, registered.find(call, named), new)
    return pb.TagResourcesResponse()


@operation
def untag_resources(call: Call, request: pb.UntagResourcesRequest) -> pb.UntagResourcesResponse:
    """A key that is not there is no error."""
    for named in _permitted(call, request, request.resource_arns):
        registered.remove_tags(call, registered.find(call, named), request.tag_keys)
    return pb.UntagResourcesResponse()


def _permitted(call: Call, request: Message, named: Sequence[str]) -> list[str]:
    """Each of the ARNs once; AccessDenied unless the caller may do it to all of them. About the first, the pipeline has asked."""
    each = list(dict.fromkeys(named))
    keys = request_keys.of_request(request)
    for text in each[1:]:
        found = registered.as_resource(call, text)
        permission.demand(call, call.operation.action, found, keys)
        call.resources += (found,)
    return each
