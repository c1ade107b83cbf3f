"""The shop, as a service's own program uses it: the client against a real server that holds real policies."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sekisho import client as sekisho
from sekisho.cli import connection, load
from sekisho.cli.examples import example
from sekisho.client import Client, Credentials, Layer, Outcome, pages, token
from tests import commanded
from tests.cli.command import environment

SHOP = example("shop")


@dataclass(frozen=True, slots=True)
class Shop:
    """Clients of the shop's root and of the service that keeps the orders."""

    endpoint: str
    root: Client
    service: Client
    account: str

    def arn(self, resource: str) -> str:
        """The ARN of an order, invoice, parcel."""
        return f"arn:aws:orders:eu-west-1:{self.account}:{resource}"

    def user(self, path: str) -> str:
        """The ARN of a user."""
        return f"arn:aws:iam::{self.account}:user/{path}"

    def key(self, user: str) -> Credentials:
        """A new access key of a user."""
        key = self.root.iam.create_access_key(user_name=user).access_key
        return Credentials(key.access_key_id, key.secret_access_key)


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with commanded.server() as server, Client(server.grpc, connection.credentials("root", server.data_dir)) as root:
        load.loaded(root, SHOP, {})
        account = root.sts.get_caller_identity().account
        key = root.iam.create_access_key(user_name="farid").access_key
        with Client(server.grpc, Credentials(key.access_key_id, key.secret_access_key)) as farid:
            service = assume(farid, f"arn:aws:iam::{account}:role/shop/order-service", "orders-1")
        with Client(server.grpc, service) as asking:
            yield Shop(server.grpc, root, asking, account)


def assume(client: Client, role: str, session: str) -> Credentials:
    """Temporary credentials of a role."""
    given = client.sts.assume_role(role_arn=role, role_session_name=session).credentials
    return Credentials(given.access_key_id, given.secret_access_key, given.session_token)


def test_the_company_is_as_large_as_it_says(shop: Shop) -> None:
    users = [user.user_name for page in pages(shop.root.iam.list_users) for user in page.users]
    groups = [group.group_name for group in shop.root.iam.list_groups().groups]
    roles = [role.role_name for role in shop.root.iam.list_roles(path_prefix="/shop/").roles]
    policies = [policy.policy_name for policy in shop.root.iam.list_policies(scope="Local").policies]
    assert sorted(users) == ["amara", "ben", "chiyo", "dario", "elif", "farid"]
    assert sorted(groups) == ["finance", "support", "warehouse"]
    assert sorted(roles) == ["incident-responder", "nightly-report", "order-service", "parcel-pickup"]
    assert len(policies) == 8


def test_every_policy_of_the_shop_is_used() -> None:
    named = (SHOP / "account.yaml").read_text()
    assert [path.stem for path in (SHOP / "policies").iterdir() if path.stem not in named] == []


def test_pages_go_on_to_the_end(shop: Shop) -> None:
    found = [[user.user_name for user in page.users] for page in pages(shop.root.iam.list_users, max_items=4)]
    assert found == [["amara", "ben", "chiyo", "dario"], ["elif", "farid"]]


def test_a_decision_with_its_reasons(shop: Shop) -> None:
    decision = shop.service.authorize(
        principal=shop.user("support/amara"),
        action="orders:RefundOrder",
        resource=shop.arn("order/2041"),
        context={"orders:Amount": 300},
    )
    assert decision
    assert (decision.outcome, decision.layer, decision.principal_arn) == (Outcome.ALLOWED, Layer.IDENTITY, shop.user("support/amara"))
    assert [(m.policy_arn, m.policy_version, m.sid, m.index) for m in decision.matched] == [
        (f"arn:aws:iam::{shop.account}:policy/shop/refund-orders", "v1", "LargeRefundsBySeniors", 1)
    ]


