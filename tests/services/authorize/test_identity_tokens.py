"""Tokens of GetWebIdentityToken over both gRPC listeners: as the subject of a question, and as a proof."""

from typing import Any

import grpc
import pytest

from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.errors import SekishoError
from tests.harness import BY_NAME, House
from tests.services.authorize.conftest import Ask, arrived
from tests.services.iam.documents import allow
from tests.services.sts.tokens import SHOP, issued


@pytest.fixture
def ann(house: House) -> Any:
    house.call("EnableOutboundWebIdentityFederation")
    return house.user("ann", allow("orders:Ship", "sts:GetWebIdentityToken", "iam:ListUsers"), allow("authorize:Authorize"))


def carried(channel: grpc.Channel, name: str, token: str, **fields: Any) -> Any:
    """The answer to a call that brings a token and no signature."""
    operation = BY_NAME[name]
    made = channel.unary_unary(operation.path, operation.request.SerializeToString, operation.response.FromString)
    try:
        return made(operation.request(**fields), metadata=(("authorization", f"Bearer {token}"),), timeout=60)
    except grpc.RpcError as error:
        raise arrived(error) from None


def test_a_token_is_the_subject_of_a_question(house: House, ask: Ask, ann: Any) -> None:
    token = issued(house, ann)
    for _ in range(2):  # verified, then remembered
        found = ask(bearer_token=token, audience=SHOP)
        assert (found.outcome, found.principal_arn) == (pb.OUTCOME_ALLOWED, f"arn:aws:iam::{house.account_id}:user/ann")
        assert ask(bearer_token=token, audience=SHOP, action="orders:Refund").outcome == pb.OUTCOME_IMPLICITLY_DENIED
        for audience in ("depot.example.com", ""):
            with pytest.raises(SekishoError) as caught:
                ask(bearer_token=token, audience=audience)
            assert (caught.value.grpc, caught.value.code) == ("UNAUTHENTICATED", "SignatureDoesNotMatch")


def test_a_token_for_us_reads_and_decides(house: House, ann: Any, channel: grpc.Channel) -> None:
    token = issued(house, ann, "sekisho")
    assert carried(channel, "GetCallerIdentity", token).arn == f"arn:aws:iam::{house.account_id}:user/ann"
    assert [user.user_name for user in carried(channel, "ListUsers", token).users] == ["ann"]
    assert carried(channel, "Authorize", token, action="orders:Ship", resource="*").outcome == pb.OUTCOME_ALLOWED
    for name, fields in (("CreateUser", {"user_name": "bob"}), ("GetWebIdentityToken", {"audience": ["a"], "signing_algorithm": "ES384"})):
        with pytest.raises(SekishoError) as caught:
            carried(channel, name, token, **fields)
        assert "A bearer token can only read and decide" in caught.value.message
    with pytest.raises(SekishoError) as caught:
        carried(channel, "GetCallerIdentity", issued(house, ann))
    assert caught.value.code == "SignatureDoesNotMatch"


def test_a_key_that_is_deactivated_ends_what_is_remembered(house: House, ask: Ask, ann: Any, channel: grpc.Channel) -> None:
    for_shop, for_us = issued(house, ann), issued(house, ann, "sekisho")
    assert ask(bearer_token=for_shop, audience=SHOP).outcome == pb.OUTCOME_ALLOWED
    assert carried(channel, "Authorize", for_us, action="orders:Ship", resource="*").outcome == pb.OUTCOME_ALLOWED
    house.call("UpdateAccessKey", user_name="ann", access_key_id=ann.access_key_id, status="Inactive")
    with pytest.raises(SekishoError) as caught:
        ask(bearer_token=for_shop, audience=SHOP)
    assert caught.value.code == "InvalidClientTokenId"
    with pytest.raises(SekishoError) as caught:
        carried(channel, "Authorize", for_us, action="orders:Ship", resource="*")
    assert caught.value.code == "InvalidClientTokenId"
