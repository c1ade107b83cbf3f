"""The definitions that hold for an account: this server's own before those of the account, whatever that registers."""

import json
from typing import Any

import pytest
from sqlalchemy.orm import Session

from sekisho.calls import service_definitions
from sekisho.memory import cold
from sekisho.operations import definitions as own_definitions
from sekisho.policy import definitions
from sekisho.policy.definitions import InvalidServiceDefinition
from sekisho.store.tables import DefinedService
from tests.calls.fakes import ACCOUNT, NOW, OTHER

TABLES = (DefinedService,)


def text(name: str, action: str = "Ship") -> str:
    return json.dumps({"Name": name, "Actions": [{"Name": action}]})


@pytest.fixture(autouse=True)
def registered(session: Session) -> None:
    for account, name in ((ACCOUNT, "orders"), (ACCOUNT, "berths"), (ACCOUNT, "iam"), (OTHER, "ships")):
        row = {"definition": text(name), "actions": 1, "resource_types": 0, "condition_keys": 0, "created_at": NOW, "updated_at": NOW}
        session.add(DefinedService(account_id=account, name=name, **row))
    session.flush()


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (None, {"orders", "berths", "iam"}),
        ((), set()),
        (["orders"], {"orders"}),
        (["Orders", "ORDERS", "none"], {"orders"}),
        (["ships"], set()),
        (["iam", "berths"], {"berths"}),
    ],
)
def test_the_texts_that_an_account_has_registered(session: Session, names: Any, found: set[str]) -> None:
    assert service_definitions.load_texts(session, ACCOUNT, names) == {name: text(name) for name in found}


@pytest.mark.parametrize(
    ("names", "theirs", "ours"),
    [
        (None, {"orders", "berths"}, set(own_definitions.own())),
        (["Orders", "IAM", "none"], {"orders"}, {"iam"}),
        (["sts"], set(), {"sts"}),
        ([], set(), set()),
    ],
)
def test_the_definitions_that_hold(session: Session, names: Any, theirs: set[str], ours: set[str]) -> None:
    found = service_definitions.load_definitions(session, ACCOUNT, names)
    assert set(found) == theirs | ours
    for name in ours:
        assert found[name] is own_definitions.own()[name]
    for name in theirs:
        assert found[name] == definitions.read(text(name))


def test_a_definition_is_read_once_for_each_account() -> None:
    first = service_definitions.read(ACCOUNT, text("orders", "Pack"))
    assert service_definitions.read(ACCOUNT, text("orders", "Pack")) is first
    assert service_definitions.read(OTHER, text("orders", "Pack")) is not first
    with cold.unwaiting(), pytest.raises(cold.Cold):
        service_definitions.read(ACCOUNT, text("orders", "Weigh"))


def test_what_was_registered_may_be_twice_as_long_as_what_is_given_today() -> None:
    """The text is the one that is written, which is longer than what was given."""
    short = text("orders")
    for length, fits in ((2 * definitions.MAX_TEXT, True), (2 * definitions.MAX_TEXT + 1, False)):
        padded = short + " " * (length - len(short))
        if fits:
            assert service_definitions.read(ACCOUNT, padded).name == "orders"
        else:
            with pytest.raises(InvalidServiceDefinition):
                service_definitions.read(ACCOUNT, padded)
