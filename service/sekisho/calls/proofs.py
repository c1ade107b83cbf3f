"""Proofs: what callers give to show who they are, beside each other, each of which proves a subject or raises.

A proof is made by an edge and looked at by the pipeline alone: `prove` reads it, finds the secret that verifies it, and verifies. Long-term
secrets come from the world's key records, the secrets of temporary credentials from their own sealed session token. Everything that does
not hold is AWS's InvalidClientTokenId or a relative; MissingAuthenticationToken says that nothing was given.
"""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from sekisho import arn, policy, sigv4
from sekisho.calls.call import Call
from sekisho.calls.workloads import Workload
from sekisho.credentials import identity_tokens, key_ids, session_tokens
from sekisho.credentials.key_ring import SESSIONS, UnknownKey
from sekisho.credentials.session_tokens import Opened
from sekisho.credentials.sessions import Session
from sekisho.journal.last_use import Use
from sekisho.memory import cold, records
from sekisho.operations.annotations import Access
from sekisho.policy.shares import Shares
from sekisho.sigv4 import InvalidClientTokenId, Signed, bearer
from sekisho.store import used
from sekisho.world import AccountRecord, IssuerRecord, KeyRecord, Record, SessionFacts, Subject

Metadata = Iterable[tuple[str, str | bytes]]

MAX_PRESIGNED = 900
"""Seconds that a presigned request is valid at most, as a bearer token is."""

GRACE = 2.0
"""Seconds: AWS's tools sign no nonce, so two calls of one second that are the same in all else have one signature. Both are honest."""

_NO_SECRET = "-" * 40
"""In the place of the secret of a key that is not there, or is not used."""

_ONCE = frozenset((Access.WRITE, Access.ISSUE))
"""The levels of operations that a signature is good for once."""


class Proof(Protocol):
    """Something that shows who calls."""

    def prove(self, call: Call) -> Subject:
        """The subject, or an Unauthenticated error."""


@dataclass(slots=True)
class CallSignature:
    """A signature over a gRPC call: its path, the bytes of its request, its date and the audience."""

    metadata: Metadata
    path: str
    body: bytes
    audience: str

    def prove(self, call: Call) -> Subject:
        """The holder of the key that signed."""
        signed = sigv4.read_call(self.metadata)
        found = _holder(call, signed, lambda secret: sigv4.verify_call(signed, secret, self.path, self.body, self.audience, call.now))
        _used(call, found, signed.scope.region)
        _use(call, found.subject, signed, sigv4.SKEW, grace=0.0)
        return found.subject


@dataclass(slots=True)  # frozen, it takes three times as long to make
class Bearer:
    """A bearer token, which is a presigned GetCallerIdentity for an audience, for as many calls as its holder makes.

    Whoever sees it can do the same; so it reads and decides, and neither writes nor issues, for which a caller signs each call.
    """

    token: str
    audience: str

    def prove(self, call: Call) -> Subject:
        """The maker of the token: as it was verified before, until it ends or something that it was verified with is another."""
        key = ("bearer", self.audience, self.token)
        verified: _Verified | None = call.node.world.get_finding(key)
        if verified is None or not verified.begins <= call.now <= verified.ends:
            verified = self._verify(call, key)
        elif verified.holder.opened is not None:
            call.node.tokens.refuse_forgotten(verified.holder.opened)
        _used(call, verified.holder, verified.region)
        _refuse_bearer(call)
        return verified.holder.subject

    def _verify(self, call: Call, key: tuple[str, str, str]) -> "_Verified":
        given = bearer.parse(self.token)
        signed = given.signed
        holder = _holder(call, signed, lambda secret: bearer.verify(given, secret, self.audience, call.now))
        ends = signed.timestamp + timedelta(seconds=signed.expires or 0)
        if holder.opened is not None:
            ends = min(ends, holder.opened.session.expires_at - timedelta.resolution)
        verified = _Verified(holder, signed.scope.region, signed.timestamp - sigv4.SKEW, ends)
        call.node.world.keep_finding(key, verified, holder.subject.account_id, holder.origins, 2 * len(self.token) + _cost(holder))
        return verified


