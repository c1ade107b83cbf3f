"""Decisions as data events: recorded where selectors ask for them, as they ask, and nowhere else."""

import gzip
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from sekisho import sigv4
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.client import bearer
from sekisho.credentials import accounts
from sekisho.journal import data_events
from sekisho.journal.data_events import DataEvents
from sekisho.journal.spool import Spool
from sekisho.journal.trail import events, resources
from sekisho.journal.trail.delivery import Delivery
from sekisho.node import drain
from sekisho.services.cloudtrail import advanced_selectors
from sekisho.store.tables import AuditRecord, Trail
from tests import clock, harness, scraped
from tests.journal.trail import delivered
from tests.node.test_delivering import until
from tests.services.cloudtrail.test_queries import ask as query
from tests.services.iam.documents import allow
from tests.services.organizations.tree import Organization

ORDER = "AWS::Orders::Order"


class House(harness.House):
    """A house whose data events go to a spool of their own, so that no test waits for a drain."""

    spool: Spool

    def recorded(self, account: str | None = None) -> list[dict[str, Any]]:
        """The data events of an account, in the order in which they came, once all that waits is in the database. No more come then."""
        self.node.data_events.close()
        self.spool.close()
        while drain.carry(self.spool, self.node.database):
            pass
        query = select(AuditRecord).where(AuditRecord.account_id == (account or self.account_id), AuditRecord.category == "Data")
        with self.node.database.read() as session:
            return [events.event(record) for record in session.scalars(query.order_by(AuditRecord.spooled))]


@pytest.fixture
def house(shared: harness.House, tmp_path: Path) -> Iterator[House]:
    """A new account on the module's node."""
    spool = Spool(tmp_path / "data-events.db")
    made = House(replace(shared.node, data_events=DataEvents(spool)), accounts.create(shared.node.database, shared.node.ring))
    made.spool = spool
    yield made
    made.node.data_events.close()
    spool.close()


def numbers(found: list[dict[str, Any]]) -> list[str]:
    """The numbers of the orders that events are about."""
    return [event["requestParameters"]["resource"].rpartition("/")[2] for event in found]


def selector(type_: str = ORDER, **fields: Any) -> dict[str, Any]:
    """An advanced selector of data events; `readOnly={"equals": ["true"]}` is a further condition."""
    given = {"eventCategory": {"equals": ["Data"]}, "resources.type": {"equals": [type_]}, **fields}
    return {"field_selectors": [{"field": name.replace("__", "."), **condition} for name, condition in given.items()]}


def selector_of_writes() -> dict[str, Any]:
    """An advanced selector of management events that write."""
    return {"field_selectors": [{"field": "eventCategory", "equals": ["Management"]}, {"field": "readOnly", "equals": ["false"]}]}


def trail(house: House, *advanced: dict[str, Any], name: str = "mine", **fields: Any) -> str:
    """A trail that logs, with these selectors; its name."""
    house.call("CreateTrail", name=name, s3_bucket_name="logs", **fields)
    house.call("StartLogging", name=name)
    if advanced:
        house.call("PutEventSelectors", trail_name=name, advanced_event_selectors=list(advanced))
    return name


def dropped(reason: str) -> float:
    """The decisions that the metric counts so far."""
    return scraped.value("sekisho_data_events_dropped_total", reason=reason)


def ask(house: House, action: str = "orders:Ship", resource: str = "order/1", _as: sigv4.Credentials | None = None, **fields: Any) -> Any:
    """A decision about an order of the account."""
    return house.call("Authorize", _as=_as, action=action, resource=f"arn:aws:orders::{house.account_id}:{resource}", **fields)


def test_nobody_asked_and_nothing_is_recorded(house: House) -> None:
    trail(house)  # with the usual selectors
    ask(house)
    house.call("CreateEventDataStore", name="usual")
    ask(house)
    assert house.recorded() == []


