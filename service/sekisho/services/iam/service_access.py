"""Which policies of an entity allow something of a service.

Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPoliciesGrantingServiceAccess.html
"""

from collections.abc import Iterable

from sekisho import policy
from sekisho.api.iam.v1 import service_access_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.policy import patterns
from sekisho.services.iam import policy_sources
from sekisho.services.iam.policy_sources import SourcePolicy
from sekisho.store.paging import InvalidMarker


@operation
def list_policies_granting_service_access(
    call: Call, request: pb.ListPoliciesGrantingServiceAccessRequest
) -> pb.ListPoliciesGrantingServiceAccessResponse:
    """An entry for each service in the order of the request, all on one page. What other policies deny is not looked at, as with AWS."""
    if request.marker:
        raise InvalidMarker("Invalid Marker.")
    found = policy_sources.identity(call, policy_sources.find_owner(call, request.arn))
    entries = [
        pb.ListPoliciesGrantingServiceAccessEntry(
            service_namespace=namespace,
            policies=[_message(one) for one in found if grants(one.attached.program.policy, namespace)],
        )
        for namespace in request.service_namespaces
    ]
    return pb.ListPoliciesGrantingServiceAccessResponse(policies_granting_service_access=entries, is_truncated=False)


def grants(document: policy.Policy, namespace: str) -> bool:
    """Whether an Allow of the policy covers some action of the service."""
    return any(_covers(statement, namespace.lower()) for statement in document.statements if statement.effect == "Allow")


def denies(document: policy.Policy, namespace: str) -> bool:
    """True when a Deny of the policy covers every action of the service, whatever the resource and the request."""
    return any(
        statement.effect == "Deny"
        and not (statement.conditions or statement.not_resource or statement.not_action)
        and "*" in (statement.resources or ())
        and any(_covers_all(action, namespace.lower()) for action in statement.actions)
        for statement in document.statements
    )


def granted(policies: Iterable[policy.Policy], known: Iterable[str]) -> set[str]:
    """The services that the policies allow something of: those that they name, and of the known ones those that their patterns mean."""
    found = set()
    for document in policies:
        named = {
            action.partition(":")[0].lower()
            for statement in document.statements
            for action in statement.actions
            if not statement.not_action and "*" not in action.partition(":")[0] and "?" not in action.partition(":")[0]
        }
        found |= {namespace for namespace in {*named, *known} if grants(document, namespace)}
    return found


def _covers(statement: policy.Statement, namespace: str) -> bool:
    """For NotAction: unless all of the service is excepted."""
    services = [action.lower().partition(":") for action in statement.actions]
    if statement.not_action:
        return not any(_matches(service, namespace) and (not colon or not name.strip("*")) for service, colon, name in services)
    return any(_matches(service, namespace) for service, _, _ in services)


def _covers_all(action: str, namespace: str) -> bool:
    service, colon, name = action.lower().partition(":")
    return _matches(service, namespace) and (not colon or not name.strip("*"))


def _matches(pattern: str, namespace: str) -> bool:
    if "*" not in pattern and "?" not in pattern:
        return pattern == namespace
    return patterns.matcher(patterns.tokens(pattern))(namespace)


def _message(one: SourcePolicy) -> pb.PolicyGrantingServiceAccess:
    if one.kind == "inline":
        return pb.PolicyGrantingServiceAccess(
            policy_name=one.name, policy_type="INLINE", entity_type=one.owner_kind.upper(), entity_name=one.owner_name
        )
    return pb.PolicyGrantingServiceAccess(policy_name=one.name, policy_type="MANAGED", policy_arn=one.arn)