@dataclass(slots=True)
class IdentityToken:
    """A JWT that our STS issued for an audience: it reads and decides as whoever asked for it, and neither writes nor issues."""

    token: str
    audience: str

    def prove(self, call: Call) -> Subject:
        """Whose credentials asked for the token: as it was verified before, until it ends or something that it rests on is another."""
        key = ("identity-token", self.audience, self.token)
        accepted: _Accepted | None = call.node.world.get_finding(key)
        if accepted is None or not accepted.begins <= call.now < accepted.ends:
            accepted = self._verify(call, key)
        else:
            _refuse_sealed(call, accepted.key)
        _used(call, accepted.holder, "")
        _refuse_bearer(call)
        return accepted.holder.subject

    def _verify(self, call: Call, key: tuple[str, str, str]) -> "_Accepted":
        cold.may_wait()  # a signature over P-384 takes as long to verify as a hundred decisions
        memory = call.node.world
        read = identity_tokens.read(self.token, call.node.ring)
        whose = read.holder
        account = memory.get_record(whose.account)
        issuer = memory.get_record(account.issuer_id) if isinstance(account, AccountRecord) and account.issuer_id is not None else None
        if account is None or not isinstance(issuer, IssuerRecord):
            raise InvalidClientTokenId
        identity_tokens.verify(read, issuer, self.audience, call.now)
        _refuse_inactive(account)
        origins: list[tuple[str, Record | None]] = [(account.id, account), (issuer.id, issuer)]
        if whose.session is not None:
            if call.now >= whose.session.expires_at:
                raise sigv4.ExpiredToken
            subject = _of_session(whose.session, whose.access_key_id)
        else:
            subject = Subject(whose.principal_id, whose.account, whose.access_key_id)
            if whose.access_key_id:  # empty where a client's certificate asked for the token
                used = memory.get_record(whose.access_key_id)
                if not isinstance(used, KeyRecord) or used.status != "Active" or used.owner_id != whose.principal_id:
                    raise InvalidClientTokenId
                origins.append((used.id, used))
        holder = _Holder(subject, None, tuple(origins))
        accepted = _Accepted(holder, read.key, read.issued_at - sigv4.SKEW, read.expires_at)
        cost = 2 * (len(self.token) + read.size) + (records.cost_of(subject.session.policies) if subject.session is not None else 0)
        memory.keep_finding(key, accepted, whose.account, holder.origins, cost)
        return accepted


@dataclass(frozen=True, slots=True)
class HttpSignature:
    """A signature over an HTTP request, in its header or in its query string, for a service; `skew` is how far its date may be off.

    A URL is kept, logged and passed on; so a presigned one only reads, and not for long.
    """

    request: sigv4.HttpRequest
    service: str
    skew: timedelta

    def prove(self, call: Call) -> Subject:
        """The holder of the key that signed."""
        signed = sigv4.read_http(self.request)
        if signed.scope.service != self.service:
            raise sigv4.SignatureDoesNotMatch(f"Credential should be scoped to correct service: '{self.service}'. ")
        found = _holder(call, signed, lambda secret: sigv4.verify_http(signed, secret, self.request, call.now, skew=self.skew))
        _used(call, found, signed.scope.region)
        if signed.expires is not None:
            _refuse_presigned(call, signed.expires)
        _use(call, found.subject, signed, self.skew, grace=GRACE)
        return found.subject


