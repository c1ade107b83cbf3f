"""OpenID Connect providers: who may vouch for outsiders with an ID token, and for which audiences.

Nothing is fetched from a provider here: what its keys are is asked when a token comes (`sts`).
Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateOpenIDConnectProvider.html
"""

import re
import uuid
from collections.abc import Sequence

from google.protobuf.message import Message
from sqlalchemy import select

from sekisho import arn
from sekisho.api.iam.v1 import open_id_connect_providers_pb2 as pb
from sekisho.calls.call import Call
from sekisho.errors import ValidationError
from sekisho.operations import Resource, operation, resource
from sekisho.services.iam import entities, provider_arns, quotas, tags
from sekisho.services.iam.errors import InvalidInput, NoSuchEntity
from sekisho.store.tables import OpenIdConnectProvider

_SCHEME = "https://"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?")
_THUMBPRINT = re.compile(r"[0-9A-Fa-f]{40}")
_MOST_THUMBPRINTS = 5


@resource("oidc-provider-url")
def oidc_provider_url(call: Call, request: Message, field: str) -> Resource:
    """The provider that the request is to make."""
    return Resource(arn.iam(call.account_id, "oidc-provider", getattr(request, field).removeprefix(_SCHEME)))


@operation
def create_open_id_connect_provider(call: Call, request: pb.CreateOpenIDConnectProviderRequest) -> pb.CreateOpenIDConnectProviderResponse:
    """An audience may be named twice; a provider may not."""
    if request.HasField("context_provider") or request.identity_center_instance_arn:
        raise InvalidInput("ContextProvider and IdentityCenterInstanceArn are not supported: there is no identity center here.")
    name = _name(request.url)
    client_ids = list(dict.fromkeys(request.client_id_list))
    quotas.check("ClientIdsPerOpenIdConnectProviderQuota", len(client_ids))
    id_ = uuid.uuid4().hex.upper()
    columns = entities.new_columns(call, OpenIdConnectProvider, name, "/", id_=id_, quota="OpenIdConnectProvidersQuota")
    row = OpenIdConnectProvider(**columns, client_ids=client_ids, thumbprints=_thumbprints(request.thumbprint_list))
    given = tags.first(call, row, request.tags)
    return pb.CreateOpenIDConnectProviderResponse(open_id_connect_provider_arn=entities.arn_of(row), tags=given)


@operation
def get_open_id_connect_provider(call: Call, request: pb.GetOpenIDConnectProviderRequest) -> pb.GetOpenIDConnectProviderResponse:
    """Audiences and thumbprints in the order in which they were given."""
    row = _find(call, request.open_id_connect_provider_arn)
    return pb.GetOpenIDConnectProviderResponse(
        url=row.name,
        client_id_list=row.client_ids,
        thumbprint_list=row.thumbprints,
        create_date=entities.seconds(row.created_at),
        tags=tags.messages(call, row),
    )


@operation
def list_open_id_connect_providers(call: Call, request: pb.ListOpenIDConnectProvidersRequest) -> pb.ListOpenIDConnectProvidersResponse:
    """All of the account, by name."""
    query = select(OpenIdConnectProvider).where(OpenIdConnectProvider.account_id == call.account_id)
    rows = call.session.scalars(query.order_by(OpenIdConnectProvider.name_key))
    shown = [pb.OpenIDConnectProviderListEntry(arn=entities.arn_of(row)) for row in rows]
    return pb.ListOpenIDConnectProvidersResponse(open_id_connect_provider_list=shown)


@operation
def delete_open_id_connect_provider(call: Call, request: pb.DeleteOpenIDConnectProviderRequest) -> pb.DeleteOpenIDConnectProviderResponse:
    """Roles that trust it stay as they are, and are assumed through it no more."""
    try:
        row = _find(call, request.open_id_connect_provider_arn)
    except NoSuchEntity:  # of which AWS says something else here than to those who only look
        raise NoSuchEntity(f"OpenId connect Provider {request.open_id_connect_provider_arn} cannot be found.") from None
    tags.clear(call, row)
    call.session.delete(row)
    return pb.DeleteOpenIDConnectProviderResponse()


