"""Sessions for those whom a provider vouches for, step by step: of a world in a dictionary."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

import pytest

from sekisho.api.sts.v1 import web_identities_pb2 as pb
from sekisho.calls import permission
from sekisho.calls.identities import Vouched
from sekisho.credentials.sessions import Session
from sekisho.errors import AccessDenied, SekishoError, ValidationError
from sekisho.services.sts import federated_sessions
from sekisho.services.sts.federated_sessions import Assertion
from sekisho.world import OidcProviderRecord, PolicyRecord, PrincipalRecord
from tests.calls.fakes import ACCOUNT, NOW, OTHER, FakeNode, attached

WEB = "sts:AssumeRoleWithWebIdentity"
ALL = (WEB, "sts:TagSession", "sts:SetSourceIdentity")
CLERK, CLERK_ARN = "AROACLERKCLERKCLERKC", f"arn:aws:iam::{ACCOUNT}:role/shop/clerk"
IDP = f"arn:aws:iam::{ACCOUNT}:oidc-provider/login.example.com"
PROVIDER = OidcProviderRecord("A" * 32, ACCOUNT, IDP, "login.example.com", ("shop",), ("0" * 40,))
SHIP = f"arn:aws:iam::{ACCOUNT}:policy/ship"
DOCUMENT = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"orders:*","Resource":"*"}}'
ANA = Vouched("WebIdentityUser", "p", "ana", IDP)
KEYS: dict[str, str | tuple[str, ...]] = {"login.example.com:sub": "ana", "login.example.com:amr": ("pwd", "otp")}


def trust(*actions: str, effect: str = "Allow", **more: Any) -> Any:
    """A trust policy for the provider."""
    return attached(*(actions or ALL), effect=effect, Principal={"Federated": IDP}, **more)


@pytest.fixture
def node() -> FakeNode:
    made = FakeNode(ring="ring")
    made.world.put(PrincipalRecord(CLERK, ACCOUNT, "role", "clerk", CLERK_ARN, tags={"desk": "1"}, trust=trust(), max_session_seconds=7200))
    made.world.put(PROVIDER, PolicyRecord("ANPASHIP", SHIP, attached("orders:Ship")))
    ids, get_id = {("policy", "ship"): "ANPASHIP"}, made.world.get_id
    made.world.get_id = lambda named: ids.get((named.kind, named.name)) or get_id(named)
    return made


Issue = Callable[..., Any]


@pytest.fixture
def issue(node: FakeNode, issued: list[Session]) -> Issue:
    """A session for Ana, with what is said of her beside; the call is kept as `node.made`."""

    def call(said: dict[str, Any] | None = None, **fields: Any) -> Any:
        node.made = node.call("AssumeRoleWithWebIdentity", None)
        request = pb.AssumeRoleWithWebIdentityRequest(**{"role_arn": CLERK_ARN, **fields})
        assertion = Assertion(**{"provider": PROVIDER, "shown_as": ANA, "session_name": "s-1", "keys": KEYS, **(said or {})})
        return federated_sessions.issue(node.made, request, assertion)

    return call


def refusal(issue: Issue, *given: Any, **fields: Any) -> tuple[type[SekishoError], str]:
    """Why a call is refused."""
    with pytest.raises(SekishoError) as caught:
        issue(*given, **fields)
    return type(caught.value), caught.value.message


def denied(action: str = WEB) -> tuple[type[SekishoError], str]:
    """The answer to whoever is not permitted."""
    return AccessDenied, f"Not authorized to perform {action}"


PLAIN = Session(
    "assumed-role", ACCOUNT, "role", CLERK, CLERK_ARN, NOW, NOW + timedelta(hours=1), "s-1", provider=IDP, context=tuple(KEYS.items())
)


def test_a_session_and_nothing_else(node: FakeNode, issue: Issue, issued: list[Session]) -> None:
    made = issue()
    assert issued == [PLAIN]
    assert (made.credentials.session_token, made.assumed_role_user.assumed_role_id) == ("token", f"{CLERK}:s-1")
    assert made.assumed_role_user.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/clerk/s-1"
    assert made.credentials.expiration.ToDatetime(UTC) == NOW + timedelta(hours=1)
    assert (made.packed_policy_size, made.source_identity) == (None, None)
    assert [one.arn for one in node.made.resources] == [CLERK_ARN]
    assert (node.made.recipient, node.made.vouched) == (ACCOUNT, ANA)


def test_all_that_is_said_and_asked_for(issue: Issue, issued: list[Session]) -> None:
    said = {"tags": {"zone": "1", "Area": ""}, "transitive": ["zone", "Area"], "source_identity": "anna"}
    made = issue(said, duration_seconds=7200, policy=DOCUMENT, policy_arns=[{"arn": SHIP}])
    assert issued == [
        replace(
            PLAIN,
            expires_at=NOW + timedelta(hours=2),
            tags=(("zone", "1"), ("Area", "")),
            transitive_keys=("Area", "zone"),
            source_identity="anna",
            policy=DOCUMENT,
            policy_arns=("ANPASHIP",),
        )
    ]
    assert (made.packed_policy_size, made.source_identity) == (17, "anna")


@pytest.mark.parametrize(
    ("said", "fields", "wanted"),
    [
        ({"tags": {"a": "b"}}, {}, 17),
        ({}, {"policy": DOCUMENT}, 17),
        ({}, {"policy_arns": [{"arn": SHIP}]}, 17),
        ({"source_identity": "anna"}, {}, None),
    ],
)
def test_what_limits_or_tags_a_session_has_its_size_said(issue: Issue, said: dict[str, Any], fields: Any, wanted: int | None) -> None:
    assert issue(said, **fields).packed_policy_size == wanted


@pytest.mark.parametrize(("until", "wanted"), [(timedelta(minutes=20, microseconds=5), timedelta(minutes=20)), (timedelta(hours=3), None)])
def test_a_provider_may_end_a_session_before_its_time(
    issue: Issue, issued: list[Session], until: timedelta, wanted: timedelta | None
) -> None:
    issue({"until": NOW + until})
    assert issued[0].expires_at == NOW + (wanted or timedelta(hours=1))


@pytest.mark.usefixtures("late")
def test_times_are_whole_seconds(issue: Issue, issued: list[Session]) -> None:
    issue()
    assert (issued[0].issued_at, issued[0].expires_at) == (NOW, NOW + timedelta(hours=1))


def test_how_long_is_said_by_the_role_and_not_by_who_calls(issue: Issue) -> None:
    assert refusal(issue, duration_seconds=7201)[0] is ValidationError


@pytest.mark.parametrize("granted", [(WEB,), (WEB, "sts:TagSession"), (WEB, "sts:SetSourceIdentity"), ("sts:TagSession",)])
def test_each_action_that_a_session_takes_must_be_granted(node: FakeNode, issue: Issue, granted: tuple[str, ...]) -> None:
    node.world.put(replace(node.world.records[CLERK], trust=trust(*granted)))
    asks: list[tuple[str, dict[str, Any]]] = [
        (WEB, {}),
        ("sts:TagSession", {"tags": {"a": "b"}}),
        ("sts:SetSourceIdentity", {"source_identity": "anna"}),
    ]
    for action, said in asks:
        if WEB not in granted:
            assert refusal(issue, said) == denied()
        elif action in granted:
            issue(said)
        else:
            assert refusal(issue, said) == denied(action)


def test_who_is_asked_about(issue: Issue, node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    decide = permission.decide_vouched

    def noted(call: Any, who: Any, action: str, resource: Any, keys: Any, policy: Any) -> Any:
        principal = (who.subject.id, who.subject.account_id, who.principal.kind, who.principal.arn, who.principal.account)
        asked.append((action, principal, who.principal.provider, dict(who.keys), who.identity, resource.arn, resource.tags, dict(keys)))
        return decide(call, who, action, resource, keys, policy)

    monkeypatch.setattr(permission, "decide_vouched", noted)
    issue()
    nobody = ("", "", "federated", "", "")
    assert asked == [(WEB, nobody, IDP, KEYS, (), CLERK_ARN, {"desk": "1"}, {"sts:rolesessionname": "s-1"})]
    issue({"tags": {"Zone": "1", "area": ""}, "transitive": ["Zone"], "source_identity": "anna"})
    assert [one[0] for one in asked[1:]] == list(ALL)
    assert asked[1][-1] == {
        "sts:rolesessionname": "s-1",
        "sts:sourceidentity": "anna",
        "sts:transitivetagkeys": ("Zone",),
        "aws:tagkeys": ("Zone", "area"),
        "aws:requesttag/zone": "1",
        "aws:requesttag/area": "",
    }


def test_a_provider_that_was_changed_vouches_for_nobody(node: FakeNode, issue: Issue, issued: list[Session]) -> None:
    node.world.put(replace(PROVIDER, thumbprints=()))
    assert refusal(issue) == denied()
    del node.world.records[PROVIDER.id]
    assert refusal(issue) == denied()
    assert issued == []


def test_a_provider_vouches_in_its_own_account_alone(node: FakeNode, issue: Issue) -> None:
    foreign = replace(PROVIDER, account_id=OTHER)
    node.world.put(foreign)
    assert refusal(issue, {"provider": foreign}) == denied()


def test_whether_there_is_such_a_role_is_not_said(node: FakeNode, issue: Issue) -> None:
    named = f"arn:aws:iam::{ACCOUNT}:role/none"
    assert refusal(issue, role_arn=named) == denied()
    assert [one.arn for one in node.made.resources] == [named]
    assert refusal(issue, role_arn="x" * 20) == (ValidationError, f"{'x' * 20} is invalid")
    node.world.put(replace(node.world.records[CLERK], trust=trust(effect="Deny")))
    assert refusal(issue) == denied()


def test_what_stands_in_for_a_role_gives_no_session(issue: Issue, issued: list[Session], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(federated_sessions, "_permitted", lambda *_: None)
    assert refusal(issue, role_arn=f"arn:aws:iam::{ACCOUNT}:role/none") == denied()
    assert issued == []


def test_policies_are_those_of_the_account_of_the_role(issue: Issue) -> None:
    assert refusal(issue, policy_arns=[{"arn": SHIP.replace(ACCOUNT, OTHER)}])[0] is ValidationError