@pytest.mark.parametrize(
    ("user", "action", "resource", "tags", "context", "outcome"),
    [
        ("support/amara", "orders:GetOrder", "order/1", {"region": "eu"}, {}, "Allowed"),
        ("support/amara", "orders:GetOrder", "order/1", {"region": "us"}, {}, "ImplicitlyDenied"),
        ("support/amara", "orders:GetOrder", "order/1", {}, {}, "ImplicitlyDenied"),
        ("support/ben", "orders:RefundOrder", "order/1", {}, {"orders:Amount": 50}, "Allowed"),
        ("support/ben", "orders:RefundOrder", "order/1", {}, {"orders:Amount": 50.01}, "ImplicitlyDenied"),
        ("support/amara", "orders:RefundOrder", "order/1", {}, {"orders:Amount": 501}, "ImplicitlyDenied"),
        ("support/amara", "orders:SaveDraft", "draft/amara/3", {}, {}, "Allowed"),
        ("support/amara", "orders:SaveDraft", "draft/ben/3", {}, {}, "ImplicitlyDenied"),
        ("warehouse/chiyo", "orders:ShipOrder", "order/1", {"site": "hamburg"}, {"orders:Status": "paid"}, "Allowed"),
        ("warehouse/chiyo", "orders:ShipOrder", "order/1", {"site": "hamburg"}, {"orders:Status": "open"}, "ImplicitlyDenied"),
        ("warehouse/dario", "orders:ShipOrder", "order/1", {"site": "hamburg"}, {"orders:Status": "paid"}, "ImplicitlyDenied"),
        ("finance/elif", "orders:GetInvoice", "invoice/1", {}, {"aws:SourceIp": "10.20.3.4"}, "Allowed"),
        ("finance/elif", "orders:GetInvoice", "invoice/1", {}, {"aws:SourceIp": "10.21.3.4"}, "ImplicitlyDenied"),
        ("finance/elif", "orders:GetInvoice", "invoice/1", {}, {"aws:SourceIp": "2001:db8:20::7"}, "Allowed"),
        ("finance/elif", "orders:EraseCustomer", "customer/1", {}, {}, "ExplicitlyDenied"),
    ],
)
def test_who_may_do_what(
    shop: Shop, user: str, action: str, resource: str, tags: dict[str, str], context: dict[str, str | float], outcome: str
) -> None:
    question = {"principal": shop.user(user), "action": action, "resource": shop.arn(resource)}
    decision = shop.service.authorize(**question, resource_tags=tags, context=context)  # type: ignore[arg-type]  # a dict of strings
    assert decision.outcome.value == outcome


def test_a_batch_is_answered_from_one_revision(shop: Shop) -> None:
    order = shop.arn("order/1")
    ben, nobody = shop.user("support/ben"), shop.user("nobody")
    small, large, lost = shop.service.authorize_batch(
        [
            {"principal": ben, "action": "orders:RefundOrder", "resource": order, "context": {"orders:Amount": 5}},
            {"principal": ben, "action": "orders:RefundOrder", "resource": order, "context": {"orders:Amount": 500}},
            {"principal": nobody, "action": "orders:RefundOrder", "resource": order},
        ]
    )
    assert (small.allowed, large.allowed, lost.allowed) == (True, False, False)
    assert small.revision == large.revision != ""
    assert lost.error_code != ""


def test_an_explanation_in_awss_words(shop: Shop) -> None:
    explained = shop.root.explain(principal=shop.user("support/ben"), action="orders:ShipOrder", resource=shop.arn("order/1"))
    assert not explained
    assert explained.sentence == (
        f"User: {shop.user('support/ben')} is not authorized to perform: orders:ShipOrder on resource: {shop.arn('order/1')} "
        "because no identity-based policy allows the orders:ShipOrder action"
    )
    assert explained.trace


def test_what_policies_say_is_not_for_every_service(shop: Shop) -> None:
    with pytest.raises(sekisho.Denied, match="authorize:Explain"):
        shop.service.explain(principal=shop.user("support/ben"), action="orders:ShipOrder", resource=shop.arn("order/1"))


