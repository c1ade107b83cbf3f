"""Service-specific credentials: for services that take a user name and a password, or a bearer secret, instead of signatures.

Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateServiceSpecificCredential.html
"""

import secrets as randomness
from base64 import b32encode, b64encode
from datetime import timedelta
from hashlib import sha256

from sqlalchemy import exists, func, select

from sekisho import arn
from sekisho.api.iam.v1 import service_specific_credentials_pb2 as pb
from sekisho.calls.call import Call
from sekisho.credentials import key_ids
from sekisho.operations import RESOURCES, Resource, operation, resource
from sekisho.services.iam import entities, quotas, users
from sekisho.services.iam.errors import InvalidInput, NoSuchEntity
from sekisho.store.tables import ServiceCredential, User

_PASSWORD_SERVICES = ("codecommit.amazonaws.com", "cassandra.amazonaws.com")
_BEARER_SERVICES = ("bedrock.amazonaws.com",)
_BEARER_PREFIX = "ABSK"  # what a leaked secret is recognised by

_OfOne = pb.UpdateServiceSpecificCredentialRequest | pb.ResetServiceSpecificCredentialRequest | pb.DeleteServiceSpecificCredentialRequest
"""A request about one credential of a user."""


@resource("user-or-all")
def user_or_all(call: Call, request: pb.ListServiceSpecificCredentialsRequest, field: str) -> Resource:
    """The user that the request names, or every user of the account."""
    return Resource(arn.iam(call.account_id, "user", "*")) if request.all_users else RESOURCES["iam", "user"](call, request, field)


@operation
def create_service_specific_credential(
    call: Call, request: pb.CreateServiceSpecificCredentialRequest
) -> pb.CreateServiceSpecificCredentialResponse:
    """At most two a user and service. Nothing shows the password again."""
    owner = entities.find(call, User, request.user_name)
    _refuse_unsupported(request.service_name)
    bearer = request.service_name in _BEARER_SERVICES
    if request.credential_age_days and not bearer:
        raise InvalidInput(f"CredentialAgeDays is not supported for the service {request.service_name}.")
    of_user = (ServiceCredential.owner_id == owner.id) & (ServiceCredential.service == request.service_name)
    held = call.session.scalars(select(func.count()).select_from(ServiceCredential).where(of_user)).one()
    quotas.check("ServiceSpecificCredentialsPerUserQuota", held + 1)
    password = _new_password(bearer=bearer)
    row = ServiceCredential(
        id=key_ids.unique_id("service-specific-credential"),
        account_id=call.account_id,
        owner_id=owner.id,
        service=request.service_name,
        login=_new_alias(call.account_id) if bearer else _free_login(call, owner, request.service_name),
        password_hash=_hash(password),
        status="Active",
        created_at=call.now,
        expires_at=call.now + timedelta(days=request.credential_age_days) if request.credential_age_days else None,
    )
    call.add(row)
    return pb.CreateServiceSpecificCredentialResponse(service_specific_credential=_message(call, owner, row, password))


@operation
def list_service_specific_credentials(
    call: Call, request: pb.ListServiceSpecificCredentialsRequest
) -> pb.ListServiceSpecificCredentialsResponse:
    """By user and id, without passwords."""
    if request.all_users and request.user_name:
        raise InvalidInput("UserName and AllUsers cannot be given together.")
    query = select(ServiceCredential)
    if request.all_users:
        query = query.where(ServiceCredential.account_id == call.account_id)
    else:
        query = query.where(ServiceCredential.owner_id == users.find_named_or_own(call, request.user_name).id)
    if request.service_name:
        _refuse_unsupported(request.service_name)
        query = query.where(ServiceCredential.service == request.service_name)
    key = [ServiceCredential.owner_id, ServiceCredential.id]
    found = entities.page(call, request, query, key=key, of=lambda row: [row.owner_id, row.id])
    shown = [_metadata(call, call.session.get_one(User, row.owner_id), row) for row in found.rows]
    return pb.ListServiceSpecificCredentialsResponse(
        service_specific_credentials=shown, is_truncated=found.marker is not None, marker=found.marker
    )


