"""Whom a question may be about, and who may ask it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.credentials import accounts
from sekisho.sigv4 import bearer
from tests.harness import BY_NAME, House
from tests.services.authorize.conftest import Ask
from tests.services.conftest import Refused
from tests.services.iam.documents import allow, trust

SHIP = allow("orders:Ship")


def deny(action: str, on: str) -> str:
    """A policy that denies an action on a resource."""
    return allow(action, on=on).replace('"Allow"', '"Deny"')


NOW = datetime(2026, 1, 1, tzinfo=UTC)


def token(credentials: sigv4.Credentials, audience: str = "sekisho", *, age: int = 0) -> str:
    """What `sekisho token` prints."""
    return bearer.make(credentials, audience, datetime.now(UTC) - timedelta(seconds=age)).removeprefix("Bearer ")


def signed_request(credentials: sigv4.Credentials, *, audience: str = "orders", body: bytes = b"order 1") -> pb.SignedRequest:
    """A request as a client of another service signs it."""
    path = "/shop.orders.v1.Orders/Ship"
    headers = dict(sigv4.sign_call(credentials, path, body, audience, datetime.now(UTC)))
    return pb.SignedRequest(path=path, body=body, audience=audience, headers=headers)


def test_without_a_subject_the_caller_is_meant(house: House, ask: Ask) -> None:
    ann = house.user("ann", allow("authorize:Authorize"), SHIP)
    bob = house.user("bob", allow("authorize:Authorize"))
    assert ask(_as=ann).outcome == pb.OUTCOME_ALLOWED
    assert ask(_as=ann).principal_arn == f"arn:aws:iam::{house.account_id}:user/ann"
    assert ask(_as=bob).outcome == pb.OUTCOME_IMPLICITLY_DENIED


def test_a_bearer_token_names_its_holder(house: House, ask: Ask) -> None:
    ann = house.user("ann", SHIP)
    found = ask(bearer_token=token(ann))
    assert (found.outcome, found.principal_arn) == (pb.OUTCOME_ALLOWED, f"arn:aws:iam::{house.account_id}:user/ann")
    assert ask(bearer_token=token(house.user("bob"))).outcome == pb.OUTCOME_IMPLICITLY_DENIED


def test_a_bearer_token_is_taken_with_its_scheme_too(house: House, ask: Ask) -> None:
    assert ask(bearer_token=f"Bearer {token(house.user('ann', SHIP))}").outcome == pb.OUTCOME_ALLOWED


def test_a_token_for_a_service_is_good_there_alone(house: House, ask: Ask, refused: Refused) -> None:
    ann = house.user("ann", SHIP)
    assert ask(bearer_token=token(ann, "orders"), audience="orders").outcome == pb.OUTCOME_ALLOWED
    for made_for, used_at in (("orders", ""), ("sekisho", "orders"), ("orders", "billing")):
        code, _ = refused("Authorize", action="orders:Ship", resource="*", bearer_token=token(ann, made_for), audience=used_at)
        assert code == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        ("expired", "RequestExpired"),
        ("of the wrong secret", "SignatureDoesNotMatch"),
        ("of no key", "InvalidClientTokenId"),
        ("no token", "IncompleteSignature"),
    ],
)
def test_a_token_that_does_not_hold_is_an_error_and_never_the_caller(house: House, refused: Refused, broken: str, code: str) -> None:
    ann = house.user("ann", SHIP)
    tokens: dict[str, Callable[[], str]] = {
        "expired": lambda: token(ann, age=1000),
        "of the wrong secret": lambda: token(sigv4.Credentials(ann.access_key_id, "x" * 40)),
        "of no key": lambda: token(sigv4.Credentials("AKIAAAAAAAAAAAAAAAAA", "x" * 40)),
        "no token": lambda: "bm90IGEgdG9rZW4",
    }
    found, message = refused("Authorize", action="orders:Ship", resource="*", bearer_token=tokens[broken]())
    assert found == code
    assert ann.secret_access_key not in message


def test_a_signed_request_names_its_signer(house: House, ask: Ask) -> None:
    ann = house.user("ann", SHIP)
    assert ask(signed_request=signed_request(ann)).principal_arn == f"arn:aws:iam::{house.account_id}:user/ann"


@pytest.mark.parametrize("changed", ["path", "body", "audience", "headers"])
def test_a_signed_request_holds_as_it_was_signed_only(house: House, refused: Refused, changed: str) -> None:
    request = signed_request(house.user("ann", SHIP))
    if changed == "headers":
        request.headers["x-amz-date"] = "20260101T000000Z"
    elif changed == "body":
        request.body += b"0"
    else:
        setattr(request, changed, getattr(request, changed) + "x")
    assert refused("Authorize", action="orders:Ship", resource="*", signed_request=request)[0] == "SignatureDoesNotMatch"


def test_headers_of_a_signed_request_may_be_capitalised_but_not_doubled(house: House, ask: Ask, refused: Refused) -> None:
    request = signed_request(house.user("ann", SHIP))
    headers = dict(request.headers)
    request.headers.clear()
    request.headers.update({name.title(): value for name, value in headers.items()})
    assert ask(signed_request=request).outcome == pb.OUTCOME_ALLOWED
    request.headers["authorization"] = headers["authorization"]
    assert refused("Authorize", action="orders:Ship", resource="*", signed_request=request)[0] == "IncompleteSignature"


def test_naming_a_principal_takes_permission_on_it(house: House, ask: Ask, refused: Refused) -> None:
    house.user("ann", SHIP)
    ann = f"arn:aws:iam::{house.account_id}:user/ann"
    asserting = house.user("gate", allow("authorize:Authorize"), allow("authorize:AssertPrincipal", on=ann))
    assert ask(_as=asserting, principal_arn=ann).outcome == pb.OUTCOME_ALLOWED
    only_asking = house.user("door", allow("authorize:Authorize"))
    code, message = refused("Authorize", _as=only_asking, action="orders:Ship", resource="*", principal_arn=ann)
    assert code == "AccessDenied"
    assert message == (
        f"User: arn:aws:iam::{house.account_id}:user/door is not authorized to perform: authorize:AssertPrincipal on resource: {ann} "
        "because no identity-based policy allows the authorize:AssertPrincipal action"
    )
    other = f"arn:aws:iam::{house.account_id}:user/gate"
    assert refused("Authorize", _as=asserting, action="orders:Ship", resource="*", principal_arn=other)[0] == "AccessDenied"


def test_a_role_session_can_be_named(house: House, ask: Ask) -> None:
    role = house.call(
        "CreateRole", role_name="clerk", path="/shop/", assume_role_policy_document=trust(f"arn:aws:iam::{house.account_id}:root")
    )
    house.call("PutRolePolicy", role_name="clerk", policy_name="p", policy_document=SHIP)
    found = ask(principal_arn=f"arn:aws:sts::{house.account_id}:assumed-role/clerk/monday")
    assert (found.outcome, found.principal_arn) == (pb.OUTCOME_ALLOWED, f"arn:aws:sts::{house.account_id}:assumed-role/clerk/monday")
    assert ask(principal_arn=role.role.arn).outcome == pb.OUTCOME_ALLOWED
    assert ask(principal_arn=f"arn:aws:iam::{house.account_id}:root").outcome == pb.OUTCOME_ALLOWED


@pytest.mark.parametrize(
    ("arn", "code"),
    [
        ("arn:aws:iam::{account}:user/nobody", "NoSuchPrincipal"),
        ("arn:aws:iam::{account}:user/elsewhere/ann", "NoSuchPrincipal"),
        ("arn:aws:iam::{account}:user/Ann", "NoSuchPrincipal"),
        ("arn:aws:iam::{account}:role/ann", "NoSuchPrincipal"),
        ("arn:aws:sts::{account}:assumed-role/nobody/s1", "NoSuchPrincipal"),
        ("arn:aws:sts::{account}:assumed-role/nobody/s", "InvalidPrincipal"),
        ("arn:aws:sts::{account}:assumed-role/clerk", "NoSuchPrincipal"),
        ("arn:aws:iam::{account}:group/g", "InvalidPrincipal"),
        ("arn:aws:iam::{account}:policy/p", "InvalidPrincipal"),
        ("arn:aws:sts::{account}:federated-user/x", "InvalidPrincipal"),
        ("arn:aws:iam::{account}:user/a\0n", "InvalidPrincipal"),
        ("arn:aws:iam::999999999999:user/ann", "AccessDenied"),
        ("arn:aws:iam::aws:policy/Administrator", "AccessDenied"),
        ("ann", "InvalidArn"),
    ],
)
def test_what_names_no_principal_of_the_account(house: House, refused: Refused, arn: str, code: str) -> None:
    house.user("ann", SHIP)
    named = arn.format(account=house.account_id)
    assert refused("Authorize", action="orders:Ship", resource="*", principal_arn=named)[0] == code


def clerk(house: House) -> str:
    """A role with a path that may ship; the ARN of its sessions up to their names."""
    root = trust(f"arn:aws:iam::{house.account_id}:root")
    house.call("CreateRole", role_name="clerk", path="/shop/", assume_role_policy_document=root)
    house.call("PutRolePolicy", role_name="clerk", policy_name="p", policy_document=SHIP)
    return f"arn:aws:sts::{house.account_id}:assumed-role/clerk/"


@pytest.mark.parametrize("name", ["s", "x" * 65, "a b", "a/b", "a:b", "a*", "é1", "a\n"])
def test_a_session_has_a_name_that_a_session_can_have(house: House, refused: Refused, name: str) -> None:
    code, _ = refused("Authorize", action="orders:Ship", resource="*", principal_arn=clerk(house) + name)
    assert code == "InvalidPrincipal"


@pytest.mark.parametrize("name", ["ab", "x" * 64, "a_B+=,.@-9"])
def test_a_session_may_have_every_name_that_assuming_gives(house: House, ask: Ask, name: str) -> None:
    assert ask(principal_arn=clerk(house) + name).outcome == pb.OUTCOME_ALLOWED


@pytest.mark.parametrize("on", ["role/shop/clerk", "role/shop/*", "role/*"])
def test_a_role_that_may_not_be_asserted_has_no_sessions_that_may(house: House, ask: Ask, refused: Refused, on: str) -> None:
    session = clerk(house) + "monday"
    gate = house.user("gate", allow("authorize:*"))
    assert ask(_as=gate, principal_arn=session).outcome == pb.OUTCOME_ALLOWED
    denied = deny("authorize:AssertPrincipal", on=f"arn:aws:iam::{house.account_id}:{on}")
    house.call("PutUserPolicy", user_name="gate", policy_name="deny", policy_document=denied)
    code, message = refused("Authorize", _as=gate, action="orders:Ship", resource="*", principal_arn=session)
    assert code == "AccessDenied"
    assert message == (
        f"User: arn:aws:iam::{house.account_id}:user/gate is not authorized to perform: authorize:AssertPrincipal on resource: {session} "
        "with an explicit deny in an identity-based policy"
    )


def test_a_role_that_is_not_there_is_denied_as_one_that_is(house: House, refused: Refused) -> None:
    gate = house.user("gate", allow("authorize:*"), deny("authorize:AssertPrincipal", on=f"arn:aws:iam::{house.account_id}:role/*"))
    session = clerk(house) + "monday"
    known = refused("Authorize", _as=gate, action="orders:Ship", resource="*", principal_arn=session)
    other = refused("Authorize", _as=gate, action="orders:Ship", resource="*", principal_arn=session.replace("clerk", "nobody"))
    assert known == (other[0], other[1].replace("nobody", "clerk"))


def test_allowing_the_sessions_of_a_role_is_enough(house: House, ask: Ask, refused: Refused) -> None:
    prefix = clerk(house)
    gate = house.user("gate", allow("authorize:Authorize"), allow("authorize:AssertPrincipal", on=prefix + "*"))
    assert ask(_as=gate, principal_arn=prefix + "monday").outcome == pb.OUTCOME_ALLOWED
    role = house.user(
        "roles", allow("authorize:Authorize"), allow("authorize:AssertPrincipal", on=f"arn:aws:iam::{house.account_id}:role/*")
    )
    assert refused("Authorize", _as=role, action="orders:Ship", resource="*", principal_arn=prefix + "monday")[0] == "AccessDenied"


@pytest.mark.parametrize("form", ["bearer_token", "signed_request"])
def test_nobody_is_explained_the_policies_of_another_account(house: House, refused: Refused, form: str) -> None:
    other = House(house.node, accounts.create(house.node.database, house.node.ring))
    ann = other.user("ann", SHIP)
    given: dict[str, Any] = {"bearer_token": token(ann)} if form == "bearer_token" else {"signed_request": signed_request(ann)}
    request = {"action": "orders:Ship", "resource": "*", **given}
    assert refused("Explain", request=request) == (
        "AccessDenied",
        f"The account {other.account_id} has not consented that account {house.account_id} sees how it is decided.",
    )
    own = house.user("ann", SHIP)
    shown = house.call("Explain", request={"action": "orders:Ship", "resource": "*", "bearer_token": token(own)})
    assert '"inline-0"' in shown.trace_json


def test_the_holder_of_a_token_that_was_deleted_is_not_found(house: House, refused: Refused) -> None:
    house.call("CreateRole", role_name="clerk", assume_role_policy_document=trust(f"arn:aws:iam::{house.account_id}:root"))
    clerk = house.assume(f"arn:aws:iam::{house.account_id}:role/clerk", _as=house.user("ann", allow("sts:AssumeRole")))
    house.call("DeleteRole", role_name="clerk")
    code, _ = refused("Authorize", action="orders:Ship", resource="*", bearer_token=token(clerk))
    assert code == "UnknownPrincipal"
    assert refused("GetCallerIdentity", _as=clerk)[0] == "InvalidClientTokenId"


def test_who_may_not_ask_is_denied_in_awss_sentence(house: House, refused: Refused) -> None:
    nobody = house.user("nobody")
    arn = f"arn:aws:iam::{house.account_id}:user/nobody"
    for name, fields in (
        ("Authorize", {"action": "orders:Ship", "resource": "*"}),
        ("AuthorizeBatch", {"requests": [{"action": "orders:Ship", "resource": "*"}]}),
    ):
        code, message = refused(name, _as=nobody, **fields)
        assert code == "AccessDenied"
        assert message == (
            f"User: {arn} is not authorized to perform: authorize:Authorize on resource: * "
            "because no identity-based policy allows the authorize:Authorize action"
        )


def test_explaining_takes_its_own_permission(house: House, refused: Refused) -> None:
    assert BY_NAME["Explain"].action == "authorize:Explain"
    asking = house.user("door", allow("authorize:Authorize"))
    assert refused("Explain", _as=asking, request={"action": "orders:Ship", "resource": "*"})[0] == "AccessDenied"


def test_nothing_of_another_accounts_policies_shows(house: House, ask: Ask) -> None:
    """What was decided, in which layer: that shows, and the service's own policy of the resource."""
    other = House(house.node, accounts.create(house.node.database, house.node.ring))
    at_home = allow("orders:Ship", when={"StringEquals": {"orders:Country": "jp"}})

    def shown(who: sigv4.Credentials, owner: House = other, **fields: str) -> tuple[int, int, list[str], list[str]]:
        found = ask(bearer_token=token(who), resource=f"arn:aws:orders:eu-west-1:{owner.account_id}:order/1", **fields)
        return found.outcome, found.layer, [match.policy_name for match in found.matched], list(found.missing_keys)

    denied, undecided = pb.OUTCOME_EXPLICITLY_DENIED, pb.OUTCOME_IMPLICITLY_DENIED
    own, foreign = house.user("ann", at_home), other.user("ann", at_home)
    assert shown(own, house) == (undecided, pb.LAYER_IDENTITY, [], ["orders:Country"])
    assert shown(foreign) == (undecided, pb.LAYER_IDENTITY, [], [])
    own, foreign = house.user("bob", deny("orders:Ship", "*")), other.user("bob", deny("orders:Ship", "*"))
    assert shown(own, house) == (denied, pb.LAYER_IDENTITY, ["inline-0"], [])
    assert shown(foreign) == (denied, pb.LAYER_IDENTITY, [], [])
    closed = allow("orders:Ship").replace('"Allow"', '"Deny", "Principal": "*"')
    assert shown(foreign, resource_policy=closed)[2] == ["resource policy"]
