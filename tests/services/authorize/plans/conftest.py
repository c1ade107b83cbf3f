"""An account that has defined the service `orders`, and one of its services that asks."""

import json

import pytest

from sekisho import sigv4
from sekisho.credentials import accounts
from tests.harness import House
from tests.services.iam.documents import allow

DEFINITION = json.dumps(
    {
        "Name": "orders",
        "Actions": [{"Name": name, "Resources": [{"Name": "order"}]} for name in ("GetOrder", "ShipOrder", "CancelOrder")],
        "Resources": [{"Name": "order", "ARNFormats": ["arn:${Partition}:orders:${Region}:${Account}:order/${OrderId}"]}],
    }
)


@pytest.fixture
def house(shared: House) -> House:
    """A new account on the module's node, which has defined the service `orders`."""
    made = House(shared.node, accounts.create(shared.node.database, shared.node.ring))
    made.call("PutServiceDefinition", service_name="orders", definition=DEFINITION)
    return made


@pytest.fixture
def gate(house: House) -> sigv4.Credentials:
    """A service that asks about everybody."""
    return house.user("gate", allow("authorize:*"))
