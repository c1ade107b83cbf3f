"""SSH public keys of users.

Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_UploadSSHPublicKey.html
"""

import hashlib
from base64 import b64decode

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key, load_ssh_public_key
from sqlalchemy import exists, func, select

from sekisho.api.iam.v1 import ssh_public_keys_pb2 as pb
from sekisho.calls.call import Call
from sekisho.credentials import key_ids
from sekisho.operations import operation
from sekisho.services.iam import entities, quotas, users
from sekisho.services.iam.errors import DuplicateSSHPublicKey, InvalidPublicKey, NoSuchEntity, UnrecognizedPublicKeyEncoding
from sekisho.store.tables import SshPublicKey, User

_LEAST_BITS = 2048
_SSH_KINDS = ("ssh-", "ecdsa-", "sk-")

_OfOne = pb.GetSSHPublicKeyRequest | pb.UpdateSSHPublicKeyRequest | pb.DeleteSSHPublicKeyRequest
"""A request about one key of a user."""


@operation
def upload_ssh_public_key(call: Call, request: pb.UploadSSHPublicKeyRequest) -> pb.UploadSSHPublicKeyResponse:
    """At most five a user, RSA with 2,048 bits or more."""
    owner = entities.find(call, User, request.user_name)
    body = _openssh(request.ssh_public_key_body)
    fingerprint = _fingerprint(body)
    same = exists().where(SshPublicKey.owner_id == owner.id, SshPublicKey.fingerprint == fingerprint)
    if call.session.scalar(select(same)):
        raise DuplicateSSHPublicKey("The SSH public key is already associated with the user.")
    held = call.session.scalars(select(func.count()).select_from(SshPublicKey).where(SshPublicKey.owner_id == owner.id)).one()
    quotas.check("SSHPublicKeysPerUserQuota", held + 1)
    row = SshPublicKey(
        id=key_ids.unique_id("public-key"),
        account_id=call.account_id,
        owner_id=owner.id,
        fingerprint=fingerprint,
        body=body,
        status="Active",
        created_at=call.now,
    )
    call.add(row)
    return pb.UploadSSHPublicKeyResponse(ssh_public_key=_message(owner, row, request.ssh_public_key_body))


@operation
def get_ssh_public_key(call: Call, request: pb.GetSSHPublicKeyRequest) -> pb.GetSSHPublicKeyResponse:
    """In the form of OpenSSH, without a comment, or in PEM."""
    owner, row = _find(call, request)
    return pb.GetSSHPublicKeyResponse(ssh_public_key=_message(owner, row, row.body if request.encoding == "SSH" else _pem(row.body)))


@operation
def update_ssh_public_key(call: Call, request: pb.UpdateSSHPublicKeyRequest) -> pb.UpdateSSHPublicKeyResponse:
    """Active or Inactive."""
    _find(call, request)[1].status = request.status
    return pb.UpdateSSHPublicKeyResponse()


@operation
def delete_ssh_public_key(call: Call, request: pb.DeleteSSHPublicKeyRequest) -> pb.DeleteSSHPublicKeyResponse:
    """One that is not there is an error."""
    call.session.delete(_find(call, request)[1])
    return pb.DeleteSSHPublicKeyResponse()


@operation
def list_ssh_public_keys(call: Call, request: pb.ListSSHPublicKeysRequest) -> pb.ListSSHPublicKeysResponse:
    """By id, without texts; without a name, of the user who calls. A root user has none."""
    owner = users.find_named_or_own(call, request.user_name)
    query = select(SshPublicKey).where(SshPublicKey.owner_id == owner.id)
    found = entities.page(call, request, query, key=[SshPublicKey.id], of=lambda row: [row.id])
    shown = [
        pb.SSHPublicKeyMetadata(
            user_name=owner.name, ssh_public_key_id=row.id, status=row.status, upload_date=entities.seconds(row.created_at)
        )
        for row in found.rows
    ]
    return pb.ListSSHPublicKeysResponse(ssh_public_keys=shown, is_truncated=found.marker is not None, marker=found.marker)


def _openssh(text: str) -> str:
    """The key of either form as `ssh-rsa …`, or an error that says what is wrong with it."""
    data = text.strip().encode("latin-1")
    if data.startswith(b"-----BEGIN"):
        load = load_pem_public_key
    elif data.decode("latin-1").startswith(_SSH_KINDS):
        load = load_ssh_public_key
    else:
        raise UnrecognizedPublicKeyEncoding("The public key encoding is not recognized. Use the format of ssh-rsa, or PEM.")
    try:
        key = load(data)
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidPublicKey("The public key is malformed.") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < _LEAST_BITS:
        raise InvalidPublicKey(f"The public key is invalid. It must be an RSA key of at least {_LEAST_BITS} bits.")
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _pem(body: str) -> str:
    return load_ssh_public_key(body.encode()).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _fingerprint(body: str) -> str:
    """MD5, which is what AWS and older versions of ssh-keygen show; it names a key and proves nothing."""
    digest = hashlib.md5(b64decode(body.split()[1]), usedforsecurity=False).hexdigest()
    return ":".join(digest[i : i + 2] for i in range(0, 32, 2))


def _find(call: Call, request: _OfOne) -> tuple[User, SshPublicKey]:
    owner = entities.find(call, User, request.user_name)
    row = call.session.get(SshPublicKey, request.ssh_public_key_id)
    if row is None or row.owner_id != owner.id:
        raise NoSuchEntity(f"The Public Key with id {request.ssh_public_key_id} cannot be found.")
    return owner, row


def _message(owner: User, row: SshPublicKey, body: str) -> pb.SSHPublicKey:
    return pb.SSHPublicKey(
        user_name=owner.name,
        ssh_public_key_id=row.id,
        fingerprint=row.fingerprint,
        ssh_public_key_body=body,
        status=row.status,
        upload_date=entities.seconds(row.created_at),
    )
