"""The subject of a question: the holder of a token, the signer of a request, a principal that the caller names, or the caller itself."""

from dataclasses import replace

from sekisho import arn, policy
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.calls import permission, proofs
from sekisho.calls.call import Call
from sekisho.errors import AccessDenied, InvalidArgument, NotFound
from sekisho.operations import Resource
from sekisho.world import NO_KEYS, PrincipalRecord, SessionFacts, Subject

_ASSERT = "authorize:AssertPrincipal"
_PRINCIPALS = frozenset(("user", "role", "assumed-role", "root"))


class NoSuchPrincipal(NotFound):
    """There is no principal with this ARN."""


class InvalidPrincipal(InvalidArgument):
    """The ARN is not one of a user, a role, a role session or a root user."""


def subject(call: Call, request: pb.AuthorizeRequest) -> Subject:
    """The subject of a question; a proof that does not hold is an error, never another subject."""
    kind = request.WhichOneof("subject")
    if kind is None:
        return call.caller.subject
    if kind == "bearer_token":
        return proofs.Bearer(request.bearer_token, request.audience or call.node.audience).prove(call)
    if kind == "signed_request":
        return _signed(request.signed_request).prove(call)
    return _named(call, request.principal_arn)


def _signed(given: pb.SignedRequest) -> proofs.Proof:
    headers = [(name.lower(), value) for name, value in given.headers.items()]
    return proofs.CallSignature(headers, given.path, given.body, given.audience)


def _named(call: Call, text: str) -> Subject:
    """A principal that the caller vouches for. It takes authorize:AssertPrincipal on the principal; and, since no account can yet
    consent to it, a principal of another account cannot be named at all.
    """
    parsed = arn.parse(text)
    if "\0" in text:  # PostgreSQL has no such character, and could not even be asked
        raise InvalidPrincipal("the ARN holds a character that no ARN has")
    if parsed.account != call.account_id:
        raise AccessDenied(f"The account {parsed.account} has not consented that account {call.account_id} asserts its principals.")
    permission.demand(call, _ASSERT, Resource(text), NO_KEYS)
    named = arn.entity(text)
    if named is None or named.kind not in _PRINCIPALS:
        raise InvalidPrincipal(f"`{text}` is not the ARN of a user, a role, a role session or a root user")
    if named.kind == "assumed-role" and not arn.is_session_name(named.name):
        raise InvalidPrincipal(f"`{text}` is not the ARN of a role session: its name has 2 to 64 letters, digits and characters of _+=,.@-")
    id_ = call.node.world.get_id(named)
    if named.kind == "assumed-role":
        _refuse_denied_role(call, named, id_, text)
    if id_ is None:
        raise NoSuchPrincipal(f"There is no principal `{text}`.")
    session = SessionFacts(kind="assumed-role", name=named.name) if named.kind == "assumed-role" else None
    return Subject(id_, named.account, session=session)


def _refuse_denied_role(call: Call, session: arn.Entity, id_: str | None, text: str) -> None:
    """Raise AccessDenied where asserting the session's role is denied: a session is its role, and is allowed by its own ARN besides.

    A role that does not exist is asked about by the ARN that it would have without a path.
    """
    record = call.node.world.get_record(id_) if id_ is not None else None
    role = record.arn if isinstance(record, PrincipalRecord) else arn.iam(session.account, "role", session.role)
    asked, decision = permission.decide(call, _ASSERT, Resource(role), NO_KEYS)
    if decision.outcome is policy.Outcome.EXPLICITLY_DENIED:
        raise AccessDenied(policy.sentence(replace(asked, resource=text), decision))
