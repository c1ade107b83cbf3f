"""The caller's own credentials, as an identity token carries them: whoever proves itself with that is the same subject again."""

from sekisho.credentials.identity_tokens import Holder
from sekisho.credentials.sessions import KINDS, Session
from sekisho.errors import Internal
from sekisho.world import Acting, SessionFacts


def of(caller: Acting) -> Holder:
    """The holder of a token that the caller asks for."""
    subject = caller.subject
    session = _session(caller, subject.session) if subject.session is not None else None
    return Holder(subject.account_id, subject.id, subject.access_key_id, session)


def _session(caller: Acting, facts: SessionFacts) -> Session:
    """The session, whole: what cannot be carried is no token."""
    kind = next((kind for kind in KINDS if kind == facts.kind), None)
    texts = [attached.program.text for attached in facts.policies]
    if kind is None or facts.issued_at is None or facts.expires_at is None or len(texts) > 1 or not all(texts):
        raise Internal("the session of the caller cannot be carried by a token")
    return Session(
        kind=kind,
        account=caller.subject.account_id,
        principal_kind=_KINDS.get(caller.subject.id[:4], "root"),
        principal_id=caller.subject.id,
        principal_arn=caller.issuer,
        issued_at=facts.issued_at,
        expires_at=facts.expires_at,
        session_name=facts.name,
        tags=tuple(facts.tags.items()),
        transitive_keys=tuple(sorted(facts.transitive)),
        source_identity=facts.source_identity,
        policy=texts[0] if texts else "",
        policy_arns=facts.policy_ids,
        mfa=facts.mfa,
        mfa_at=facts.mfa_at,
        provider=facts.provider,
        context=tuple(facts.context.items()),
    )


_KINDS = {"AIDA": "user", "AROA": "role"}
