"""Signing certificates: X.509 certificates that users of old services sign their requests with.

Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_UploadSigningCertificate.html
"""

import secrets as randomness
from base64 import b32encode

from sqlalchemy import func, select

from sekisho.api.iam.v1 import signing_certificates_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.iam import certificates, entities, quotas, users
from sekisho.services.iam.errors import (
    DuplicateCertificate,
    EntityAlreadyExists,
    InvalidCertificate,
    MalformedCertificate,
    NoSuchEntity,
)
from sekisho.store.tables import Root, SigningCertificate, User

_SHOWN = 256
"""Characters of a text that is no certificate, in the error."""


@operation
def upload_signing_certificate(call: Call, request: pb.UploadSigningCertificateRequest) -> pb.UploadSigningCertificateResponse:
    """At most two a user; a certificate belongs to one user of the account."""
    owner = users.find_named_or_own(call, request.user_name)
    try:
        certificate = certificates.read(request.certificate_body)
    except MalformedCertificate:
        raise MalformedCertificate(f"Certificate {request.certificate_body[:_SHOWN]} is malformed.") from None
    if not certificate.valid_at(call.now):
        raise InvalidCertificate("The certificate is not valid: it has expired or is not valid yet.")
    _refuse_known(call, owner, certificate.fingerprint)
    held = call.session.scalars(select(func.count()).select_from(SigningCertificate).where(SigningCertificate.owner_id == owner.id)).one()
    quotas.check("SigningCertificatesPerUserQuota", held + 1)
    row = SigningCertificate(
        id=b32encode(randomness.token_bytes(20)).decode(),
        account_id=call.account_id,
        owner_id=owner.id,
        fingerprint=certificate.fingerprint,
        body=request.certificate_body,
        status="Active",
        created_at=call.now,
    )
    call.add(row)
    return pb.UploadSigningCertificateResponse(certificate=_message(owner, row))


@operation
def update_signing_certificate(call: Call, request: pb.UpdateSigningCertificateRequest) -> pb.UpdateSigningCertificateResponse:
    """Active or Inactive."""
    _find(call, request).status = request.status
    return pb.UpdateSigningCertificateResponse()


@operation
def delete_signing_certificate(call: Call, request: pb.DeleteSigningCertificateRequest) -> pb.DeleteSigningCertificateResponse:
    """The certificate may be uploaded again, with another id."""
    call.session.delete(_find(call, request))
    return pb.DeleteSigningCertificateResponse()


@operation
def list_signing_certificates(call: Call, request: pb.ListSigningCertificatesRequest) -> pb.ListSigningCertificatesResponse:
    """By id."""
    owner = users.find_named_or_own(call, request.user_name)
    query = select(SigningCertificate).where(SigningCertificate.owner_id == owner.id)
    found = entities.page(call, request, query, key=[SigningCertificate.id], of=lambda row: [row.id])
    return pb.ListSigningCertificatesResponse(
        certificates=[_message(owner, row) for row in found.rows], is_truncated=found.marker is not None, marker=found.marker
    )


def _refuse_known(call: Call, owner: User | Root, fingerprint: str) -> None:
    query = select(SigningCertificate).where(
        SigningCertificate.account_id == call.account_id, SigningCertificate.fingerprint == fingerprint
    )
    known = call.session.scalars(query).one_or_none()
    if known is not None:
        if known.owner_id == owner.id:
            raise DuplicateCertificate("The certificate is already associated with the user.")
        raise EntityAlreadyExists("The certificate is already associated with another user of the account.")


def _find(call: Call, request: pb.UpdateSigningCertificateRequest | pb.DeleteSigningCertificateRequest) -> SigningCertificate:
    """A certificate of the user named, or of the one who calls; NoSuchEntity for anybody else's."""
    owner = users.find_named_or_own(call, request.user_name)
    row = call.session.get(SigningCertificate, request.certificate_id)
    if row is None or row.owner_id != owner.id:
        raise NoSuchEntity(f"The Certificate with id {request.certificate_id} cannot be found.")
    return row


def _message(owner: User | Root, row: SigningCertificate) -> pb.SigningCertificate:
    return pb.SigningCertificate(
        user_name=users.shown_name(owner),
        certificate_id=row.id,
        certificate_body=row.body,
        status=row.status,
        upload_date=entities.seconds(row.created_at),
    )
