"""Proofs: what callers give to show who they are, beside each other, each of which proves a subject or raises.

A proof is made by an edge and looked at by the pipeline alone: `prove` reads it, finds the secret that verifies it, and verifies. Long-term
secrets come from the world's key records, the secrets of temporary credentials from their own sealed session token. Everything that does
not hold is AWS's InvalidClientTokenId or a relative; MissingAuthenticationToken says that nothing was given.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from sekisho import arn, sigv4
from sekisho.calls import bearers, signers
from sekisho.calls.bearers import ONCE
from sekisho.calls.call import Call
from sekisho.calls.workloads import Workload
from sekisho.journal.last_use import Use
from sekisho.operations.annotations import Access
from sekisho.sigv4 import InvalidClientTokenId, Signed
from sekisho.store import used
from sekisho.world import SessionFacts, Subject

Metadata = Iterable[tuple[str, str | bytes]]

MAX_PRESIGNED = 900
"""Seconds that a presigned request is valid at most, as a bearer token is."""

GRACE = 2.0
"""Seconds: AWS's tools sign no nonce, so two calls of one second that are the same in all else have one signature. Both are honest."""


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
        found = signers.holder(
            call, signed, lambda secret: sigv4.verify_call(signed, secret, self.path, self.body, self.audience, call.now)
        )
        signers.note_use(call, found, signed.scope.region)
        _use(call, found.subject, signed, sigv4.SKEW, grace=0.0)
        return found.subject


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
        found = signers.holder(call, signed, lambda secret: sigv4.verify_http(signed, secret, self.request, call.now, skew=self.skew))
        signers.note_use(call, found, signed.scope.region)
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
            return bearers.of_bearer(authorization[7:], audience)
    return CallSignature(metadata, path, body, audience)


def _refuse_presigned(call: Call, expires: int) -> None:
    """Raise for a presigned request that writes or issues, or is valid for too long."""
    if expires > MAX_PRESIGNED:
        raise sigv4.IncompleteSignature(f"X-Amz-Expires must be a number of seconds from 1 to {MAX_PRESIGNED}.")
    if call.operation.level in ONCE:
        raise sigv4.PresignedRefused(f"Presigned requests can only read: sign {call.operation.action} in the Authorization header.")


def _use(call: Call, subject: Subject, signed: Signed, skew: timedelta, *, grace: float) -> None:
    """Use up a signature that verified, if the operation takes each once. To this worker it is used whatever becomes of the call, and if it
    is to issue, to all workers of the node; to all nodes, once the write is committed that it came with.
    """
    level = call.operation.level
    if level not in ONCE:
        return
    account, signature = subject.account_id, signed.scope.signature
    call.node.replays.use(account, signature, signed.timestamp + skew, call.now, time.monotonic(), grace=grace)
    use = used.use(account, signature, signed.timestamp, call.now, grace=grace)
    if level == Access.WRITE:
        call.use = use
    elif not call.node.issued.use(use):
        raise sigv4.RequestReplayed
