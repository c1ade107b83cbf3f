"""Policies of registered resources. They decide what Authorize is asked; who may change them, identity policies say alone."""

from sekisho.api.resource.v1 import policies_pb2 as pb
from sekisho.calls import resources as registered
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.policy import validate
from sekisho.services.resource.errors import NoSuchResourcePolicy


@operation
def put_resource_policy(call: Call, request: pb.PutResourcePolicyRequest) -> pb.PutResourcePolicyResponse:
    """As it was written, and held to what policies of resources may say."""
    validate.check(request.resource_policy, validate.Kind.RESOURCE)
    row = registered.find(call, request.resource_arn)
    row.policy, row.updated_at = request.resource_policy, call.now
    return pb.PutResourcePolicyResponse()


@operation
def get_resource_policy(call: Call, request: pb.GetResourcePolicyRequest) -> pb.GetResourcePolicyResponse:
    """The text as it was written."""
    row = registered.find(call, request.resource_arn)
    if row.policy is None:
        raise NoSuchResourcePolicy(f"The resource {row.arn} has no policy.")
    return pb.GetResourcePolicyResponse(resource_policy=row.policy)


@operation
def delete_resource_policy(call: Call, request: pb.DeleteResourcePolicyRequest) -> pb.DeleteResourcePolicyResponse:
    """One that is not there is an error."""
    row = registered.find(call, request.resource_arn)
    if row.policy is None:
        raise NoSuchResourcePolicy(f"The resource {row.arn} has no policy.")
    row.policy, row.updated_at = None, call.now
    return pb.DeleteResourcePolicyResponse()