def test_an_event_says_who_did_what_and_what_was_decided(house: House) -> None:
    trail(house, selector())
    house.user("ann", allow("orders:Ship"))
    ann = f"arn:aws:iam::{house.account_id}:user/ann"
    context = [{"key": "aws:SourceIp", "values": ["192.0.2.7"]}, {"key": "aws:UserAgent", "values": ["shop/1"]}]
    allowed = ask(house, principal_arn=ann, context=context)
    denied = ask(house, "orders:GetInvoice", principal_arn=ann)
    first, second = house.recorded()
    unique_id = first["userIdentity"].pop("principalId")
    assert unique_id.startswith("AIDA")
    assert first.pop("eventTime").endswith("Z")
    assert first == {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "arn": ann, "accountId": house.account_id, "userName": "ann"},
        "eventSource": "orders.amazonaws.com",
        "eventName": "Ship",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "192.0.2.7",
        "userAgent": "shop/1",
        "requestParameters": {"action": "orders:Ship", "resource": f"arn:aws:orders::{house.account_id}:order/1"},
        "responseElements": None,
        "additionalEventData": {
            "decision": "Allowed",
            "layer": "identity",
            "decisionId": allowed.decision_id,
            "askedBy": f"arn:aws:iam::{house.account_id}:root",
        },
        "requestID": allowed.decision_id,
        "eventID": allowed.decision_id,
        "readOnly": False,
        "resources": [{"ARN": f"arn:aws:orders::{house.account_id}:order/1", "accountId": house.account_id, "type": ORDER}],
        "eventType": "AwsApiCall",
        "managementEvent": False,
        "recipientAccountId": house.account_id,
        "eventCategory": "Data",
    }
    assert (second["eventID"], second["readOnly"], second["errorCode"]) == (denied.decision_id, True, "AccessDenied")
    assert second["errorMessage"].startswith(f"User: {ann} is not authorized to perform: orders:GetInvoice on resource: ")
    assert second["additionalEventData"]["decision"] == "ImplicitlyDenied"


CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "all_of_a_type": (selector(), ["Ship", "GetInvoice", "Ship"]),
    "another_type": (selector("AWS::Orders::Customer"), []),
    "reads": (selector(readOnly={"equals": ["true"]}), ["GetInvoice"]),
    "writes": (selector(readOnly={"equals": ["false"]}), ["Ship", "Ship"]),
    "a_name": (selector(eventName={"starts_with": ["Get"]}), ["GetInvoice"]),
    "not_a_name": (selector(eventName={"not_equals": ["Ship"]}), ["GetInvoice"]),
    "a_source": (selector(eventSource={"equals": ["orders.amazonaws.com"]}), ["Ship", "GetInvoice", "Ship"]),
    "an_arn": (selector(resources__ARN={"ends_with": [":order/2"]}), ["Ship"]),
    "a_principal": (selector(userIdentity__arn={"ends_with": [":root"]}), ["Ship", "GetInvoice", "Ship"]),
    "no_principal": (selector(userIdentity__arn={"not_ends_with": [":root"]}), []),
}


@pytest.mark.parametrize("case", CASES)
def test_advanced_selectors_take_what_they_name(house: House, case: str) -> None:
    chosen, names = CASES[case]
    trail(house, chosen)
    ask(house)
    ask(house, "orders:GetInvoice")
    ask(house, resource="order/2")
    assert [event["eventName"] for event in house.recorded()] == names


def test_basic_selectors_take_the_beginnings_of_arns(house: House) -> None:
    trail(house)
    values = [f"arn:aws:orders::{house.account_id}:order/1"]
    only = {"read_write_type": "WriteOnly", "include_management_events": False, "data_resources": [{"type": ORDER, "values": values}]}
    house.call("PutEventSelectors", trail_name="mine", event_selectors=[only])
    ask(house)
    ask(house, resource="order/17")
    ask(house, resource="order/2")
    ask(house, "orders:GetInvoice")
    assert numbers(house.recorded()) == ["1", "17"]


