"""AssumeRoleWithWebIdentity: a token of an OpenID Connect provider in the place of a signature.

Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
"""

from sekisho import arn
from sekisho.api.sts.v1 import sessions_pb2
from sekisho.api.sts.v1 import web_identities_pb2 as pb
from sekisho.calls.call import Call
from sekisho.calls.identities import Vouched
from sekisho.credentials.oidc import tokens
from sekisho.credentials.oidc.discovery import Source
from sekisho.credentials.oidc.tokens import Identity
from sekisho.errors import SekishoError, Unimplemented
from sekisho.operations import operation, validation
from sekisho.services.sts import federated_sessions, roles, session_policies
from sekisho.services.sts.errors import InvalidIdentityToken
from sekisho.services.sts.federated_sessions import Assertion
from sekisho.store.db import remaining
from sekisho.world import Keys, OidcProviderRecord


@operation
def assume_role_with_web_identity(call: Call, request: pb.AssumeRoleWithWebIdentityRequest) -> pb.AssumeRoleWithWebIdentityResponse:
    """A token that holds is asked of the role's trust policy; whether there is such a role is not said before."""
    roles.refuse_no_arn(request.role_arn)
    session_policies.refuse_token_size(request)
    if request.provider_id:
        raise Unimplemented("ProviderId is not supported: there are no providers of OAuth 2.0 access tokens here.")
    token = tokens.read(request.web_identity_token)
    provider = _provider(call, arn.account_of(request.role_arn), token.issuer)
    source = Source(provider.account_id, provider.issuer, provider.thumbprints)
    keys = call.node.key_sets.find(source, token.fitting, call.deadline)
    remaining(call.deadline)
    said = tokens.verified(token, keys, provider.issuer, provider.client_ids, call.now)
    made = federated_sessions.issue(call, request, _assertion(provider, said, request.role_session_name))
    return pb.AssumeRoleWithWebIdentityResponse(
        credentials=made.credentials,
        subject_from_web_identity_token=said.subject,
        assumed_role_user=made.assumed_role_user,
        packed_policy_size=made.packed_policy_size,
        provider=provider.arn,
        audience=said.audience,
        source_identity=made.source_identity,
    )


def _provider(call: Call, account: str, issuer: str) -> OidcProviderRecord:
    """The provider of an issuer in an account, spelled as the token spells it; what is not there takes the same steps."""
    id_ = call.node.world.get_id(arn.Entity(account, "oidc-provider", "/", issuer))
    record = call.node.world.get_record(id_) if id_ is not None else None
    if not isinstance(record, OidcProviderRecord):
        raise InvalidIdentityToken(f"No OpenIDConnect provider found in your account for {tokens.SCHEME}{issuer[:255]}")
    return record


def _assertion(provider: OidcProviderRecord, said: Identity, session_name: str) -> Assertion:
    tags = _tags(said)
    return Assertion(
        provider=provider,
        shown_as=Vouched("WebIdentityUser", f"{provider.arn}:{said.audience}:{said.subject}", said.subject, provider.arn),
        session_name=session_name,
        keys=_keys(provider.issuer, said),
        tags=tags,
        transitive=said.transitive,
        source_identity=said.source_identity,
    )


def _keys(issuer: str, said: Identity) -> Keys:
    """The condition keys that the provider owns. Source:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif
    """
    prefix = issuer.lower()
    keys: dict[str, str | tuple[str, ...]] = {f"{prefix}:aud": said.audience, f"{prefix}:sub": said.subject}
    if said.authorized_party:
        keys[f"{prefix}:azp"] = said.authorized_party
    if said.methods is not None:
        keys[f"{prefix}:amr"] = said.methods
    return keys


def _tags(said: Identity) -> dict[str, str]:
    """The tags of the session, held to what AssumeRole takes; so is the source identity."""
    request = sessions_pb2.AssumeRoleRequest(
        role_arn="arn:aws:iam::123456789012:role/any",
        role_session_name="any",
        tags=[sessions_pb2.Tag(key=key, value=value) for key, value in said.tags.items()],
        transitive_tag_keys=said.transitive,
        source_identity=said.source_identity or None,
    )
    try:
        validation.check(request)
        tags = session_policies.tags(request)
    except SekishoError as error:
        raise InvalidIdentityToken(error.message) from None
    if not {key.lower() for key in said.transitive} <= {key.lower() for key in tags}:
        raise InvalidIdentityToken("The specified transitive tag key must be included in the requested tags.")
    return tags
