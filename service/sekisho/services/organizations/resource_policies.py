"""The organization's own policy, by which its management account lets members do what is otherwise its own.

Source: https://docs.aws.amazon.com/organizations/latest/userguide/orgs_delegate_policies.html
"""

from collections.abc import Iterator

from sqlalchemy import select

from sekisho import arn, policy
from sekisho.api.organizations.v1 import resource_policies_pb2 as pb
from sekisho.calls.call import Call
from sekisho.errors import MalformedPolicyDocument
from sekisho.operations import operation, rpcs
from sekisho.policy import validate
from sekisho.services.organizations import ids, membership, tags, tree
from sekisho.services.organizations.errors import InvalidInput, ResourcePolicyNotFound
from sekisho.store.tables import Member, Organization, OrganizationResourcePolicy

_PREFIX = "organizations:"
_READS = ("Describe", "List")
_WRITES = frozenset(
    """
    AttachPolicy CreatePolicy DeletePolicy DetachPolicy DisablePolicyType EnablePolicyType TagResource UntagResource UpdatePolicy
    """.split()  # noqa: SIM905  # as a list it takes nine lines
)


@operation
def put_resource_policy(call: Call, request: pb.PutResourcePolicyRequest) -> pb.PutResourcePolicyResponse:
    """The id stays when the text changes. Only reading, and what is about policies and tags, can be delegated, to members."""
    organization = membership.find_managed(call)
    _check(call, organization, request.content)
    row = call.session.get(OrganizationResourcePolicy, organization.id)
    if row is None:
        row = OrganizationResourcePolicy(organization_id=organization.id, id=ids.resource_policy(), content=request.content)
        call.add(row)
    else:
        row.content = request.content
    tags.put(call, organization, row.id, request.tags)
    return pb.PutResourcePolicyResponse(resource_policy=_message(organization, row))


@operation
def describe_resource_policy(call: Call, request: pb.DescribeResourcePolicyRequest) -> pb.DescribeResourcePolicyResponse:
    """To those who read the organization."""
    organization = membership.find_readable(call, request)
    return pb.DescribeResourcePolicyResponse(resource_policy=_message(organization, _find(call, organization)))


@operation
def delete_resource_policy(call: Call, request: pb.DeleteResourcePolicyRequest) -> pb.DeleteResourcePolicyResponse:
    """Whom it named is then a member as all others."""
    organization = membership.find_managed(call)
    row = _find(call, organization)
    tags.clear(call, row.id)
    call.session.delete(row)
    return pb.DeleteResourcePolicyResponse()


def _find(call: Call, organization: Organization) -> OrganizationResourcePolicy:
    row = call.session.get(OrganizationResourcePolicy, organization.id)
    if row is None:
        raise ResourcePolicyNotFound("There is no resource policy for the organization.")
    return row


def _check(call: Call, organization: Organization, text: str) -> None:
    """Raise InvalidInput unless the text delegates what can be delegated, to accounts of the organization."""
    try:
        document = validate.check(text, validate.Kind.RESOURCE)
    except MalformedPolicyDocument as error:
        raise InvalidInput("INVALID_RESOURCE_POLICY_JSON", error.message) from None
    members = set(call.session.scalars(select(Member.account_id).where(Member.organization_id == organization.id)))
    for statement in document.statements:
        if statement.not_action or not all(map(_is_delegable, statement.actions)):
            raise InvalidInput("UNSUPPORTED_ACTION_IN_RESOURCE_POLICY", "You specified an action that cannot be delegated.")
        if any(account not in members for account in _accounts(statement)):
            raise InvalidInput("INVALID_PRINCIPAL", "You specified a principal that is not an account of your organization.")


def _is_delegable(action: str) -> bool:
    """True of the name of an operation that can be delegated, or a pattern that only such operations match."""
    name = action.removeprefix(_PREFIX)
    if name == action:
        return False
    known = {method.name for method in rpcs("organizations").values()}
    return name in known & _WRITES or (name.startswith(_READS) and (name in known or name.endswith("*")))


def _accounts(statement: policy.Statement) -> Iterator[str]:
    """The accounts of those whom a statement means; `*` stands for everybody else."""
    named = statement.principals
    if named is None or named.everyone or statement.not_principal or named.service or named.federated or named.canonical:
        yield "*"
    for value in named.aws if named is not None else ():
        yield value if arn.is_account_id(value) else arn.account_of(value)


def _message(organization: Organization, row: OrganizationResourcePolicy) -> pb.ResourcePolicy:
    named = pb.ResourcePolicySummary(id=row.id, arn=tree.arn_of(organization, row.id))
    return pb.ResourcePolicy(resource_policy_summary=named, content=row.content)
