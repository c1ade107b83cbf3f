"""Identity providers by ARN, always those of the caller's account."""

from typing import Any, TypeVar

from sekisho import arn
from sekisho.calls.call import Call
from sekisho.errors import InvalidArn
from sekisho.operations import Resource, resource
from sekisho.services.iam import entities
from sekisho.services.iam.errors import InvalidInput, NoSuchEntity
from sekisho.store.tables import OpenIdConnectProvider, SamlProvider

P = TypeVar("P", OpenIdConnectProvider, SamlProvider)

_NOT_FOUND = {"oidc-provider": "OpenIDConnect Provider not found for arn {}", "saml-provider": "Manifest not found for arn {}"}


@resource("oidc-provider")
def oidc_provider(call: Call, request: Any, field: str) -> Resource:
    """The OpenID Connect provider that the request names."""
    return _resource(call, OpenIdConnectProvider, getattr(request, field))


@resource("saml-provider")
def saml_provider(call: Call, request: Any, field: str) -> Resource:
    """The SAML provider that the request names."""
    return _resource(call, SamlProvider, getattr(request, field))


def find(call: Call, table: type[P], text: str) -> P:
    """The provider of an ARN; NoSuchEntity, or InvalidInput for what is no ARN of such a provider."""
    row = _lookup(call, table, text)
    if row is None:
        raise NoSuchEntity(_NOT_FOUND[entities.kind(table)].format(text))
    return row


def _resource(call: Call, table: type[P], text: str) -> Resource:
    row = _lookup(call, table, text)
    return entities.seen(call, row) if row is not None else Resource(text)


def _lookup(call: Call, table: type[P], text: str) -> P | None:
    try:
        parsed = arn.parse(text)
    except InvalidArn as error:
        raise InvalidInput(error.message) from None
    kind, _, name = parsed.resource.partition("/")
    if (parsed.partition, parsed.service, parsed.region, kind) != (arn.PARTITION, "iam", "", entities.kind(table)) or not name:
        raise InvalidInput(f"ARN {text} is not valid.")
    row = entities.lookup(call, table, name) if parsed.account == call.account_id else None
    return row if row is not None and row.name == name else None