@dataclass(frozen=True, slots=True)
class Certificate:
    """A client's certificate, verified by TLS, which an operator's map gives to a principal; `workload` is None where it gives none."""

    workload: Workload | None

    def prove(self, call: Call) -> Subject:
        """The principal that the map names; InvalidClientTokenId where it is gone."""
        workload = self.workload
        if workload is None:
            raise sigv4.MissingAuthenticationToken
        if not workload.not_before <= call.now <= workload.not_after:  # a connection may outlive the certificate that opened it
            raise sigv4.ExpiredToken("The client's certificate is not valid now.")
        named = arn.entity(workload.arn)
        id_ = call.node.world.get_id(named) if named is not None else None
        if named is None or id_ is None:
            raise InvalidClientTokenId
        if named.kind != "role":
            return Subject(id_, named.account)
        call.node.last_use.note(id_, Use(call.now, call.operation.service.prefix, "local"))
        # Issued with its certificate: a deny on aws:TokenIssueTime ends it until there is a newer one.
        issued, ends = workload.not_before, workload.not_after
        key = ("certificate", id_, workload.session_name, issued, ends)
        subject: Subject | None = call.node.world.get_finding(key)
        if subject is None:  # made of nothing but the key: to be one object, by which its composition is found again
            subject = Subject(
                id_, named.account, session=SessionFacts("assumed-role", workload.session_name, issued_at=issued, expires_at=ends)
            )
            call.node.world.keep_finding(key, subject, named.account, (), len(workload.session_name))
        return subject


@dataclass(frozen=True, slots=True)
class Certified:
    """A proof from a client whose connection has a certificate: docs/decisions/0005-certificates-beside-signatures.md"""

    certificate: Certificate
    beside: Proof

    def prove(self, call: Call) -> Subject:
        """The proof's subject, which must be the certificate's principal where that names one; without a proof, the certificate's own."""
        certified = self.certificate.prove(call) if self.certificate.workload is not None else None
        try:
            found = self.beside.prove(call)
        except sigv4.MissingAuthenticationToken:
            if certified is None:
                raise
            return certified
        if certified is not None and found.id != certified.id:
            raise sigv4.SignatureDoesNotMatch("the signature is another principal's than the client's certificate")
        return found


def of_metadata(metadata: Metadata, path: str, body: bytes, audience: str) -> Proof:
    """The proof in a gRPC call's metadata: what a bearer has, else a signature over the call."""
    authorization = None
    for name, value in metadata:
        if name == "authorization" and isinstance(value, str):
            if authorization is not None:
                break
            authorization = value
    else:
        if authorization is not None and authorization[:7].lower() == "bearer ":
            return of_bearer(authorization[7:], audience)
    return CallSignature(metadata, path, body, audience)


def of_bearer(token: str, audience: str) -> Proof:
    """The proof that a bearer has, which a service may have been handed for its own audience: a JWT has two dots, a bearer token none."""
    text = token.removeprefix(bearer.SCHEME).strip()
    return IdentityToken(text, audience) if text.count(".") == 2 else Bearer(text, audience)


def _refuse_bearer(call: Call) -> None:
    """Raise for a call that writes or issues, which its caller signs."""
    if call.operation.level in _ONCE:
        raise sigv4.PresignedRefused(f"A bearer token can only read and decide: sign the call of {call.operation.action}.")


def _refuse_sealed(call: Call, key: str) -> None:
    """Raise when the ring has no more the key that sealed the credentials in a token."""
    try:
        call.node.ring.key(SESSIONS, key)
    except UnknownKey:
        raise InvalidClientTokenId from None


def _refuse_presigned(call: Call, expires: int) -> None:
    """Raise for a presigned request that writes or issues, or is valid for too long."""
    if expires > MAX_PRESIGNED:
        raise sigv4.IncompleteSignature(f"X-Amz-Expires must be a number of seconds from 1 to {MAX_PRESIGNED}.")
    if call.operation.level in _ONCE:
        raise sigv4.PresignedRefused(f"Presigned requests can only read: sign {call.operation.action} in the Authorization header.")


def _use(call: Call, subject: Subject, signed: Signed, skew: timedelta, *, grace: float) -> None:
    """Use up a signature that verified, if the operation takes each once. To this worker it is used whatever becomes of the call, and if it
    is to issue, to all workers of the node; to all nodes, once the write is committed that it came with.
    """
    level = call.operation.level
    if level not in _ONCE:
        return
    account, signature = subject.account_id, signed.scope.signature
    call.node.replays.use(account, signature, signed.timestamp + skew, call.now, time.monotonic(), grace=grace)
    use = used.use(account, signature, signed.timestamp, call.now, grace=grace)
    if level == Access.WRITE:
        call.use = use
    elif not call.node.issued.use(use):
        raise sigv4.RequestReplayed


