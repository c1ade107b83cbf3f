"""The resources that policies see of an organization: by id, with the ARN that it would have in the organization of the caller's account.

They count as the caller's account's own: what another account than the management account is permitted, the functions ask. Tags are
those of things of the caller's organization alone.
"""

from google.protobuf.message import Message
from sqlalchemy import select

from sekisho import arn
from sekisho.calls import affiliation
from sekisho.calls.call import Call
from sekisho.operations import Resource, resource
from sekisho.services.organizations import managed, tree
from sekisho.store.tables import Handshake, OrganizationPolicy, OrganizationTag

_NOWHERE = "o-none"
"""The organization in the ARNs of those who have none."""


def of(call: Call, id_: str) -> Resource:
    """The resource of an id; an empty one is the caller's account."""
    id_ = id_ or call.account_id
    organization = affiliation.get(call)
    if organization is None:
        named = arn.organizations(call.account_id, tree.KINDS.get(id_.partition("-")[0], "account"), _NOWHERE, id_)
        return Resource(named, owner=call.account_id)
    query = select(OrganizationTag.key, OrganizationTag.value).where(
        OrganizationTag.resource_id == id_, OrganizationTag.organization_id == organization.id
    )
    tags = {row.key: row.value for row in call.session.execute(query)}
    if id_ in managed.POLICIES:
        aws = managed.POLICIES[id_]
        return Resource(aws.arn, tags, {"organizations:PolicyType": aws.type}, owner=call.account_id)
    keys, type_ = {}, ""
    if id_.startswith("p-"):
        wanted = OrganizationPolicy.id == id_, OrganizationPolicy.organization_id == organization.id
        type_ = call.session.scalar(select(OrganizationPolicy.type).where(*wanted)) or "service_control_policy"
        keys = {"organizations:PolicyType": type_.upper()}
    return Resource(tree.arn_of(organization, id_, type_), tags, keys, owner=call.account_id)


def _register(kind: str) -> None:
    @resource(kind)
    def found(call: Call, request: Message, field: str) -> Resource:
        return of(call, getattr(request, field))


for _kind in ("account", "child", "parent", "policy", "root", "tagged", "target", "unit"):
    _register(_kind)


@resource("handshake")
def handshake(call: Call, request: Message, field: str) -> Resource:
    """A handshake of the organization that made it, where the caller's account has a part in it."""
    id_ = getattr(request, field)
    # Columns, not the row: a call that changes it reads it again once it is alone in the organization.
    columns = (Handshake.account_id, Handshake.management_account_id, Handshake.organization_id, Handshake.action)
    row = call.session.execute(select(*columns).where(Handshake.id == id_)).one_or_none()
    if row is None or call.account_id not in (row.account_id, row.management_account_id):
        named = arn.organizations(call.account_id, "handshake", _NOWHERE, "invite", id_)
    else:
        named = arn.organizations(row.management_account_id, "handshake", row.organization_id, row.action.lower(), id_)
    return Resource(named, owner=call.account_id)


@resource("invited")
def invited(call: Call, request: Message, field: str) -> Resource:
    """The account that is asked, by whatever it is called."""
    return of(call, getattr(request, field).id)
