"""AssumeRoleWithWebIdentity step by step: what each has of the one before, of a world in a dictionary."""

import dataclasses
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho import arn
from sekisho.api.sts.v1 import web_identities_pb2 as pb
from sekisho.calls.identities import Vouched
from sekisho.credentials.errors import InvalidIdentityToken
from sekisho.credentials.oidc import tokens
from sekisho.credentials.oidc.discovery import Source
from sekisho.credentials.oidc.tokens import Identity
from sekisho.errors import RequestTimeout, SekishoError, Unimplemented, ValidationError
from sekisho.services.sts import federated_sessions, web_identities
from sekisho.services.sts.federated_sessions import Assertion
from sekisho.world import AccountRecord, OidcProviderRecord
from tests.calls import fakes

ISSUER = "login.example.com/realms/Shop"
IDP = OidcProviderRecord("A" * 32, fakes.ACCOUNT, f"arn:aws:iam::{fakes.ACCOUNT}:oidc-provider/{ISSUER}", ISSUER, ("shop",), ("0" * 40,))
SAID = Identity("alice", "shop", "", None, {}, (), "")


def said(**fields: Any) -> Any:
    """The claims that are made of what a provider says."""
    return web_identities._assertion(IDP, dataclasses.replace(SAID, **fields), "s1")


def test_what_is_made_of_a_plain_token() -> None:
    shown = Vouched("WebIdentityUser", f"{IDP.arn}:shop:alice", "alice", IDP.arn)
    keys = {f"{ISSUER.lower()}:aud": "shop", f"{ISSUER.lower()}:sub": "alice"}
    assert said() == Assertion(provider=IDP, shown_as=shown, session_name="s1", keys=keys)


def test_what_is_made_of_all_that_a_token_can_say() -> None:
    made = said(authorized_party="app", methods=(), tags={"Team": "red", "zone": ""}, transitive=("ZONE", "team"), source_identity="anna")
    prefix = ISSUER.lower()
    assert made.keys == {f"{prefix}:aud": "shop", f"{prefix}:sub": "alice", f"{prefix}:azp": "app", f"{prefix}:amr": ()}
    assert (made.tags, made.transitive, made.source_identity, made.until) == ({"Team": "red", "zone": ""}, ("ZONE", "team"), "anna", None)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tags": {"a": "", "A": ""}}, "Duplicate tag keys found. Please note that Tag keys are case insensitive."),
        ({"tags": {"aws:a": ""}}, "Tag keys beginning with aws: are reserved for system use."),
        ({"tags": {"a": "x" * 257}}, ".*tags.*"),
        ({"source_identity": "a b"}, ".*sourceIdentity.*"),
        ({"transitive": ("a",)}, "The specified transitive tag key must be included in the requested tags."),
        ({"tags": {"a": ""}, "transitive": ("a", "b")}, "The specified transitive tag key must be included in the requested tags."),
    ],
)
def test_what_a_token_asks_for_in_vain(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidIdentityToken) as caught:
        said(**fields)
    assert re.fullmatch(message, caught.value.message)


def noting(seen: list[Any], answer: object) -> Callable[..., object]:
    """A function that notes what it is given, and gives this answer."""

    def noted(*given: object) -> object:
        seen.append(given)
        return answer

    return noted


def test_each_step_has_what_the_one_before_found(monkeypatch: pytest.MonkeyPatch) -> None:
    read = SimpleNamespace(issuer=ISSUER, fitting="fitting")
    issued = SimpleNamespace(credentials=None, assumed_role_user=None, packed_policy_size=17, source_identity="anna")
    seen: list[Any] = []
    node = fakes.FakeNode(key_sets=SimpleNamespace(find=noting(seen, "keys")))
    node.world.put(IDP)
    monkeypatch.setattr(tokens, "read", {"text": read}.__getitem__)
    monkeypatch.setattr(tokens, "verified", noting(seen, SAID))
    monkeypatch.setattr(federated_sessions, "issue", noting(seen, issued))
    monkeypatch.setattr(node.world, "get_id", {arn.Entity(fakes.ACCOUNT, "oidc-provider", "/", ISSUER): IDP.id}.get)
    call = node.call("AssumeRoleWithWebIdentity", None)
    request = pb.AssumeRoleWithWebIdentityRequest(role_arn=IDP.arn, role_session_name="s1", web_identity_token="text")
    made = web_identities.assume_role_with_web_identity(call, request)
    assert seen == [
        (Source(fakes.ACCOUNT, ISSUER, IDP.thumbprints), "fitting", fakes.NEVER),
        (read, "keys", ISSUER, ("shop",), fakes.NOW),
        (call, request, said()),
    ]
    told = (made.subject_from_web_identity_token, made.provider, made.audience, made.packed_policy_size, made.source_identity)
    assert told == ("alice", IDP.arn, "shop", 17, "anna")
    call.deadline = 0.0
    with pytest.raises(RequestTimeout):
        web_identities.assume_role_with_web_identity(call, request)


def refusal(**fields: Any) -> tuple[type[SekishoError], str]:
    """Why there is no session."""
    call = fakes.FakeNode().call("AssumeRoleWithWebIdentity", None)
    request = pb.AssumeRoleWithWebIdentityRequest(**{"role_arn": IDP.arn, "role_session_name": "s1", "web_identity_token": "x", **fields})
    with pytest.raises(SekishoError) as caught:
        web_identities.assume_role_with_web_identity(call, request)
    return type(caught.value), caught.value.message


def test_what_is_refused_whatever_the_token() -> None:
    assert refusal(role_arn="x" * 20) == (ValidationError, f"{'x' * 20} is invalid")
    assert refusal(provider_id="www.example.com") == (
        Unimplemented,
        "ProviderId is not supported: there are no providers of OAuth 2.0 access tokens here.",
    )
    assert refusal(minimum_session_token_size=1) == (Unimplemented, "MinimumSessionTokenSize is not supported.")
    assert refusal()[0] is InvalidIdentityToken


@pytest.mark.parametrize("issuer", ["none", "gone", "odd", "x" * 300])
def test_a_provider_that_is_not_there(monkeypatch: pytest.MonkeyPatch, issuer: str) -> None:
    node = fakes.FakeNode()
    node.world.put(AccountRecord("odd", "ACTIVE"))
    node.world.records["gone"] = None
    monkeypatch.setattr(node.world, "get_id", lambda named: named.name if named.name in ("gone", "odd") else None)
    monkeypatch.setattr(node.world, "get_record", node.world.records.__getitem__)  # nobody asks for what has no id
    with pytest.raises(InvalidIdentityToken) as caught:
        web_identities._provider(node.call("AssumeRoleWithWebIdentity", None), fakes.ACCOUNT, issuer)
    assert caught.value.message == f"No OpenIDConnect provider found in your account for https://{issuer[:255]}"
