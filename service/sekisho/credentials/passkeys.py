"""Passkeys: WebAuthn with this server as the relying party. The signatures, CBOR and COSE are py_webauthn's.

A challenge is sealed, so that nothing is kept of those that are given out: it says when it was given, and opens only for the same purpose,
account and user. What makes it one-time is not here: whoever takes one remembers it until it ends.
Source: https://www.w3.org/TR/webauthn-3/
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from sekisho.credentials.envelopes import SealBroken
from sekisho.credentials.key_ring import MFA, KeyRing, UnknownKey

if TYPE_CHECKING:
    from webauthn.helpers.structs import AuthenticationCredential, PublicKeyCredentialDescriptor, RegistrationCredential

C = TypeVar("C", "RegistrationCredential", "AuthenticationCredential")

LIFE = timedelta(minutes=5)
"""How long a challenge is good for, as the recommendation of the specification for `timeout` has it."""

REGISTRATION, ASSERTION = "registration", "assertion"
"""Purposes of challenges."""

_FORMATS = ("none", "packed")
"""Formats of attestation that are read. None is asked for; a browser sends another only for what signs with the new key itself."""

_RSA_BITS = 2048, 4096

_LONGEST_ID = 1023
"""Bytes of a credential's id, as the specification has it."""


class Refused(Exception):  # noqa: N818  # says what happened to it
    """A credential or an assertion is not what it must be; says what of it, to the log."""


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Who this server is to a browser: a domain, and the origins of the pages on it that may ask for passkeys."""

    id: str
    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose passkey it is to be: account, id and name of a user or root user; `by` is the id of who calls."""

    account: str
    id: str
    name: str
    by: str


@dataclass(frozen=True, slots=True)
class Registered:
    """A new passkey: its id in base64url, its public key as COSE, and how often it has signed."""

    credential_id: str
    public_key: bytes
    sign_count: int


@dataclass(frozen=True, slots=True)
class Known:
    """A passkey as it was registered; `sign_count` is that of its last signature."""

    credential_id: str
    public_key: bytes
    sign_count: int


def problem(id_: str, origins: Sequence[str]) -> str:
    """What is wrong with a relying party, in a few words; empty when nothing is."""
    for origin in origins:
        parts = urlsplit(origin)
        host = parts.hostname or ""
        if f"{parts.scheme}://{parts.netloc}" != origin or parts.username is not None:
            return f"`{origin}` is not an origin, such as https://console.example.com"
        if parts.scheme != "https" and not (parts.scheme == "http" and host == "localhost"):
            return f"the origin `{origin}` is not https"
        if host != id_ and not host.endswith(f".{id_}"):
            return f"the origin `{origin}` is not of the domain `{id_}`"
    return "" if id_ == id_.lower() and ("." in id_ or id_ == "localhost") else f"`{id_}` is not a domain"


def challenge(ring: KeyRing, purpose: str, holder: Holder, now: datetime) -> bytes:
    """A new challenge."""
    return ring.seal(MFA, str(int(now.timestamp())).encode(), _place(purpose, holder))


def begun(ring: KeyRing, given: bytes, purpose: str, holder: Holder, now: datetime) -> datetime | None:
    """When a challenge was given for this purpose and user; None for one that was not, or that has ended."""
    try:
        at = datetime.fromtimestamp(int(ring.unseal(MFA, given, _place(purpose, holder))), UTC)
    except (SealBroken, UnknownKey):
        return None
    return at if abs(now - at) <= LIFE else None


def registration_options(party: RelyingParty, holder: Holder, given: bytes, known: Sequence[str]) -> str:
    """The argument of navigator.credentials.create() as JSON; a device that has one of the known passkeys makes no other."""
    import webauthn
    from webauthn.helpers.structs import AuthenticatorSelectionCriteria, ResidentKeyRequirement, UserVerificationRequirement

    options = webauthn.generate_registration_options(
        rp_id=party.id,
        rp_name="Sekisho",
        user_id=holder.id.encode(),
        user_name=f"{holder.name}@{holder.account}",
        challenge=given,
        timeout=int(LIFE.total_seconds() * 1000),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[_descriptor(one) for one in known],
    )
    return webauthn.options_to_json(options)


