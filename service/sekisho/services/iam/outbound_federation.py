"""Outbound federation: whether an account issues tokens for other services, and under which issuer. sts:GetWebIdentityToken issues them.

An account keeps its issuer's id for ever; its URL is that of the server at which the feature was enabled.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_outbound.html
"""

import secrets
from collections.abc import Callable, Mapping

from sqlalchemy import select

from sekisho.api.iam.v1 import outbound_federation_pb2 as pb
from sekisho.calls.call import Call
from sekisho.credentials import issuer_urls, signing_keys
from sekisho.credentials.signing_keys import Made
from sekisho.operations import operation, prepare
from sekisho.services.iam.errors import FeatureDisabled, FeatureEnabled
from sekisho.store.tables import Issuer, IssuerKey


@operation
def enable_outbound_web_identity_federation(
    call: Call, request: pb.EnableOutboundWebIdentityFederationRequest
) -> pb.EnableOutboundWebIdentityFederationResponse:
    """Pairs of keys that signed before go on to sign."""
    url, made = call.prepared
    found = _row(call)
    if found is not None and found.disabled_at is None:
        raise FeatureEnabled("Outbound web identity federation is already enabled for this account.")
    if found is None:
        found = Issuer(id=url.rpartition("/")[2], account_id=call.account_id, url=url, enabled_at=call.now)
        call.add(found)
    else:
        found.enabled_at, found.disabled_at = call.now, None
        found.url = issuer_urls.of(call.node.issuer_url, found.id)
    has = set(call.session.scalars(select(IssuerKey.algorithm).where(IssuerKey.issuer_id == found.id)))
    for algorithm, pair in made.items():
        if algorithm not in has:
            pair.key.issuer_id = found.id
            for part in pair:
                call.add(part)
    return pb.EnableOutboundWebIdentityFederationResponse(issuer_identifier=found.url)


@prepare(enable_outbound_web_identity_federation)
def _pairs(call: Call, request: pb.EnableOutboundWebIdentityFederationRequest) -> Callable[[], tuple[str, Mapping[str, Made]]]:
    """Pairs of keys, which take a while to make, for an account that has none."""
    account_id, ring, now = call.account_id, call.node.ring, call.now
    known = _row(call)
    url = issuer_urls.of(call.node.issuer_url, known.id if known is not None else f"{issuer_urls.PREFIX}{secrets.token_hex(16)}")
    has = set(call.session.scalars(select(IssuerKey.algorithm).where(IssuerKey.account_id == account_id)))

    def work() -> tuple[str, Mapping[str, Made]]:
        issuer = Issuer(account_id=account_id)  # whose id the transaction knows
        return url, {
            algorithm: signing_keys.make(issuer, algorithm, ring, now) for algorithm in signing_keys.ALGORITHMS if algorithm not in has
        }

    return work


@operation
def disable_outbound_web_identity_federation(
    call: Call, request: pb.DisableOutboundWebIdentityFederationRequest
) -> pb.DisableOutboundWebIdentityFederationResponse:
    """Tokens that were issued stay good until they expire, and can be verified as long."""
    _enabled(call).disabled_at = call.now
    return pb.DisableOutboundWebIdentityFederationResponse()


@operation
def get_outbound_web_identity_federation_info(
    call: Call, request: pb.GetOutboundWebIdentityFederationInfoRequest
) -> pb.GetOutboundWebIdentityFederationInfoResponse:
    """Of an account that has the feature."""
    return pb.GetOutboundWebIdentityFederationInfoResponse(issuer_identifier=_enabled(call).url, jwt_vending_enabled=True)


def _row(call: Call) -> Issuer | None:
    return call.session.scalars(select(Issuer).where(Issuer.account_id == call.account_id)).one_or_none()


def _enabled(call: Call) -> Issuer:
    found = _row(call)
    if found is None or found.disabled_at is not None:
        raise FeatureDisabled("Outbound web identity federation is not enabled for this account.")
    return found
