"""AssumeRoleWithSAML step by step: what each has of the one before, of a world in a dictionary."""

from base64 import b64encode
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho.api.sts.v1 import saml_sessions_pb2 as pb
from sekisho.calls import one_time_proofs
from sekisho.calls.identities import Vouched
from sekisho.credentials import saml
from sekisho.credentials.errors import ExpiredTokenException, IDPRejectedClaim, InvalidIdentityToken
from sekisho.errors import SekishoError, Unimplemented
from sekisho.services.sts import federated_sessions, saml_claims, saml_sessions
from sekisho.services.sts.federated_sessions import Assertion
from sekisho.world import AccountRecord, SamlProviderRecord
from tests.calls.fakes import ACCOUNT, NEVER, NOW, FakeNode

IDP = f"arn:aws:iam::{ACCOUNT}:saml-provider/idp"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/dev"
PROVIDER = SamlProviderRecord("B" * 32, ACCOUNT, IDP, "https://idp.example.com/m", (b64encode(b"der").decode(),), NOW)
RECIPIENTS = ("https://sekisho.example.com/saml",)


def facts(**fields: Any) -> saml.Facts:
    """The provider's assertion of Ana."""
    given: dict[str, Any] = {"id": "_1", "issuer": PROVIDER.issuer, "issued_at": NOW, "name_id": "ana", "name_format": "urn:x"}
    given |= {"name_qualifier": "", "sp_name_qualifier": "", "recipient": RECIPIENTS[0], "audiences": (), "not_on_or_after": NOW}
    attributes = {f"{saml_claims._OURS}Role": (f"{ROLE},{IDP}",), f"{saml_claims._OURS}RoleSessionName": ("ana",)}
    return saml.Facts(**{**given, "attributes": attributes | fields.pop("attributes", {}), **fields})


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> FakeNode:
    """One whose responses say `node.says`, or fail with it; `node.read`, `node.issued` and `node.taken` are what each step was given."""
    made = FakeNode(says=facts(), read=[], issued=[], taken=[], saml_recipients=RECIPIENTS, is_new=True)
    made.world.put(PROVIDER)
    monkeypatch.setattr(made.world, "get_record", made.world.records.__getitem__)  # nobody asks for what has no id
    made.world.records["none"] = None
    monkeypatch.setattr(made.world, "get_id", lambda named: {"idp": PROVIDER.id, "gone": "none", "odd": ACCOUNT}.get(named.name))

    def read(*given: Any) -> saml.Facts:
        made.read.append(given)
        if isinstance(made.says, Exception):
            raise made.says
        assert isinstance(made.says, saml.Facts)
        return made.says

    def issue(_call: object, _request: object, said: Assertion) -> Any:
        made.issued.append(said)
        return SimpleNamespace(credentials=None, assumed_role_user=None, packed_policy_size=17, source_identity="anna")

    def take(_call: object, *given: Any) -> bool:
        made.taken.append(given)
        return bool(made.is_new)

    monkeypatch.setattr(saml, "read", read)
    monkeypatch.setattr(federated_sessions, "issue", issue)
    monkeypatch.setattr(one_time_proofs, "take_assertion", take)
    return made


def assume(node: FakeNode, provider: str = IDP, **fields: Any) -> Any:
    """The response of the operation."""
    request = pb.AssumeRoleWithSAMLRequest(role_arn=ROLE, principal_arn=provider, saml_assertion="text", **fields)
    return saml_sessions.assume_role_with_saml(node.call("AssumeRoleWithSAML", None), request)


def refusal(*given: Any, **fields: Any) -> tuple[type[SekishoError], str]:
    """Why there is no session."""
    with pytest.raises(SekishoError) as caught:
        assume(*given, **fields)
    return type(caught.value), caught.value.message


def test_what_is_made_of_a_response(node: FakeNode) -> None:
    made = assume(node)
    ((text, held, recipients, now),) = node.read
    assert (text, recipients, now) == ("text", RECIPIENTS, NOW)
    assert (held.issuer, held.certificates, held.valid_until, held.encrypted) == (PROVIDER.issuer, (b"der",), NOW, False)
    qualifier = saml_claims.name_qualifier(PROVIDER)
    shown = Vouched("SAMLUser", f"{qualifier}:ana", "ana", qualifier)
    keys = saml_claims.keys(node.says, PROVIDER)
    assert node.issued == [Assertion(provider=PROVIDER, shown_as=shown, session_name="ana", keys=keys)]
    assert node.taken == [(ACCOUNT, "https://idp.example.com/m _1", NOW)]
    assert (made.subject, made.subject_type, made.issuer) == ("ana", "urn:x", PROVIDER.issuer)
    assert (made.audience, made.name_qualifier, made.packed_policy_size) == (RECIPIENTS[0], qualifier, 17)
    assert made.source_identity == "anna"