def assertion_options(party: RelyingParty, given: bytes, known: Sequence[str]) -> str:
    """The argument of navigator.credentials.get() as JSON, for any of the known passkeys."""
    import webauthn
    from webauthn.helpers.structs import UserVerificationRequirement

    options = webauthn.generate_authentication_options(
        rp_id=party.id,
        challenge=given,
        timeout=int(LIFE.total_seconds() * 1000),
        allow_credentials=[_descriptor(one) for one in known],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return webauthn.options_to_json(options)


def parsed_registration(text: str) -> "tuple[RegistrationCredential, bytes]":
    """A RegistrationResponseJSON and the challenge that it signs; Refused for anything else."""
    from webauthn.helpers import parse_registration_credential_json

    return _parsed(parse_registration_credential_json, text)


def parsed_assertion(text: str) -> "tuple[AuthenticationCredential, bytes]":
    """An AuthenticationResponseJSON and the challenge that it signs; Refused for anything else."""
    from webauthn.helpers import parse_authentication_credential_json

    return _parsed(parse_authentication_credential_json, text)


def registered(party: RelyingParty, credential: "RegistrationCredential", given: bytes) -> Registered:
    """The passkey of a registration that answers this challenge at one of our origins, by a user whom the device has verified; Refused."""
    import webauthn
    from webauthn.helpers import bytes_to_base64url, parse_attestation_object

    try:
        attested = parse_attestation_object(credential.response.attestation_object)
        if attested.fmt not in _FORMATS or attested.att_stmt.x5c:
            raise Refused(f"attestation of the format {attested.fmt}")
        found = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=given,
            expected_rp_id=party.id,
            expected_origin=list(party.origins),
            require_user_verification=True,
        )
    except Refused:
        raise
    except Exception as error:  # hostile CBOR and keys fail in many ways, and each of them is no passkey
        raise Refused(f"{type(error).__name__}: {error}") from None
    if not 16 <= len(found.credential_id) <= _LONGEST_ID or found.credential_id != credential.raw_id:
        raise Refused("a credential id of a length that none has, or of another credential")
    _refuse_unusable(found.credential_public_key)
    return Registered(bytes_to_base64url(found.credential_id), found.credential_public_key, found.sign_count)


def asserted(party: RelyingParty, credential: "AuthenticationCredential", given: bytes, known: Known, holder: Holder) -> int:
    """How often a passkey has signed, this assertion included, which answers this challenge at one of our origins, by a user whom the
    device has verified; Refused. The caller compares the number with the one before: a clone's is behind.
    """
    import webauthn

    handle = credential.response.user_handle
    if credential.id != known.credential_id or (handle and handle != holder.id.encode()):
        raise Refused("another passkey, or another user's")
    try:
        found = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=given,
            expected_rp_id=party.id,
            expected_origin=list(party.origins),
            credential_public_key=known.public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except Exception as error:
        raise Refused(f"{type(error).__name__}: {error}") from None
    return found.new_sign_count


def is_ahead(sign_count: int, before: int) -> bool:
    """True when a passkey's count is one that follows another; devices that do not count always say 0 (section 6.1.1)."""
    return sign_count > before or sign_count == before == 0


def _refuse_unusable(cose: bytes) -> None:
    """Refused for a public key that could verify no signature, which nothing has shown where there is no attestation, or takes long to."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from webauthn.helpers import decode_credential_public_key
    from webauthn.helpers.decoded_public_key_to_cryptography import decoded_public_key_to_cryptography

    try:
        key = decoded_public_key_to_cryptography(decode_credential_public_key(cose))
    except Exception as error:
        raise Refused(f"{type(error).__name__}: {error}") from None
    if isinstance(key, RSAPublicKey) and not _RSA_BITS[0] <= key.key_size <= _RSA_BITS[1]:
        raise Refused(f"an RSA key of {key.key_size} bits")


def _parsed(parse: "Callable[[str], C]", text: str) -> "tuple[C, bytes]":
    """A credential and the challenge in its client data, which it must have signed on a page of its own, not within another's."""
    from webauthn.helpers import parse_client_data_json

    try:
        credential = parse(text)
        client_data = parse_client_data_json(credential.response.client_data_json)
        if client_data.cross_origin:
            raise Refused("it was asked for by a page within another's")
        return credential, client_data.challenge
    except Refused:
        raise
    except Exception as error:
        raise Refused(f"{type(error).__name__}: {error}") from None


def _descriptor(credential_id: str) -> "PublicKeyCredentialDescriptor":
    from webauthn.helpers import base64url_to_bytes
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

    return PublicKeyCredentialDescriptor(id=base64url_to_bytes(credential_id))


def _place(purpose: str, holder: Holder) -> tuple[str, ...]:
    return ("challenges", purpose, holder.account, holder.id, holder.by)
