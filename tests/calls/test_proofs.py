"""The proof that a call's metadata has: a bearer token where it is the only authorization, else a signature over the call."""

from typing import Any

import pytest

from sekisho.calls import bearers, proofs

TOKEN = ("authorization", "Bearer abc")
BEARER = bearers.Bearer("abc", "sekisho")


@pytest.mark.parametrize(
    ("metadata", "bearer"),
    [
        ((TOKEN,), True),
        ((("user-agent", "tests"), TOKEN, ("x-amz-date", "20260101T000000Z")), True),
        ((("authorization", b"bytes"), TOKEN), True),
        ((("authorization", "bEARER  abc "),), True),
        ((TOKEN, TOKEN), False),
        ((("authorization", "AWS4-HMAC-SHA256 abc"),), False),
        ((("authorization", "Bearerabc"),), False),
        ((("x-authorization", "Bearer abc"),), False),
        ((), False),
    ],
)
def test_a_bearer_token_is_the_only_authorization(metadata: Any, bearer: bool) -> None:
    expected = BEARER if bearer else proofs.CallSignature(metadata, "/a.B/C", b"body", "sekisho")
    assert proofs.of_metadata(metadata, "/a.B/C", b"body", "sekisho") == expected