def test_what_a_response_says_of_the_session(node: FakeNode) -> None:
    ours = saml_claims._OURS
    asked = {f"{ours}PrincipalTag:team": ("red",), f"{ours}TransitiveTagKeys": ("team",), f"{ours}SourceIdentity": ("anna",)}
    node.says = facts(attributes=asked)
    assume(node)
    said = node.issued[0]
    assert (said.tags, said.transitive, said.source_identity, said.until) == ({"team": "red"}, ("team",), "anna", None)


@pytest.mark.parametrize(
    ("lasts", "session_minutes", "until"),
    [(None, None, None), ("1800", None, 30), (None, 20, 20), ("1800", 20, 20), ("1800", 40, 30)],
)
def test_the_first_end_counts(node: FakeNode, lasts: str | None, session_minutes: int | None, until: int | None) -> None:
    attributes = {f"{saml_claims._OURS}SessionDuration": (lasts,)} if lasts is not None else {}
    ends = NOW + timedelta(minutes=session_minutes) if session_minutes is not None else None
    node.says = facts(attributes=attributes, session_not_on_or_after=ends)
    assume(node)
    assert node.issued[0].until == (NOW + timedelta(minutes=until) if until is not None else None)


def test_a_response_is_taken_once_and_after_all_else(node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    node.is_new = False
    assert refusal(node) == (InvalidIdentityToken, "The SAML assertion was used before.")
    assert len(node.issued) == 1

    def denied(*_: object) -> None:
        raise IDPRejectedClaim("no")

    monkeypatch.setattr(federated_sessions, "issue", denied)
    assert refusal(node)[0] is IDPRejectedClaim
    assert len(node.taken) == 1


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (saml.Expired("late"), ExpiredTokenException),
        (saml.Rejected("no"), IDPRejectedClaim),
        (saml.Invalid("odd"), InvalidIdentityToken),
        (saml.SamlError("any"), InvalidIdentityToken),
    ],
)
def test_why_a_response_does_not_hold(node: FakeNode, error: saml.SamlError, said: type[SekishoError]) -> None:
    node.says = error
    assert refusal(node) == (said, error.message)


@pytest.mark.parametrize(
    "named",
    ["", "idp", IDP.replace("saml", "oidc"), IDP.replace("idp", "none"), IDP.replace("idp", "gone"), IDP.replace("idp", "odd"), IDP + "?"],
)
def test_a_provider_is_named_by_its_arn(node: FakeNode, named: str) -> None:
    assert isinstance(node.world.get_record(ACCOUNT), AccountRecord)
    assert refusal(node, named) == (InvalidIdentityToken, "Specified provider doesn't exist")
    node.world.put(SamlProviderRecord(PROVIDER.id, ACCOUNT, IDP.replace("idp", "IDP"), "", (), NOW))
    assert refusal(node)[0] is InvalidIdentityToken, "another spelling"
    assert refusal(node, minimum_session_token_size=1)[0] is Unimplemented


def noting(seen: list[Any], answer: Callable[..., Any]) -> Callable[..., Any]:
    """A function that notes what it is given, and answers by another."""

    def noted(*given: Any) -> Any:
        seen.append(given)
        return answer(*given)

    return noted


def test_private_keys_are_opened_for_a_response_that_is_encrypted(node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a node that writes: `primary` fails on another."""
    sealed = (("k1", b64encode(b"one").decode()), ("k2", b64encode(b"two").decode()))
    mode = {"encryption_mode": "Required", "private_keys": sealed}
    node.world.put(SamlProviderRecord(PROVIDER.id, ACCOUNT, IDP, PROVIDER.issuer, (), NOW, **mode))  # type: ignore[arg-type]
    unsealed: list[Any] = []
    node.primary = None
    node.ring = SimpleNamespace(unseal=noting(unsealed, lambda _, sealed, place: sealed.upper()))
    assume(node)
    held = node.read[0][1]
    assert (held.encrypted, unsealed) == (True, [])
    assert held.private_keys() == (b"ONE", b"TWO")
    assert unsealed == [("certificates", one, ("saml_private_keys", "private_key", key)) for one, key in ((b"one", "k1"), (b"two", "k2"))]
    del node.primary
    with pytest.raises(AttributeError):
        held.private_keys()


def test_one_of_an_account_is_read_at_a_time(node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[Any] = []
    monkeypatch.setattr(saml_sessions._turns, "turn", noting(turns, lambda *_: nullcontext()))
    assume(node)
    assert turns == [(ACCOUNT, NEVER)]
