"""Identity providers by ARN, always those of the caller's account."""

from typing import TypeVar

from google.protobuf.message import Message

from sekisho import arn
from sekisho.calls.call import Call
from sekisho.errors import InvalidArn
from sekisho.operations import Resource, resource
from sekisho.services.iam import entities
from sekisho.services.iam.errors import InvalidInput, NoSuchEntity
from sekisho.store.tables import OpenIdConnectProvider, SamlProvider
from sekisho.store.tables.entities import kind_of

P = TypeVar("P", OpenIdConnectProvider, SamlProvider)

_NOT_FOUND = {"oidc-provider": "OpenIDConnect Provider not found for arn {}", "saml-provider": "Manifest not found for arn {}"}


@resource("oidc-provider")
def oidc_provider(call: Call, request: Message, field: str) -> Resource:
    """The OpenID Connect provider that the request names."""
    return _resource(call, OpenIdConnectProvider, getattr(request, field))


@resource("saml-provider")
def saml_provider(call: Call, request: Message, field: str) -> Resource:
    """The SAML provider that the request names."""
    return _resource(call, SamlProvider, getattr(request, field))


def find(call: Call, table: type[P], text: str) -> P:
    """The provider of an ARN; NoSuchEntity, or InvalidInput for what is no ARN of such a provider."""
    _refuse_others(text, kind_of(table))
    row = call.row(table, text)
    if row is None:
        raise NoSuchEntity(_NOT_FOUND[kind_of(table)].format(text))
    return row


def _resource(call: Call, table: type[P], text: str) -> Resource:
    _refuse_others(text, kind_of(table))
    return entities.resource_of_arn(call, kind_of(table), text)


def _refuse_others(text: str, kind: str) -> None:
    try:
        arn.parse(text)
    except InvalidArn as error:
        raise InvalidInput(error.message) from None
    named = arn.entity(text)
    if named is None or named.kind != kind:
        raise InvalidInput(f"ARN {text} is not valid.")
