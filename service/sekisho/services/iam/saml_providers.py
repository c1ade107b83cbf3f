"""SAML providers: who may vouch for outsiders with a signed assertion.

Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateSAMLProvider.html
"""

import secrets as randomness
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from google.protobuf.message import Message
from sqlalchemy import select

from sekisho import arn
from sekisho.api.iam.v1 import saml_providers_pb2 as pb
from sekisho.calls.call import Call
from sekisho.credentials import key_ring, saml_metadata
from sekisho.credentials.saml_metadata import MalformedMetadata, Metadata
from sekisho.operations import Resource, operation, prepare, resource
from sekisho.services.iam import certificates, entities, provider_arns, quotas, tags
from sekisho.services.iam.errors import InvalidInput, MalformedCertificate
from sekisho.store.tables import SamlPrivateKey, SamlProvider

_LONG = timedelta(days=36_525)
"""A provider whose metadata sets no end is good for a hundred years, as AWS shows it."""

_NO_IDENTITY_CENTER = "ContextProvider and IdentityCenterInstanceArn are not supported: there is no identity center here."
_KEY_REQUIRED = "A private key is required when AssertionEncryptionMode is Required."

_Described = pb.CreateSAMLProviderRequest | pb.UpdateSAMLProviderRequest
"""A request that says what a provider is to be."""


@resource("saml-provider-name")
def saml_provider_name(call: Call, request: Message, field: str) -> Resource:
    """The provider that the request is to make."""
    return Resource(arn.iam(call.account_id, "saml-provider", getattr(request, field)))


@operation
def create_saml_provider(call: Call, request: pb.CreateSAMLProviderRequest) -> pb.CreateSAMLProviderResponse:
    """The metadata must describe one identity provider, and not have expired."""
    metadata: Metadata = call.prepared
    columns = entities.new_columns(call, SamlProvider, request.name, "/", id_=uuid.uuid4().hex.upper(), quota="SAMLProvidersQuota")
    if request.assertion_encryption_mode == "Required" and not request.add_private_key:
        raise InvalidInput(_KEY_REQUIRED)
    row = SamlProvider(
        **columns,
        document=request.saml_metadata_document,
        issuer=metadata.issuer,
        valid_until=_valid_until(metadata, call.now),
        encryption_mode=request.assertion_encryption_mode or None,
    )
    call.add(row)
    if request.add_private_key:
        _add_key(call, row, request.add_private_key)
    tags.put(call, row, request.tags)
    return pb.CreateSAMLProviderResponse(saml_provider_arn=entities.arn_of(row), tags=tags.messages(call, row))


@operation
def update_saml_provider(call: Call, request: pb.UpdateSAMLProviderRequest) -> pb.UpdateSAMLProviderResponse:
    """Fields that the request leaves out stay. A key goes before another comes."""
    metadata: Metadata | None = call.prepared
    row = _find(call, request.saml_provider_arn)
    if metadata is not None:
        row.document, row.issuer, row.valid_until = request.saml_metadata_document, metadata.issuer, _valid_until(metadata, call.now)
    if request.remove_private_key:
        key = call.session.get(SamlPrivateKey, request.remove_private_key)
        if key is None or key.provider_id != row.id:
            raise InvalidInput(f"The SAML provider has no private key with id {request.remove_private_key}.")
        call.session.delete(key)
        call.session.flush()
    if request.add_private_key:
        _add_key(call, row, request.add_private_key)
    row.encryption_mode = request.assertion_encryption_mode or row.encryption_mode
    if row.encryption_mode == "Required" and not _keys(call, row):
        raise InvalidInput(_KEY_REQUIRED)
    return pb.UpdateSAMLProviderResponse(saml_provider_arn=entities.arn_of(row))


@operation
def get_saml_provider(call: Call, request: pb.GetSAMLProviderRequest) -> pb.GetSAMLProviderResponse:
    """With its metadata as it was sent, and the ids of its private keys."""
    row = _find(call, request.saml_provider_arn)
    hashes = saml_metadata.read(row.document).key_hashes
    return pb.GetSAMLProviderResponse(
        saml_provider_uuid=row.id,
        saml_metadata_document=row.document,
        saml_key_hashes=[pb.SAMLKeyHashEntry(issuer_url=row.issuer, key_hashes=hashes)],
        create_date=entities.seconds(row.created_at),
        valid_until=entities.seconds(row.valid_until),
        tags=tags.messages(call, row),
        assertion_encryption_mode=row.encryption_mode or "Allowed",  # which is what AWS has for a provider of which nothing was said
        private_key_list=[pb.SAMLPrivateKey(key_id=key.id, timestamp=entities.seconds(key.created_at)) for key in _keys(call, row)],
    )


