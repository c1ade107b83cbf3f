"""Whose a key is: the subject that is behind a signature, with the records that say so, found again until one of them is another."""

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from sekisho import policy, sigv4
from sekisho.calls.call import Call
from sekisho.credentials import key_ids, session_tokens
from sekisho.credentials.session_tokens import Opened
from sekisho.credentials.sessions import Session
from sekisho.journal.last_use import Use
from sekisho.memory import cold, records
from sekisho.policy.shares import Shares
from sekisho.sigv4 import InvalidClientTokenId, Signed
from sekisho.world import AccountRecord, KeyRecord, Record, SessionFacts, Subject

_NO_SECRET = "-" * 40
"""In the place of the secret of a key that is not there, or is not used."""


class Holder(NamedTuple):
    """The holder of a key: the subject, the session token that was opened for it, and the records that say so."""

    subject: Subject
    opened: Opened | None
    origins: tuple[tuple[str, Record | None], ...]


def holder(call: Call, signed: Signed, verify: Callable[[str], None]) -> Holder:
    """Whose key it is, once `verify` found that its secret made the signature."""
    memory = call.node.world
    if signed.session_token is not None:
        opened = call.node.tokens.open(signed.session_token, signed.access_key_id, call.now)
        verify(opened.credentials.secret_access_key)
        key: tuple[str, str] = ("session", signed.access_key_id)
        found: Holder | None = memory.get_finding(key)
        if found is None or found.opened is not opened:  # ids of temporary credentials are unique only with their token
            subject = of_session(opened.session, signed.access_key_id)
            account = memory.get_record(subject.account_id)
            refuse_inactive(account)
            found = Holder(subject, opened, ((subject.account_id, account),))
            memory.keep_finding(key, found, subject.account_id, found.origins, cost(found))
        return found
    key = ("key", signed.access_key_id)
    known: tuple[str, Holder] | None = memory.get_finding(key)
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
    refuse_inactive(account)
    origins = ((record.id, record), (record.account_id, account))
    found = Holder(Subject(record.owner_id, record.account_id, record.id), None, origins)
    memory.keep_finding(key, (record.secret, found), record.account_id, origins, 0)
    return found


def cost(of: Holder) -> int:
    """Bytes of a holder, about: of a session, which whoever issues it makes as large as a token may be, its token and its policies."""
    session = of.subject.session
    if of.opened is None or session is None:
        return 0
    return session_tokens.weight(of.opened) + records.cost_of(session.policies)


def refuse_inactive(account: Record | None) -> None:
    """Raise OptInRequired for an account that is not active."""
    if isinstance(account, AccountRecord) and account.status != "ACTIVE":
        raise sigv4.OptInRequired


def note_use(call: Call, of: Holder, region: str) -> None:
    """Note that a key was used, or the role of a session."""
    subject = of.subject
    used = subject.id if subject.session is not None and subject.session.kind == "assumed-role" else subject.access_key_id
    if used.startswith(("AROA", "AKIA")):
        call.node.last_use.note(used, Use(call.now, call.operation.service.prefix, region))


_session_policies: Shares[policy.Attached] = Shares(1024 * 1024, before=cold.may_wait)
"""Characters of session policies that are kept compiled: whoever makes sessions chooses them, and must not displace others' policies."""


def _session_policy(text: str) -> policy.Attached:
    return policy.Attached(policy.compile_policy(policy.parse(text), text=text), name="session policy")


def of_session(session: Session, access_key_id: str) -> Subject:
    """The subject of a session, its policy compiled."""
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
