"""Passkeys as MFA devices. They are listed and deactivated through IAM, under AWS's serial numbers."""

import secrets
import uuid
from base64 import b32encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import select

from sekisho.api.mfa.v1 import passkeys_pb2 as pb
from sekisho.calls import devices, passkey_proofs
from sekisho.calls.call import Call
from sekisho.calls.devices import Owner
from sekisho.credentials import passkeys
from sekisho.credentials.passkeys import Holder, Refused, Registered, RelyingParty
from sekisho.operations import operation, prepare
from sekisho.services.mfa import owners
from sekisho.services.mfa.errors import EntityAlreadyExists, InvalidPasskey, NoSuchEntity, PasskeysNotConfigured
from sekisho.store.tables import Authenticator, Root
from sekisho.store.tables.mfa_devices import PASSKEY

log = structlog.get_logger()

_ID = 16  # bytes; 26 characters in base32
_NOT_ONE = "The passkey was not made for this server, this user and the options that were given last."


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the browser made for an owner, verified, and the challenge that it answers, with the moment at which that was given."""

    owner_id: str
    made: Registered
    challenge: bytes
    begun: datetime


@operation
def begin_passkey_registration(call: Call, request: pb.BeginPasskeyRegistrationRequest) -> pb.BeginPasskeyRegistrationResponse:
    """Nothing is kept of it: the challenge says itself what it is good for."""
    party, owner = _party(call), owners.find(call, request.user_name)
    owners.refuse_more(call, owner)
    holder = _holder(call, owner)
    given = passkeys.challenge(call.node.ring, passkeys.REGISTRATION, holder, call.now)
    return pb.BeginPasskeyRegistrationResponse(options=passkeys.registration_options(party, holder, given, _known(call, owner)))


@operation
def complete_passkey_registration(call: Call, request: pb.CompletePasskeyRegistrationRequest) -> pb.CompletePasskeyRegistrationResponse:
    """A challenge makes one passkey, and one of its own that the account does not have yet."""
    owner, made = owners.find(call, request.user_name), call.prepared.made
    if owner.id != call.prepared.owner_id:
        raise InvalidPasskey(_NOT_ONE)  # another user has the name by now
    use = passkey_proofs.used(call.prepared.challenge, call.prepared.begun, call)
    if passkey_proofs.is_used(call.session, use):
        raise InvalidPasskey("The options were used already; begin again.")
    owners.refuse_more(call, owner)
    taken = select(Authenticator.id).where(Authenticator.account_id == call.account_id, Authenticator.credential_id == made.credential_id)
    if call.session.scalar(taken) is not None:
        raise EntityAlreadyExists("MFA Device is already in use.")
    row = Authenticator(
        id=uuid.uuid4().hex,
        account_id=call.account_id,
        kind=PASSKEY,
        serial=_serial(owner, request.label),
        owner_id=owner.id,
        created_at=call.now,
        enabled_at=call.now,
        credential_id=made.credential_id,
        public_key=made.public_key,
        sign_count=made.sign_count,
    )
    call.add(use)
    call.add(row)
    return pb.CompletePasskeyRegistrationResponse(serial_number=row.serial, enable_date=call.now.replace(microsecond=0))


@prepare(complete_passkey_registration)
def _verifying(call: Call, request: pb.CompletePasskeyRegistrationRequest) -> Callable[[], Prepared]:
    """The work of verifying what the browser made, while nothing is locked."""
    party, owner = _party(call), owners.find(call, request.user_name)
    holder = _holder(call, owner)

    def work() -> Prepared:
        try:
            credential, challenge = passkeys.parsed_registration(request.credential)
            begun = passkeys.begun(call.node.ring, challenge, passkeys.REGISTRATION, holder, call.now)
            if begun is None:
                raise Refused("no challenge of ours for this user, or one that has ended")
            return Prepared(holder.id, passkeys.registered(party, credential, challenge), challenge, begun)
        except Refused as error:
            log.info("passkey.refused", owner=holder.id, error=str(error)[:200])
            raise InvalidPasskey(_NOT_ONE) from None

    return work


@operation
def begin_passkey_assertion(call: Call, request: pb.BeginPasskeyAssertionRequest) -> pb.BeginPasskeyAssertionResponse:
    """For the caller's own passkeys alone. Sessions of roles and of whom somebody vouches for have none, whoever is behind them."""
    party, holder, session = _party(call), passkey_proofs.holder_of(call), call.caller.subject.session
    own = [
        row
        for row in devices.load_of(call.session, call.account_id, holder.id)
        if isinstance(row, Authenticator) and row.kind == PASSKEY and request.serial_number in ("", row.serial)
    ]
    if not own or (session is not None and session.kind != "session-token"):
        raise NoSuchEntity("The caller has no such passkey.")
    given = passkeys.challenge(call.node.ring, passkeys.ASSERTION, holder, call.now)
    options = passkeys.assertion_options(party, given, [str(row.credential_id) for row in own])
    return pb.BeginPasskeyAssertionResponse(options=options, serial_numbers=[row.serial for row in own])


def _party(call: Call) -> RelyingParty:
    if call.node.passkeys is None:
        raise PasskeysNotConfigured("this server makes no passkeys: it was started without `--passkey-rp-id` and `--passkey-origin`")
    return call.node.passkeys


def _holder(call: Call, owner: Owner) -> Holder:
    return Holder(call.account_id, owner.id, owner.name, call.caller.subject.id)


def _known(call: Call, owner: Owner) -> list[str]:
    """The ids of the owner's passkeys."""
    found = devices.load_of(call.session, call.account_id, owner.id)
    return [row.credential_id for row in found if isinstance(row, Authenticator) and row.credential_id is not None]


def _serial(owner: Owner, label: str) -> str:
    """The ARN that AWS gives to a security key; it stays when the user gets another name."""
    whose = "root" if isinstance(owner, Root) else f"user/{owner.name}"
    return f"arn:aws:iam::{owner.account_id}:u2f/{whose}/{label}-{b32encode(secrets.token_bytes(_ID)).decode().rstrip('=')}"