def test_the_service_asks_for_its_own_people_only(shop: Shop) -> None:
    with pytest.raises(sekisho.Denied) as raised:
        shop.service.authorize(principal=shop.user("engineering/farid"), action="orders:GetOrder", resource=shop.arn("order/1"))
    assert raised.value.code == "AccessDenied"
    assert "authorize:AssertPrincipal" in raised.value.message
    assert raised.value.request_id


def test_a_user_may_not_administer(shop: Shop) -> None:
    with Client(shop.endpoint, shop.key("ben")) as ben, pytest.raises(sekisho.Denied) as raised:
        ben.iam.create_user(user_name="mallory")
    assert raised.value.message.startswith(f"User: {shop.user('support/ben')} is not authorized to perform: iam:CreateUser on resource: ")
    with pytest.raises(sekisho.NotFound) as missing:
        shop.root.iam.get_user(user_name="mallory")
    assert missing.value.code == "NoSuchEntity"


def test_a_session_is_known_by_its_token(shop: Shop) -> None:
    with Client(shop.endpoint, shop.key("farid")) as farid:
        incident = assume(farid, f"arn:aws:iam::{shop.account}:role/shop/incident-responder", "INC-204")
        with pytest.raises(sekisho.Denied):
            assume(farid, f"arn:aws:iam::{shop.account}:role/shop/incident-responder", "fun")
    made = token(incident, "orders.example", datetime.now(UTC))
    order = shop.arn("order/1")
    read = shop.service.authorize(bearer_token=made, audience="orders.example", action="orders:GetOrder", resource=order)
    refund = shop.service.authorize(bearer_token=made, audience="orders.example", action="orders:RefundOrder", resource=order)
    with pytest.raises(sekisho.Error, match=r"signed for the audience `orders\.example`"):
        shop.service.authorize(bearer_token=made, action="orders:GetOrder", resource=order)
    assert read.principal_arn == f"arn:aws:sts::{shop.account}:assumed-role/incident-responder/INC-204"
    assert read.allowed
    assert (refund.outcome, refund.layer) == (Outcome.IMPLICITLY_DENIED, Layer.BOUNDARY)


def test_an_answer_that_must_know_of_a_write(shop: Shop) -> None:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "orders:Gift", "Resource": "*"}]}
    for _ in range(5):
        shop.root.iam.put_user_policy(user_name="dario", policy_name="gift", policy_document=json.dumps(document))
        written = shop.root.last_revision
        gift = {"principal": shop.user("warehouse/dario"), "action": "orders:Gift", "resource": "*"}
        assert shop.service.authorize(**gift, at_least=written).allowed  # type: ignore[arg-type]  # a dict of strings
        shop.root.iam.delete_user_policy(user_name="dario", policy_name="gift")
        assert not shop.service.authorize(**gift, at_least=shop.root.last_revision).allowed  # type: ignore[arg-type]  # as above


def test_an_inactive_key_is_refused(shop: Shop) -> None:
    key = shop.key("chiyo")
    with Client(shop.endpoint, key) as chiyo:
        assert chiyo.sts.get_caller_identity().arn == shop.user("warehouse/chiyo")
        shop.root.iam.update_access_key(user_name="chiyo", access_key_id=key.access_key_id, status="Inactive")
        # the same worker took the write, so it knows at once
        with pytest.raises(sekisho.Unauthenticated) as raised:
            chiyo.iam.get_user()
    assert raised.value.code == "InvalidClientTokenId"


def test_a_program_finds_its_server_by_the_environment(shop: Shop, tmp_path: Path) -> None:
    key = shop.key("elif")
    file = tmp_path / "credentials"
    file.write_text(f"[elif]\naws_access_key_id = {key.access_key_id}\naws_secret_access_key = {key.secret_access_key}\n")
    with Client.from_env(environment(SEKISHO_ENDPOINT=shop.endpoint, SEKISHO_CREDENTIALS=str(file), SEKISHO_PROFILE="elif")) as client:
        assert client.sts.get_caller_identity().arn == shop.user("finance/elif")