@operation
def update_service_specific_credential(
    call: Call, request: pb.UpdateServiceSpecificCredentialRequest
) -> pb.UpdateServiceSpecificCredentialResponse:
    """Active or Inactive."""
    _find(call, request)[1].status = request.status
    return pb.UpdateServiceSpecificCredentialResponse()


@operation
def reset_service_specific_credential(
    call: Call, request: pb.ResetServiceSpecificCredentialRequest
) -> pb.ResetServiceSpecificCredentialResponse:
    """The old password is worth nothing from now on."""
    owner, row = _find(call, request)
    password = _new_password(bearer=row.service in _BEARER_SERVICES)
    row.password_hash = _hash(password)
    return pb.ResetServiceSpecificCredentialResponse(service_specific_credential=_message(call, owner, row, password))


@operation
def delete_service_specific_credential(
    call: Call, request: pb.DeleteServiceSpecificCredentialRequest
) -> pb.DeleteServiceSpecificCredentialResponse:
    """One that is not there is an error."""
    call.session.delete(_find(call, request)[1])
    return pb.DeleteServiceSpecificCredentialResponse()


def _refuse_unsupported(service: str) -> None:
    if service not in _PASSWORD_SERVICES + _BEARER_SERVICES:
        raise NoSuchEntity(f"No such service {service[:128]} is supported for Service Specific Credentials")


def _new_password(*, bearer: bool) -> str:
    """256 random bits."""
    password = b64encode(randomness.token_bytes(32)).decode()
    return _BEARER_PREFIX + password if bearer else password


def _hash(password: str) -> bytes:
    return sha256(password.encode()).digest()


def _new_alias(account_id: str) -> str:
    return f"BedrockAPIKey-{b32encode(randomness.token_bytes(5)).decode().lower()}-at-{account_id}"


def _free_login(call: Call, owner: User, service: str) -> str:
    """`alice-at-111122223333`, or `alice+1-at-…`: a user may have been called `alice+1`, or another `alice` until it was renamed."""
    number = 0
    while True:
        login = f"{owner.name}{f'+{number}' if number else ''}-at-{call.account_id}"
        same = (
            (ServiceCredential.account_id == call.account_id) & (ServiceCredential.service == service) & (ServiceCredential.login == login)
        )
        if not call.session.scalar(select(exists().where(same))):
            return login
        number += 1


def _find(call: Call, request: _OfOne) -> tuple[User, ServiceCredential]:
    """A credential of the user named, or of the one who calls; NoSuchEntity for anybody else's."""
    owner = users.find_named_or_own(call, request.user_name)
    row = call.session.get(ServiceCredential, request.service_specific_credential_id)
    if row is None or row.owner_id != owner.id or not isinstance(owner, User):
        raise NoSuchEntity(f"No such credential {request.service_specific_credential_id} exists")
    return owner, row


def _status(call: Call, row: ServiceCredential) -> str:
    return "Expired" if row.expires_at is not None and row.expires_at <= call.now else row.status


def _message(call: Call, owner: User, row: ServiceCredential, password: str) -> pb.ServiceSpecificCredential:
    shown = pb.ServiceSpecificCredential(
        create_date=entities.seconds(row.created_at),
        expiration_date=entities.seconds(row.expires_at),
        service_name=row.service,
        service_specific_credential_id=row.id,
        user_name=owner.name,
        status=_status(call, row),
    )
    if row.service in _BEARER_SERVICES:
        shown.service_credential_alias, shown.service_credential_secret = row.login, password
    else:
        shown.service_user_name, shown.service_password = row.login, password
    return shown


def _metadata(call: Call, owner: User, row: ServiceCredential) -> pb.ServiceSpecificCredentialMetadata:
    bearer = row.service in _BEARER_SERVICES
    return pb.ServiceSpecificCredentialMetadata(
        user_name=owner.name,
        status=_status(call, row),
        service_user_name=None if bearer else row.login,
        service_credential_alias=row.login if bearer else None,
        create_date=entities.seconds(row.created_at),
        expiration_date=entities.seconds(row.expires_at),
        service_specific_credential_id=row.id,
        service_name=row.service,
    )