def test_a_batch_is_an_event_for_each_decision(house: House) -> None:
    trail(house, selector())
    asked = [
        pb.AuthorizeRequest(action="orders:Ship", resource=f"arn:aws:orders::{house.account_id}:order/{number}") for number in range(3)
    ]
    wrong = pb.AuthorizeRequest(action="orders:Ship", resource="order/1", principal_arn="arn:aws:iam::000000000000:user/nobody")
    house.call("AuthorizeBatch", requests=[*asked, wrong])
    found = house.recorded()
    assert numbers(found) == ["0", "1", "2"]
    assert len({event["eventID"] for event in found}) == 3
    assert [event["additionalEventData"]["decisionId"].rpartition("/")[2] for event in found] == ["0", "1", "2"]


def test_who_stops_logging_or_asks_no_more_has_no_further_events(house: House) -> None:
    name = trail(house, selector())
    ask(house)
    house.call("StopLogging", name=name)
    ask(house, resource="order/2")
    house.call("StartLogging", name=name)
    ask(house, resource="order/3")
    house.call("PutEventSelectors", trail_name=name, event_selectors=[{"read_write_type": "All"}])
    ask(house, resource="order/4")
    assert numbers(house.recorded()) == ["1", "3"]


def test_a_store_of_events_asks_too_and_is_asked(house: House) -> None:
    store = house.call(
        "CreateEventDataStore", name="data", termination_protection_enabled=False, advanced_event_selectors=[selector()]
    ).event_data_store_arn
    ask(house)
    house.call("StopEventDataStoreIngestion", event_data_store=store)
    ask(house, resource="order/2")
    assert numbers(house.recorded()) == ["1"]
    names = f"SELECT eventName, eventCategory FROM {store.rpartition('/')[2]}"  # which has no management events: it asks for none
    assert query(house, names) == [[("eventName", "Ship"), ("eventCategory", "Data")]]


def test_a_trail_delivers_what_it_asked_for(house: House, tmp_path: Path) -> None:
    name = trail(house, selector(), selector_of_writes())
    ask(house)
    assert numbers(house.recorded()) == ["1"]
    bucket = delivered.bucket(tmp_path)
    with house.node.database.read() as session:
        (row,) = session.scalars(select(Trail).where(Trail.account_id == house.account_id, Trail.name == name))
    delivery = Delivery(house.node.database, {"logs": bucket})

    def names() -> list[str]:
        delivery.once(row.id)
        return [
            event["eventName"]
            for path in bucket.path.rglob("*_CloudTrail_*.json.gz")
            for event in json.loads(gzip.decompress(path.read_bytes()))["Records"]
        ]

    until(lambda: "Ship" in names(), "the data event is not delivered")
    assert names().count("Ship") == 1
    assert "PutEventSelectors" in names()


def test_a_look_up_shows_no_data_events(house: House) -> None:
    trail(house, selector())
    ask(house)
    (event,) = house.recorded()
    for attribute, value in {"EventName": "Ship", "EventId": event["eventID"], "EventSource": "orders.amazonaws.com"}.items():
        attributes = [{"attribute_key": attribute, "attribute_value": value}]
        assert list(house.call("LookupEvents", lookup_attributes=attributes).events) == []
    assert "Ship" not in {found.event_name for found in house.call("LookupEvents").events}


def test_another_account_neither_asks_for_ones_decisions_nor_is_asked_for_its_own(house: House) -> None:
    trail(house, selector())
    other = house.account()
    ask(house, _as=other)
    assert house.recorded() == []


def test_a_principal_of_another_account_is_shown_as_a_stranger(house: House) -> None:
    trail(house, selector())
    other = house.account()
    ask(house, bearer_token=bearer.token(other, "sekisho", clock.now()))
    (event,) = house.recorded()
    assert sorted(event["userIdentity"]) == ["accountId", "principalId", "type"]
    assert event["userIdentity"]["type"] == "AWSAccount"
    assert event["userIdentity"]["accountId"] != house.account_id


