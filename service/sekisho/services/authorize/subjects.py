"""The subject of a question: the holder of a token, the signer of a request, a principal that the caller names, or the caller itself."""

from dataclasses import dataclass, replace

from sekisho import arn, policy
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.calls import bearers, permission, proofs
from sekisho.calls.call import Call
from sekisho.errors import AccessDenied, InvalidArgument, NotFound
from sekisho.operations import Resource
from sekisho.world import NO_KEYS, AccountRecord, PrincipalRecord, Record, SessionFacts, Subject

ASSERT = "authorize:AssertPrincipal"
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
        return bearers.of_bearer(request.bearer_token, request.audience or call.node.audience).prove(call)
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
    key = ("named", call.account_id, text)
    found: _Named | None = call.node.world.get_finding(key)
    if found is None:
        _refuse_foreign(call, text)
    permission.demand(call, ASSERT, Resource(text), NO_KEYS)
    if found is None:
        found = _find(call, text, key)
    if found.role is not None:
        _refuse_denied_role(call, found.role, text)
    if found.subject is None:
        raise NoSuchPrincipal(f"There is no principal `{text}`.")
    return found.subject


def _refuse_foreign(call: Call, text: str) -> None:
    """Raise for what is not the ARN of a principal of the caller's own account."""
    parsed = arn.parse(text)
    if "\0" in text:  # PostgreSQL has no such character, and could not even be asked
        raise InvalidPrincipal("the ARN holds a character that no ARN has")
    if parsed.account != call.account_id:
        raise AccessDenied(f"The account {parsed.account} has not consented that account {call.account_id} asserts its principals.")


@dataclass(frozen=True, slots=True)
class _Named:
    """The subject that an ARN names, None where there is no such; of a role session, the ARN of the role."""

    subject: Subject | None
    role: str | None


def _find(call: Call, text: str, key: tuple[str, str, str]) -> _Named:
    named = arn.entity(text)
    if named is None or named.kind not in _PRINCIPALS:
        raise InvalidPrincipal(f"`{text}` is not the ARN of a user, a role, a role session or a root user")
    is_session = named.kind == "assumed-role"
    if is_session and not arn.is_session_name(named.name):
        raise InvalidPrincipal(f"`{text}` is not the ARN of a role session: its name has 2 to 64 letters, digits and characters of _+=,.@-")
    memory = call.node.world
    id_ = memory.get_id(named)
    record = memory.get_record(id_) if id_ is not None else None
    role = None
    if is_session:  # a role that does not exist is asked about by the ARN that it would have without a path
        role = record.arn if isinstance(record, PrincipalRecord) else arn.iam(named.account, "role", named.role)
    if id_ is None:
        return _Named(None, role)
    found = _Named(Subject(id_, named.account, session=SessionFacts(kind="assumed-role", name=named.name) if is_session else None), role)
    if _bears(record, named, text):
        memory.keep_finding(key, found, named.account, ((id_, record),), 4 * len(text))
    return found


def _bears(record: Record | None, named: arn.Entity, text: str) -> bool:
    """Whether a record says by itself that the ARN is its own: then the ARN is so for as long as memory has the record."""
    if isinstance(record, PrincipalRecord):
        if named.kind == "assumed-role":
            return record.kind == "role" and (record.account_id, record.name) == (named.account, named.role)
        return record.arn == text
    return isinstance(record, AccountRecord) and named.kind == "root" and record.id == named.account


def _refuse_denied_role(call: Call, role: str, text: str) -> None:
    """Raise AccessDenied where asserting the session's role is denied: a session is its role, and is allowed by its own ARN besides."""
    if permission.standing(call, ASSERT, Resource(role), NO_KEYS) in _UNDENIED:
        return
    asked, decision = permission.decide(call, ASSERT, Resource(role), NO_KEYS)
    if decision.outcome is policy.Outcome.EXPLICITLY_DENIED:
        raise AccessDenied(policy.sentence(replace(asked, resource=text), decision))


_UNDENIED = (policy.Outcome.ALLOWED, policy.Outcome.IMPLICITLY_DENIED)