@operation
def add_client_id_to_open_id_connect_provider(
    call: Call, request: pb.AddClientIDToOpenIDConnectProviderRequest
) -> pb.AddClientIDToOpenIDConnectProviderResponse:
    """One that is there already is no error."""
    row = _find(call, request.open_id_connect_provider_arn)
    if request.client_id not in row.client_ids:
        quotas.check("ClientIdsPerOpenIdConnectProviderQuota", len(row.client_ids) + 1)
        row.client_ids = [*row.client_ids, request.client_id]
    return pb.AddClientIDToOpenIDConnectProviderResponse()


@operation
def remove_client_id_from_open_id_connect_provider(
    call: Call, request: pb.RemoveClientIDFromOpenIDConnectProviderRequest
) -> pb.RemoveClientIDFromOpenIDConnectProviderResponse:
    """One that is not there is no error."""
    row = _find(call, request.open_id_connect_provider_arn)
    row.client_ids = [client_id for client_id in row.client_ids if client_id != request.client_id]
    return pb.RemoveClientIDFromOpenIDConnectProviderResponse()


@operation
def update_open_id_connect_provider_thumbprint(
    call: Call, request: pb.UpdateOpenIDConnectProviderThumbprintRequest
) -> pb.UpdateOpenIDConnectProviderThumbprintResponse:
    """In place of all that there were."""
    row = _find(call, request.open_id_connect_provider_arn)
    row.thumbprints = _thumbprints(request.thumbprint_list)
    return pb.UpdateOpenIDConnectProviderThumbprintResponse()


@operation
def tag_open_id_connect_provider(call: Call, request: pb.TagOpenIDConnectProviderRequest) -> pb.TagOpenIDConnectProviderResponse:
    """The keys of its tags differ by case."""
    tags.put(call, _find(call, request.open_id_connect_provider_arn), request.tags)
    return pb.TagOpenIDConnectProviderResponse()


@operation
def untag_open_id_connect_provider(call: Call, request: pb.UntagOpenIDConnectProviderRequest) -> pb.UntagOpenIDConnectProviderResponse:
    """A key that is not there is no error."""
    tags.remove(call, _find(call, request.open_id_connect_provider_arn), request.tag_keys)
    return pb.UntagOpenIDConnectProviderResponse()


@operation
def list_open_id_connect_provider_tags(
    call: Call, request: pb.ListOpenIDConnectProviderTagsRequest
) -> pb.ListOpenIDConnectProviderTagsResponse:
    """By key."""
    return tags.respond(call, request, _find(call, request.open_id_connect_provider_arn), pb.ListOpenIDConnectProviderTagsResponse)


def _find(call: Call, text: str) -> OpenIdConnectProvider:
    return provider_arns.find(call, OpenIdConnectProvider, text)


def _name(url: str) -> str:
    """The issuer without its scheme, as ARNs and condition keys have it; the host in lower case, for hosts have no case."""
    if not url.startswith(_SCHEME):
        raise ValidationError("Invalid Open ID Connect Provider URL")
    host, slash, path = url.removeprefix(_SCHEME).partition("/")
    name = f"{host.lower()}{slash}{path}"
    if _NAME.fullmatch(name) is None or not {".", "/"} & set(name):  # a name of one word is a service's, in the names of condition keys
        raise ValidationError("Invalid Open ID Connect Provider URL")
    return name


def _thumbprints(given: Sequence[str]) -> list[str]:
    if len(given) > _MOST_THUMBPRINTS:
        raise InvalidInput("Thumbprint list must contain fewer than 5 entries.")
    if not all(_THUMBPRINT.fullmatch(one) for one in given):
        raise InvalidInput("A thumbprint must consist of 40 hexadecimal digits.")
    return list(given)
