"""Answers are signed with the secret of whoever called, where there is one."""

from types import SimpleNamespace
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.calls import answers, proofs
from sekisho.calls.bearers import Bearer, IdentityToken
from sekisho.sigv4 import Credentials, bearer
from tests.calls.fakes import KEY, NOW, FakeNode

TEMPORARY = Credentials("ASIADEPLOYDEPLOYDEPL", "of the session", "token")
OWN = Credentials(KEY, "secret")


def signature(credentials: Credentials) -> proofs.CallSignature:
    metadata = sigv4.sign_call(credentials, "/a.B/C", b"body", "sekisho", NOW)
    return proofs.CallSignature(metadata, "/a.B/C", b"body", "sekisho")


def beside(proof: proofs.Proof) -> proofs.Certified:
    return proofs.Certified(proofs.Certificate(None), proof)


def token(credentials: Credentials) -> Bearer:
    return Bearer(bearer.make(credentials, "sekisho", NOW), "sekisho")


@pytest.mark.parametrize(
    ("proof", "secret"),
    [
        (signature(OWN), "secret"),
        (token(OWN), "secret"),
        (signature(TEMPORARY), "opened"),
        (token(TEMPORARY), "opened"),
        (beside(signature(OWN)), "secret"),
        (beside(token(TEMPORARY)), "opened"),
        (beside(proofs.CallSignature((), "/a.B/C", b"", "sekisho")), None),
        (proofs.CallSignature((("user-agent", "x"),), "/a.B/C", b"", "sekisho"), None),
        (IdentityToken("a.b.c", "sekisho"), None),
        (proofs.Certificate(None), None),
        (signature(Credentials("AKIANOBODYNOBODYNOBO", "secret")), None),
        (None, None),
    ],
)
def test_the_secret_of_an_answer_is_that_of_the_proof(proof: Any, secret: str | None) -> None:
    asked: list[Any] = []

    def opened(*given: Any) -> Any:
        asked.append(given)
        return SimpleNamespace(credentials=Credentials("ASIADEPLOYDEPLOYDEPL", "opened"))

    node = FakeNode(tokens=SimpleNamespace(open=opened))
    assert answers.secret(node.call("WatchChanges", None), proof) == secret
    assert asked == ([("token", TEMPORARY.access_key_id, NOW)] if secret == "opened" else [])


def test_an_answer_is_signed_for_its_call_and_its_place() -> None:
    call = FakeNode().call("WatchChanges", secret="shared")
    path = call.operation.path
    made = answers.sign(call, b"nonce", 3, b"content")
    assert made.content == b"content"
    assert sigv4.verify_answer("shared", path, b"nonce", 3, b"content", made.signature)
    assert not sigv4.verify_answer("shared", path, b"nonce", 4, b"content", made.signature)
    call.secret = None
    bare = answers.sign(call, b"nonce", 3, b"content")
    assert (bare.content, bare.signature) == (b"content", b"")
