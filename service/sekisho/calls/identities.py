"""The caller as CloudTrail's `userIdentity` shows it.

Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

import json
from datetime import datetime
from typing import Any, NamedTuple

from sekisho import arn
from sekisho.world import Acting, SessionFacts

_TYPES = {"root": "Root", "user": "IAMUser", "role": "Role", "federated-user": "FederatedUser"}
"""By the kind of the principal; whatever else there is, is a session of a role."""
_ISSUERS = {"root": "Root", "user": "IAMUser", "role": "Role"}
"""The types of those whose credentials a session is of."""

_KEPT = "user_identity"


class Identity(NamedTuple):
    """`userIdentity` as JSON, and the name that LookupEvents finds the caller by: a user's, a session's, or `root`."""

    text: str
    username: str


NOBODY = Identity("{}", "")


class Vouched(NamedTuple):
    """Somebody whom an identity provider vouches for, as the trail shows the call that gave a session: `type` is WebIdentityUser or
    SAMLUser.
    """

    type: str
    principal_id: str
    user_name: str
    provider: str

    @property
    def identity(self) -> Identity:
        """`userIdentity` of the call."""
        shown = {"type": self.type, "principalId": self.principal_id, "userName": self.user_name, "identityProvider": self.provider}
        return Identity(json.dumps(shown), self.user_name)


def of(acting: Acting) -> Identity:
    """Of a composed caller, which keeps it: it is the same for each of its calls."""
    kept: Identity | None = acting.kept.get(_KEPT)
    if kept is None:
        kept = acting.kept[_KEPT] = Identity(json.dumps(_shown(acting)), _username(acting))
    return kept


def elsewhere(acting: Acting) -> Identity:
    """As another account sees the caller: its id and its account alone."""
    shown = {"type": "AWSAccount", "principalId": acting.user_id, "accountId": acting.subject.account_id}
    return Identity(json.dumps(shown), "")


def _shown(acting: Acting) -> dict[str, Any]:
    session, kind = acting.subject.session, acting.principal.kind
    shown: dict[str, Any] = {
        "type": _TYPES.get(kind, "AssumedRole"),
        "principalId": acting.user_id,
        "arn": acting.arn,
        "accountId": acting.subject.account_id,
    }
    if acting.subject.access_key_id:
        shown["accessKeyId"] = acting.subject.access_key_id
    if kind == "user":
        shown["userName"] = _name(acting.arn)
    if session is not None:
        shown["sessionContext"] = _context(acting, session)
    return shown


def _context(acting: Acting, session: SessionFacts) -> dict[str, Any]:
    context: dict[str, Any] = {}
    if session.kind != "session-token":  # which acts as its issuer
        context["sessionIssuer"] = _issuer(acting)
    if session.provider:
        context["webIdFederationData"] = {"federatedProvider": session.provider, "attributes": {}}
    context["attributes"] = {"mfaAuthenticated": "true" if session.mfa else "false"}
    if session.issued_at is not None:
        context["attributes"] = {"creationDate": _moment(session.issued_at)} | context["attributes"]
    if session.source_identity:
        context["sourceIdentity"] = session.source_identity
    return context


def _issuer(acting: Acting) -> dict[str, str]:
    named = arn.entity(acting.issuer)
    kind = named.kind if named is not None else ""
    shown = {
        "type": _ISSUERS.get(kind, "Role"),
        "principalId": acting.subject.id,
        "arn": acting.issuer,
        "accountId": acting.subject.account_id,
    }
    return shown if kind == "root" else shown | {"userName": _name(acting.issuer)}


def _username(acting: Acting) -> str:
    session, kind = acting.subject.session, acting.principal.kind
    if kind == "root":
        return "root"
    return session.name if session is not None and session.name else _name(acting.arn)


def _name(text: str) -> str:
    named = arn.entity(text)
    return named.name if named is not None else ""


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