@operation
def list_saml_providers(call: Call, request: pb.ListSAMLProvidersRequest) -> pb.ListSAMLProvidersResponse:
    """All of the account, by name."""
    rows = call.session.scalars(select(SamlProvider).where(SamlProvider.account_id == call.account_id).order_by(SamlProvider.name_key))
    shown = [
        pb.SAMLProviderListEntry(
            arn=entities.arn_of(row), valid_until=entities.seconds(row.valid_until), create_date=entities.seconds(row.created_at)
        )
        for row in rows
    ]
    return pb.ListSAMLProvidersResponse(saml_provider_list=shown)


@operation
def delete_saml_provider(call: Call, request: pb.DeleteSAMLProviderRequest) -> pb.DeleteSAMLProviderResponse:
    """Roles that trust it stay as they are, and are assumed through it no more."""
    row = _find(call, request.saml_provider_arn)
    tags.clear(call, row)
    for key in _keys(call, row):
        call.session.delete(key)
    call.session.flush()
    call.session.delete(row)
    return pb.DeleteSAMLProviderResponse()


@operation
def tag_saml_provider(call: Call, request: pb.TagSAMLProviderRequest) -> pb.TagSAMLProviderResponse:
    """The keys of its tags differ by case."""
    tags.put(call, _find(call, request.saml_provider_arn), request.tags)
    return pb.TagSAMLProviderResponse()


@operation
def untag_saml_provider(call: Call, request: pb.UntagSAMLProviderRequest) -> pb.UntagSAMLProviderResponse:
    """A key that is not there is no error."""
    tags.remove(call, _find(call, request.saml_provider_arn), request.tag_keys)
    return pb.UntagSAMLProviderResponse()


@operation
def list_saml_provider_tags(call: Call, request: pb.ListSAMLProviderTagsRequest) -> pb.ListSAMLProviderTagsResponse:
    """By key."""
    return tags.respond(call, request, _find(call, request.saml_provider_arn), pb.ListSAMLProviderTagsResponse)


def _find(call: Call, text: str) -> SamlProvider:
    return provider_arns.find(call, SamlProvider, text)


def _refuse_identity_center(request: _Described) -> None:
    if request.HasField("context_provider") or request.identity_center_instance_arn:
        raise InvalidInput(_NO_IDENTITY_CENTER)


@prepare(create_saml_provider)
@prepare(update_saml_provider)
def _read(call: Call, request: _Described) -> Callable[[], Metadata | None]:
    """Millions of characters of XML, and private keys, are read while nobody waits."""

    def read() -> Metadata | None:
        _refuse_identity_center(request)
        if request.add_private_key:
            _check_key(request.add_private_key)
        if not request.saml_metadata_document:
            return None
        try:
            metadata = saml_metadata.read(request.saml_metadata_document)
        except MalformedMetadata:
            raise InvalidInput("Could not parse metadata") from None
        if metadata.valid_until is not None and metadata.valid_until <= call.now:
            raise InvalidInput("The metadata document has expired.")
        return metadata

    return read


def _check_key(text: str) -> None:
    try:
        certificates.read_private_key(text)
    except MalformedCertificate as error:
        raise InvalidInput(error.message) from None


def _valid_until(metadata: Metadata, now: datetime) -> datetime:
    return metadata.valid_until or now + _LONG


def _keys(call: Call, row: SamlProvider) -> Sequence[SamlPrivateKey]:
    query = select(SamlPrivateKey).where(SamlPrivateKey.provider_id == row.id)
    return call.session.scalars(query.order_by(SamlPrivateKey.created_at, SamlPrivateKey.id)).all()


def _add_key(call: Call, row: SamlProvider, text: str) -> None:
    quotas.check("PrivateKeysPerSAMLProviderQuota", len(_keys(call, row)) + 1)
    id_ = randomness.token_hex(16).upper()
    sealed = call.node.ring.seal(key_ring.CERTIFICATES, text.encode(), ("saml_private_keys", "private_key", id_))
    call.add(SamlPrivateKey(id=id_, provider_id=row.id, private_key=sealed, created_at=call.now))
