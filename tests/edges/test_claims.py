"""Whose a call says it is: for fair shares of threads, from what is not verified yet."""

import json
from base64 import urlsafe_b64encode
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho.edges import claims

KNOWN = "111122223333"


def encoded(value: Any) -> str:
    return urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).rstrip(b"=").decode()


def token(account: str) -> str:
    said = {"https://sts.amazonaws.com/": {"aws_account": account}, "aud": ["a" * 1000] * 10}
    return f"{encoded({'alg': 'ES384', 'kid': 'k' * 43, 'typ': 'JWT'})}.{encoded(said)}.{'A' * 128}"


@pytest.mark.parametrize(
    ("authorization", "account"),
    [
        (f"Bearer {token(KNOWN)}", KNOWN),
        (f"bearer  {token(KNOWN)}", KNOWN),
        (f"Bearer {token('444455556666')}", ""),
        (f"Bearer {token('11112222333')}", ""),
        ("Bearer ..", ""),
        ("Bearer a.b.c", ""),
        ("Bearer é.é.é", ""),
        ("Bearer .", ""),
    ],
)
def test_the_account_that_a_jwt_claims(authorization: str, account: str) -> None:
    node: Any = SimpleNamespace(world=SimpleNamespace(has_record=lambda id_: id_ == KNOWN))
    assert claims.of_metadata(node, [("authorization", authorization)]) == (account, False)