class _Holder(NamedTuple):
    """The holder of a key: the subject, the session token that was opened for it, and the records that say so."""

    subject: Subject
    opened: Opened | None
    origins: tuple[tuple[str, Record | None], ...]


class _Verified(NamedTuple):
    """A bearer token that verified: whose it is, and the first and the last moment at which it would again."""

    holder: _Holder
    region: str
    begins: datetime
    ends: datetime


class _Accepted(NamedTuple):
    """A JWT that verified: whose it is, the key that sealed its credentials, and from when until when it would again."""

    holder: _Holder
    key: str
    begins: datetime
    ends: datetime


def _holder(call: Call, signed: Signed, verify: Callable[[str], None]) -> _Holder:
    """Whose key it is, once `verify` found that its secret made the signature."""
    memory = call.node.world
    if signed.session_token is not None:
        opened = call.node.tokens.open(signed.session_token, signed.access_key_id, call.now)
        verify(opened.credentials.secret_access_key)
        key: tuple[str, str] = ("session", signed.access_key_id)
        found: _Holder | None = memory.get_finding(key)
        if found is None or found.opened is not opened:  # ids of temporary credentials are unique only with their token
            subject = _of_session(opened.session, signed.access_key_id)
            account = memory.get_record(subject.account_id)
            _refuse_inactive(account)
            found = _Holder(subject, opened, ((subject.account_id, account),))
            memory.keep_finding(key, found, subject.account_id, found.origins, _cost(found))
        return found
    key = ("key", signed.access_key_id)
    known: tuple[str, _Holder] | None = memory.get_finding(key)
    if known is not None:
        verify(known[0])
        return known[1]
    # An id of temporary credentials without their token is nobody's, and nobody looks it up.
    record = memory.get_record(signed.access_key_id) if not key_ids.is_temporary(signed.access_key_id) else None
    if not isinstance(record, KeyRecord) or record.status != "Active":
        with suppress(sigv4.SignatureDoesNotMatch, sigv4.RequestExpired):
            verify(_NO_SECRET)  # so that it takes as long as it does for a key that is used
        raise InvalidClientTokenId
    verify(record.secret)
    account = memory.get_record(record.account_id)
    _refuse_inactive(account)
    origins = ((record.id, record), (record.account_id, account))
    found = _Holder(Subject(record.owner_id, record.account_id, record.id), None, origins)
    memory.keep_finding(key, (record.secret, found), record.account_id, origins, 0)
    return found


def _cost(holder: _Holder) -> int:
    """Bytes of a holder, about: of a session, which whoever issues it makes as large as a token may be, its token and its policies."""
    session = holder.subject.session
    if holder.opened is None or session is None:
        return 0
    return session_tokens.weight(holder.opened) + records.cost_of(session.policies)


def _refuse_inactive(account: Record | None) -> None:
    if isinstance(account, AccountRecord) and account.status != "ACTIVE":
        raise sigv4.OptInRequired


def _used(call: Call, holder: _Holder, region: str) -> None:
    """Note that a key was used, or the role of a session."""
    subject = holder.subject
    used = subject.id if subject.session is not None and subject.session.kind == "assumed-role" else subject.access_key_id
    if used.startswith(("AROA", "AKIA")):
        call.node.last_use.note(used, Use(call.now, call.operation.service.prefix, region))


_session_policies: Shares[policy.Attached] = Shares(1024 * 1024, before=cold.may_wait)
"""Characters of session policies that are kept compiled: whoever makes sessions chooses them, and must not displace others' policies."""


def _session_policy(text: str) -> policy.Attached:
    return policy.Attached(policy.compile_policy(policy.parse(text), text=text), name="session policy")


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
            policies=(_session_policies.get(session.account, session.policy, _session_policy),) if session.policy else (),
            policy_ids=session.policy_arns,
            issued_at=session.issued_at,
            expires_at=session.expires_at,
            mfa=session.mfa,
            mfa_at=session.mfa_at,
            provider=session.provider,
            context=dict(session.context),
        ),
    )