def test_a_trail_of_the_organization_asks_for_its_members_decisions(house: House) -> None:
    org = Organization(house)
    org("EnableAWSServiceAccess", service_principal="cloudtrail.amazonaws.com")
    member = org.account()
    inside = org.inside(member)
    ask(house, _as=inside)
    trail(house, selector(), name="all", is_organization_trail=True)
    ask(house, resource="order/2", _as=inside)
    ask(house, resource="order/3")
    org("RemoveAccountFromOrganization", account_id=member)
    ask(house, resource="order/4", _as=inside)
    assert numbers(house.recorded(member)) == ["2"]
    assert numbers(house.recorded()) == ["3"]


def test_what_there_is_no_room_for_is_counted_and_costs_no_decision(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    trail(house, selector())
    monkeypatch.setattr(data_events, "MOST", 0)
    before = dropped("queue")
    assert ask(house).outcome == pb.OUTCOME_ALLOWED
    assert dropped("queue") == before + 1
    monkeypatch.undo()
    ask(house, resource="order/2")
    assert len(house.recorded()) == 1


def test_an_account_leaves_room_for_another(house: House) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def waits() -> None:
        begun.set()
        assert go_on.wait(60)

    queue = house.node.data_events
    queue.add("one", waits)
    assert begun.wait(60)
    before = dropped("share")
    for _ in range(data_events.MOST):
        queue.add("one", lambda: None)
    assert dropped("share") == before + data_events.MOST // 2 + 1
    queue.add("two", lambda: None)
    assert dropped("share") == before + data_events.MOST // 2 + 1
    go_on.set()


@pytest.mark.parametrize(
    ("action", "resource", "type_"),
    [
        ("shop:Get", "arn:aws:shop:eu-central-1:111122223333:order/17", "AWS::Shop::Order"),
        ("shop:Get", "order-line/17", "AWS::Shop::OrderLine"),
        ("my-shop:List", "*", "AWS::MyShop::Resource"),
        ("shop:Get", "arn:aws:shop:::", "AWS::Shop::Resource"),
        ("s3:GetObject", "arn:aws:s3:::photos/2026/a.jpg", "AWS::S3::Object"),
        ("s3:ListBucket", "arn:aws:s3:::photos", "AWS::S3::Bucket"),
        ("dynamodb:GetItem", "arn:aws:dynamodb:eu-central-1:111122223333:table/orders", "AWS::DynamoDB::Table"),
        ("lambda:InvokeFunction", "arn:aws:lambda:eu-central-1:111122223333:function:ship", "AWS::Lambda::Function"),
        ("sqs:SendMessage", "arn:aws:sqs:eu-central-1:111122223333:orders", "AWS::SQS::Queue"),
        ("sns:Publish", "arn:aws:sns:eu-central-1:111122223333:news", "AWS::SNS::Topic"),
        ("kms:Decrypt", "arn:aws:kms:eu-central-1:111122223333:key/1", "AWS::KMS::Key"),
        ("rds:Connect", "arn:aws:rds:eu-central-1:111122223333:db:orders", "AWS::RDS::Db"),
        ("iam:GetUser", "arn:aws:iam::111122223333:user/ann", "AWS::IAM::User"),
        ("sts:AssumeRole", "role/a", "AWS::STS::Role"),
        (":::", "::://", "AWS::Resource::Resource"),
    ],
)
def test_a_type_is_made_of_the_service_and_the_arn(action: str, resource: str, type_: str) -> None:
    assert resources.data_type(action.partition(":")[0], resource) == type_
    assert advanced_selectors.is_type(type_)


def test_a_record_that_cannot_be_made_is_counted_and_the_next_is_made(house: House) -> None:
    trail(house, selector())
    before = dropped("record")
    house.node.data_events.add(house.account_id, json.loads, "{")
    ask(house)
    assert len(house.recorded()) == 1
    assert dropped("record") == before + 1
