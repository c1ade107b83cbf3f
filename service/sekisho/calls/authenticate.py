"""Who is calling: from a signature or a bearer token to a subject.

A proof is read first and proves nothing; it says whose secret verifies it. Long-term secrets come from the world's key records, the secrets
of temporary credentials from their own sealed session token. Everything that does not hold is AWS's InvalidClientTokenId or a relative.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from prometheus_client import Counter

from sekisho import arn, policy, sigv4
from sekisho.calls.call import Call
from sekisho.credentials.sessions import Session
from sekisho.errors import Unauthenticated
from sekisho.journal.last_use import Use
from sekisho.sigv4 import InvalidClientTokenId, Signed, bearer
from sekisho.store.changes import Point
from sekisho.world import AccountRecord, Acting, InactiveAccount, KeyRecord, SessionFacts, Subject, UnknownPrincipal

FAILED = Counter("sekisho_authentication_failures", "Calls whose caller could not be established, by error code.", ["code"])


@dataclass(frozen=True, slots=True)
class Proof:
    """What a caller gave: a signature, and how it is verified with the secret of its key, now."""

    signed: Signed
    verify: Callable[[str, datetime], None]


Metadata = Iterable[tuple[str, str | bytes]]


def over_grpc(metadata: Metadata, path: str, body: bytes, audience: str) -> Proof:
    """The proof in a call's metadata: a signature over the call, or a bearer token."""
    authorization = [value for name, value in metadata if name == "authorization" and isinstance(value, str)]
    if len(authorization) == 1 and authorization[0][:7].lower() == "bearer ":
        return of_bearer(authorization[0][7:].strip(), audience)
    return of_call(metadata, path, body, audience)


def of_call(metadata: Metadata, path: str, body: bytes, audience: str) -> Proof:
    """A signature over a gRPC call."""
    signed = sigv4.read_call(metadata)
    return Proof(signed, lambda secret, now: sigv4.verify_call(signed, secret, path, body, audience, now))


def of_bearer(token: str, audience: str) -> Proof:
    """A bearer token, which is a presigned GetCallerIdentity."""
    proof = bearer.parse(token)
    return Proof(proof.signed, lambda secret, now: bearer.verify(proof, secret, audience, now))


def over_http(request: sigv4.HttpRequest, service: str, skew: timedelta) -> Proof:
    """The proof in an HTTP request: a signature in its header or in its query string, scoped to this service."""
    signed = sigv4.read_http(request)
    if signed.scope.service != service:
        raise sigv4.SignatureDoesNotMatch(f"Credential should be scoped to correct service: '{service}'. ")
    return Proof(signed, lambda secret, now: sigv4.verify_http(signed, secret, request, now, skew=skew))


def subject(call: Call, proof: Callable[[], Proof] | None) -> Subject:
    """The subject of the caller; failures are counted. A certificate that names a principal speaks for a call without a proof; beside a
    proof it must be of the same principal: docs/decisions/0005-certificates-beside-signatures.md
    """
    try:
        if proof is None:
            raise sigv4.MissingAuthenticationToken
        certified = _certified(call)
        try:
            given = proof()
        except sigv4.MissingAuthenticationToken:
            if certified is None:
                raise
            return certified
        found = proven(call, given)
        if certified is not None and found.id != certified.id:
            raise sigv4.SignatureDoesNotMatch("the signature is another principal's than the client's certificate")
        return found
    except Unauthenticated as error:
        FAILED.labels(error.code).inc()
        raise


def proven(call: Call, proof: Proof) -> Subject:
    """The subject that a proof proves, or an Unauthenticated error."""
    signed = proof.signed
    if signed.session_token is not None:
        opened = call.node.tokens.open(signed.session_token, signed.access_key_id, call.now)
        proof.verify(opened.credentials.secret_access_key, call.now)
        found = _of_session(opened.session, signed.access_key_id)
    else:
        key = call.node.world.get_record(signed.access_key_id)
        if not isinstance(key, KeyRecord) or key.status != "Active":
            raise InvalidClientTokenId
        proof.verify(key.secret, call.now)
        found = Subject(key.owner_id, key.account_id, key.id)
    account = call.node.world.get_record(found.account_id)
    if isinstance(account, AccountRecord) and account.status != "ACTIVE":
        raise sigv4.OptInRequired
    used = found.id if found.session is not None and found.session.kind == "assumed-role" else signed.access_key_id
    if used.startswith(("AROA", "AKIA")):
        call.node.last_use.note(used, Use(call.now, call.operation.service, signed.scope.region))
    return found


def _certified(call: Call) -> Subject | None:
    """The principal that the caller's certificate names, None where it names none; InvalidClientTokenId where it is gone."""
    workload = call.peer.workload
    if workload is None:
        return None
    if not workload.not_before <= call.now <= workload.not_after:  # a connection may outlive the certificate that opened it
        raise sigv4.ExpiredToken("The client's certificate is not valid now.")
    named = arn.entity(workload.arn)
    id_ = call.node.world.get_id(named) if named is not None else None
    if named is None or id_ is None:
        raise InvalidClientTokenId
    if named.kind != "role":
        return Subject(id_, named.account)
    call.node.last_use.note(id_, Use(call.now, call.operation.service, "local"))
    # Issued with its certificate: a deny on aws:TokenIssueTime ends it until there is a newer one.
    issued, ends = workload.not_before, workload.not_after
    return Subject(id_, named.account, session=SessionFacts("assumed-role", workload.session_name, issued_at=issued, expires_at=ends))


def acting(call: Call, who: Subject) -> tuple[Acting, Point]:
    """The caller, composed. Its key and its principal are looked at again: between the proof and here the world may have moved on."""
    if who.session is None and who.access_key_id:
        key = call.node.world.get_record(who.access_key_id)
        if not isinstance(key, KeyRecord) or key.status != "Active":
            raise InvalidClientTokenId
    try:
        return call.node.world.acting(who, call.now)
    except InactiveAccount:
        raise sigv4.OptInRequired from None
    except UnknownPrincipal:
        raise InvalidClientTokenId from None


def _of_session(session: Session, access_key_id: str) -> Subject:
    return Subject(
        session.principal_id,
        session.account,
        access_key_id,
        SessionFacts(
            kind=session.kind,
            name=session.session_name,
            tags=dict(session.tags),
            transitive=frozenset(session.transitive_keys),
            source_identity=session.source_identity,
            policies=(policy.Attached(policy.compiled(session.policy), name="session policy"),) if session.policy else (),
            policy_ids=session.policy_arns,
            issued_at=session.issued_at,
            expires_at=session.expires_at,
            mfa=session.mfa,
            mfa_at=session.mfa_at,
            provider=session.provider,
        ),
    )
