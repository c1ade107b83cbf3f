"""Sessions of roles for those whom an identity provider vouches for: the trust policy alone decides.

Whoever calls is nobody here; what the provider says of them, verified, is asked of the role's trust policy, with the provider as the
principal. What it said stays with the session, as condition keys. Source:
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html and API_AssumeRoleWithSAML.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from sekisho import policy, world
from sekisho.api.sts.v1 import sessions_pb2 as pb
from sekisho.calls import permission
from sekisho.calls.call import Call
from sekisho.calls.identities import Vouched
from sekisho.credentials import session_tokens
from sekisho.credentials.sessions import Session
from sekisho.errors import AccessDenied
from sekisho.operations import Resource
from sekisho.services.sts import roles, session_policies
from sekisho.services.sts.requests import Limiting
from sekisho.world import Keys, OidcProviderRecord, PrincipalRecord, SamlProviderRecord, Subject

_NOBODY = Subject("", "")


class Federating(Limiting, Protocol):
    """A request for a session of a role, of somebody whom a provider vouches for."""

    @property
    def role_arn(self) -> str:
        """The role."""

    @property
    def duration_seconds(self) -> int:
        """Seconds that the session is to last; 0 when the request does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """What a provider says of somebody, verified. `keys` are the condition keys of it, in lower case; `until` ends the session before its
    time, where the provider says so.
    """

    provider: OidcProviderRecord | SamlProviderRecord
    shown_as: Vouched
    session_name: str
    keys: Keys
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive: Sequence[str] = ()
    source_identity: str = ""
    until: datetime | None = None


class Federated(NamedTuple):
    """What comes of it, for the response; `packed_policy_size` is None where nothing limits or tags the session."""

    credentials: pb.Credentials
    assumed_role_user: pb.AssumedRoleUser
    packed_policy_size: int | None
    source_identity: str | None


def issue(call: Call, request: Federating, said: Assertion) -> Federated:
    """A session of the role that the request names. AccessDenied unless its trust policy grants it, whether there is such a role or not."""
    roles.refuse_no_arn(request.role_arn)
    role = roles.stand_in(call, request.role_arn)
    call.resources = (Resource(request.role_arn),)
    call.recipient, call.vouched = role.account_id, said.shown_as
    _permitted(call, role, said)
    if role.trust is roles.TRUSTS_NOBODY:  # which its trust policy has said already
        raise _denied(call.operation.action)
    seconds = roles.seconds(request.duration_seconds, role, chained=False)
    inline, policy_ids = session_policies.policies(call, request, role.account_id)
    begun = call.now.replace(microsecond=0)
    ends = begun + timedelta(seconds=seconds)
    session = Session(
        kind="assumed-role",
        account=role.account_id,
        principal_kind="role",
        principal_id=role.id,
        principal_arn=role.arn,
        session_name=said.session_name,
        tags=tuple(said.tags.items()),
        transitive_keys=tuple(sorted(said.transitive)),
        source_identity=said.source_identity,
        policy=inline,
        policy_arns=policy_ids,
        issued_at=begun,
        expires_at=min(ends, said.until.replace(microsecond=0)) if said.until is not None else ends,
        provider=said.provider.arn,
        context=tuple(said.keys.items()),
    )
    credentials = roles.issue(call, session)
    limited = request.policy or request.policy_arns or said.tags
    return Federated(
        credentials=credentials,
        assumed_role_user=roles.assumed(role, said.session_name),
        packed_policy_size=session_tokens.packed_size_percent(credentials.session_token) if limited else None,
        source_identity=said.source_identity or None,
    )


def _permitted(call: Call, role: PrincipalRecord, said: Assertion) -> None:
    """Each action that the session takes must be granted by the trust policy to the provider, which must be of the role's account, and
    there still, unchanged.
    """
    assert role.trust is not None
    who = world.Acting(
        subject=_NOBODY, principal=policy.Principal("federated", "", "", provider=said.provider.arn), keys=said.keys, identity=()
    )
    actions = [call.operation.action]
    if said.tags:
        actions.append("sts:TagSession")
    if said.source_identity:
        actions.append("sts:SetSourceIdentity")
    resource, given = Resource(role.arn, tags=role.tags), _given(said)
    for action in actions:
        decision = permission.decide_vouched(call, who, action, resource, given, role.trust)
        # Looked at after the decision: a change of either that came before it is then known.
        unchanged = call.node.world.get_record(said.provider.id) == said.provider
        if not decision.allowed or not unchanged or said.provider.account_id != role.account_id:
            raise _denied(action)


def _given(said: Assertion) -> Keys:
    """The keys of the request that the provider makes in place of the caller."""
    keys: dict[str, str | tuple[str, ...]] = {"sts:rolesessionname": said.session_name}
    if said.source_identity:
        keys["sts:sourceidentity"] = said.source_identity
    if said.transitive:
        keys["sts:transitivetagkeys"] = tuple(said.transitive)
    if said.tags:
        keys["aws:tagkeys"] = tuple(said.tags)
        keys |= {f"aws:requesttag/{key.lower()}": value for key, value in said.tags.items()}
    return keys


def _denied(action: str) -> AccessDenied:
    return AccessDenied(f"Not authorized to perform {action}")
