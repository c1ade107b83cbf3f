"""AssumeRoleWithSAML: a response of an identity provider for a session of a role. Each response is taken once.

Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithSAML.html
"""

from base64 import b64decode

from sekisho import arn
from sekisho.api.sts.v1 import saml_sessions_pb2 as pb
from sekisho.calls import one_time_proofs
from sekisho.calls.call import Call
from sekisho.calls.identities import Vouched
from sekisho.calls.turns import Turns
from sekisho.credentials import key_ring, saml
from sekisho.credentials.errors import ExpiredTokenException, IDPRejectedClaim, InvalidIdentityToken
from sekisho.operations import operation
from sekisho.services.sts import federated_sessions, saml_claims, session_policies
from sekisho.world import SamlProviderRecord

_SAYS = {saml.Expired: ExpiredTokenException, saml.Rejected: IDPRejectedClaim}

_turns = Turns()
"""Of those who have responses read, one account's does at any time: it takes milliseconds, and anybody may send anything."""


@operation
def assume_role_with_saml(call: Call, request: pb.AssumeRoleWithSAMLRequest) -> pb.AssumeRoleWithSAMLResponse:
    """The response is used up when all else is decided, before the credentials leave: without the database none do."""
    session_policies.refuse_token_size(request)
    provider = _provider(call, request.principal_arn)
    facts = _facts(call, request, provider)
    claims = saml_claims.claims(facts, request.role_arn, request.principal_arn)
    qualifier = saml_claims.name_qualifier(provider)
    ends = (facts.session_not_on_or_after, call.now + claims.lasts if claims.lasts is not None else None)
    said = federated_sessions.Assertion(
        provider=provider,
        shown_as=Vouched("SAMLUser", f"{qualifier}:{facts.name_id}", facts.name_id, qualifier),
        session_name=claims.session_name,
        keys=saml_claims.keys(facts, provider),
        tags=claims.tags,
        transitive=claims.transitive,
        source_identity=claims.source_identity,
        until=min((end for end in ends if end is not None), default=None),
    )
    federated = federated_sessions.issue(call, request, said)
    if not one_time_proofs.take_assertion(call, provider.account_id, f"{facts.issuer} {facts.id}", facts.issued_at):
        raise InvalidIdentityToken("The SAML assertion was used before.")
    return pb.AssumeRoleWithSAMLResponse(
        credentials=federated.credentials,
        assumed_role_user=federated.assumed_role_user,
        packed_policy_size=federated.packed_policy_size,
        subject=facts.name_id,
        subject_type=saml_claims.subject_type(facts),
        issuer=facts.issuer,
        audience=facts.recipient,
        name_qualifier=qualifier,
        source_identity=federated.source_identity,
    )


def _provider(call: Call, text: str) -> SamlProviderRecord:
    named = arn.entity(text)
    id_ = call.node.world.get_id(named) if named is not None and named.kind == "saml-provider" else None
    record = call.node.world.get_record(id_) if id_ is not None else None
    if not isinstance(record, SamlProviderRecord) or record.arn != text:
        raise InvalidIdentityToken("Specified provider doesn't exist")
    return record


def _facts(call: Call, request: pb.AssumeRoleWithSAMLRequest, provider: SamlProviderRecord) -> saml.Facts:
    """What the response says; its private keys are opened for one that is encrypted alone."""
    held = saml.Provider(
        issuer=provider.issuer,
        certificates=tuple(b64decode(one) for one in provider.certificates),
        valid_until=provider.valid_until,
        private_keys=lambda: _private_keys(call, provider),
        encrypted=provider.encryption_mode == "Required",
    )
    try:
        with _turns.turn(provider.account_id, call.deadline):
            return saml.read(request.saml_assertion, held, call.node.saml_recipients, call.now)
    except saml.SamlError as error:
        raise _SAYS.get(type(error), InvalidIdentityToken)(error.message) from None


def _private_keys(call: Call, provider: SamlProviderRecord) -> tuple[bytes, ...]:
    """The keys that open what the provider encrypts, in PEM; NoWritePath on a node that only reads, which has none."""
    _ = call.node.primary
    return tuple(_opened(call, id_, sealed) for id_, sealed in provider.private_keys)


def _opened(call: Call, id_: str, sealed: str) -> bytes:
    return call.node.ring.unseal(key_ring.CERTIFICATES, b64decode(sealed), ("saml_private_keys", "private_key", id_))
