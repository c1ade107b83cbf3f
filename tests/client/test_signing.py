"""Each call is signed over the bytes that are sent, with the credentials of the moment."""

from datetime import UTC, datetime

import pytest

from sekisho import sigv4
from sekisho.client import Client, Credentials, Retries, Unauthenticated, token
from sekisho.sigv4 import bearer
from tests.client.conftest import CREDENTIALS
from tests.client.fake import Fake, said

SESSION = Credentials("ASIASESSION", "other secret", "session token")


def verified(fake: Fake, secret: str, audience: str = "sekisho", call: int = 0) -> sigv4.Signed:
    """The signature of a call that arrived, once it holds."""
    arrived = fake.arrived[call]
    signed = sigv4.read_call(arrived.metadata.items())
    sigv4.verify_call(signed, secret, arrived.path, arrived.body, audience, datetime.now(UTC))
    return signed


def test_a_call_is_signed_over_its_bytes(client: Client, fake: Fake) -> None:
    fake.replies = [b""]
    client.iam.create_user(user_name="alice", tags=[{"key": "team", "value": "blue"}])
    assert fake.arrived[0].path == "/sekisho.api.iam.v1.IamService/CreateUser"
    assert verified(fake, "secret").access_key_id == "AKIAALICE"


def test_a_session_sends_its_token(fake: Fake) -> None:
    fake.replies = [b""]
    with Client(fake.endpoint, SESSION) as client:
        client.sts.get_caller_identity()
    assert verified(fake, "other secret").session_token == "session token"


def test_another_audience_is_signed(fake: Fake) -> None:
    fake.replies = [b""]
    with Client(fake.endpoint, CREDENTIALS, audience="sekisho.example") as client:
        client.sts.get_caller_identity()
    assert verified(fake, "secret", "sekisho.example").audience == "sekisho.example"
    with pytest.raises(sigv4.SignatureDoesNotMatch):
        verified(fake, "secret")


def test_a_source_is_asked_for_each_try(fake: Fake) -> None:
    fake.replies = [said("UNAVAILABLE"), b""]
    given = iter([CREDENTIALS, SESSION])
    with Client(fake.endpoint, lambda: next(given), retries=Retries(first=0.0)) as client:
        client.sts.get_caller_identity()
    assert verified(fake, "secret").access_key_id == "AKIAALICE"
    assert verified(fake, "other secret", call=1).access_key_id == "ASIASESSION"


def test_each_try_of_a_write_has_a_nonce_of_its_own(client: Client, fake: Fake) -> None:
    fake.replies = [said("UNAVAILABLE"), b""]
    client.iam.create_access_key(user_name="alice")
    client.sts.get_session_token()
    nonces = [verified(fake, "secret", call=number).nonce for number in range(3)]
    assert len(set(nonces)) == 3
    assert all(nonce is not None and len(nonce) == 22 for nonce in nonces)  # 128 bits in base64


def test_what_only_reads_is_signed_without_a_nonce(client: Client, fake: Fake) -> None:
    fake.replies = [b""]
    client.iam.get_user(user_name="alice")
    client.sts.get_caller_identity()
    assert [verified(fake, "secret", call=number).nonce for number in range(2)] == [None, None]


def test_a_server_of_before_nonces_is_sent_none(client: Client, fake: Fake) -> None:
    fake.replies = [said("UNAUTHENTICATED", aws="IncompleteSignature"), b""]
    client.iam.create_user(user_name="alice")
    client.iam.create_user(user_name="bob")
    assert ["x-sekisho-nonce" in arrived.metadata for arrived in fake.arrived] == [True, False, False]


def test_an_incomplete_signature_without_a_nonce_is_an_error(client: Client, fake: Fake) -> None:
    fake.replies = [said("UNAUTHENTICATED", aws="IncompleteSignature")]
    with pytest.raises(Unauthenticated):
        client.iam.create_user(user_name="alice")
    assert len(fake.arrived) == 2


def test_secrets_are_not_sent_or_shown(client: Client, fake: Fake) -> None:
    fake.replies = [b""]
    client.sts.get_caller_identity()
    assert "secret" not in repr(fake.arrived)
    assert "secret" not in repr(CREDENTIALS)


def test_a_token_is_a_proof_for_its_audience() -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    proof = bearer.parse("Bearer " + token(CREDENTIALS, "sekisho", now, expires=60))
    bearer.verify(proof, "secret", "sekisho", now)
    assert (proof.access_key_id, proof.audience, proof.signed.expires) == ("AKIAALICE", "sekisho", 60)


def test_a_client_makes_tokens_for_a_service(client: Client) -> None:
    assert bearer.parse("Bearer " + client.token(audience="orders.example")).audience == "orders.example"


def test_a_client_makes_tokens_for_its_own_audience(fake: Fake) -> None:
    with Client(fake.endpoint, SESSION, audience="sekisho.example") as client:
        proof = bearer.parse("Bearer " + client.token())
    bearer.verify(proof, "other secret", "sekisho.example", datetime.now(UTC))
    assert proof.session_token == "session token"
