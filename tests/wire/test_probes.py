"""An account cannot read, write or so much as notice another account's things.

The attacker is root of its own account, so that no policy of its own stands in the way. Each probe is a pair: the victim's name or id,
and one that nobody has; but for that name, the answers are the same to the last letter.
"""

import os
import random
import re
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import func, select

from sekisho.credentials import accounts
from sekisho.operations import Operation
from sekisho.sigv4 import Credentials
from sekisho.store.tables import Base, Change
from tests import harness
from tests.services.iam import documents
from tests.wire import world
from tests.wire.edge import Edge
from tests.wire.world import World

PAIRS = 500
LATER = ("audit_records", "trail_links", "trail_resources", "accesses")
"""Tables that hear of what the account itself did a second later, from the spool and from the sealer."""

SEEDS = range(int(os.environ.get("PROBES", "1")))
"""Five hundred pairs each; `make campaign` has twenty."""


@pytest.fixture(scope="module")
def victim(shared: Edge) -> World:
    """An account with everything in it."""
    node = shared.house.node
    return world.build(harness.House(node, accounts.create(node.database, node.ring)))


def rows(edge: Edge, account_id: str) -> dict[str, int]:
    """How many rows of each table are the account's, and how many changes touched it."""
    with edge.house.node.database.read() as session:
        counts = {
            name: session.scalar(select(func.count()).select_from(table).where(table.c.account_id == account_id)) or 0
            for name, table in Base.metadata.tables.items()
            if "account_id" in table.columns and name not in LATER
        }
        counts["changes"] = session.scalar(select(func.count()).select_from(Change).where(Change.id == account_id)) or 0
        return counts


@dataclass(frozen=True, slots=True)
class Attacker:
    """An account with a little of its own; its root user calls, or a user with all permissions."""

    edge: Edge
    callers: tuple[Credentials, Credentials]
    own: dict[str, Any]


def attacker(shared: Edge) -> Attacker:
    """A new one."""
    node = shared.house.node
    house = harness.House(node, accounts.create(node.database, node.ring))
    admin = house.user("mallory", documents.allow("*"))
    house.call("CreateGroup", group_name="crew")
    house.call("CreateRole", role_name="robot", assume_role_policy_document=documents.trust(house.account_id))
    own = {"user_name": "mallory", "group_name": "crew", "role_name": "robot", "policy_name": "inline-0"}
    return Attacker(shared.of(house), (house.root, admin), own)


NAMING = ("user_name", "group_name", "role_name", "policy_name", "policy_arn", "permissions_boundary", "access_key_id", "role_arn")
"""Fields that name what exists."""

TOLD = {"GetAccessKeyInfo"}
"""Tells the account that is in every key id, as AWS's does."""

OPERATIONS = [
    operation
    for name, operation in sorted(world.AWS_OPERATIONS.items())
    # what has a path makes something new, under a name of the attacker's own
    if name not in TOLD
    and (fields := operation.request.DESCRIPTOR.fields_by_name)
    and "path" not in fields
    and set(fields.keys()) & set(NAMING)
]


def other(value: str) -> str:
    """A name, ARN or id of the same form that nobody has."""
    if re.fullmatch(r"A[A-Z]{3}[A-Z0-9]{16,17}", value):
        return value[:4] + "Q" * (len(value) - 4)
    return value[:-3] + "zzz"


def probes(operation: Operation, victim: World, hand: Attacker, chance: random.Random) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields with one of the victim's names, and with one that nobody has; what else is named is the attacker's own, or likewise."""
    fields = victim.fields(operation)
    named = [name for name in NAMING if name in fields]
    aim = chance.choice([name for name in named if name != "policy_name"] or named)
    if chance.random() < 0.5:
        fields |= {name: hand.own[name] for name in named if name != aim and name in hand.own}
    wrong = fields | {aim: other(fields[aim])}
    if aim == "policy_arn" and chance.random() < 0.5:
        wrong[aim] = fields[aim].replace(victim.house.account_id, "999999999999")
    return fields, wrong


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_of_another_account_shows(seed: int, shared: Edge, victim: World) -> None:
    chance = random.Random(seed)
    hand = attacker(shared)
    before = rows(shared, victim.house.account_id)
    for _ in range(PAIRS):
        operation, caller = chance.choice(OPERATIONS), chance.choice(hand.callers)
        fields, wrong = probes(operation, victim, hand, chance)
        theirs, nobodys = (_answer(hand.edge, operation, given, caller) for given in (fields, wrong))
        assert theirs == nobodys, (operation.name, fields, wrong)
        assert theirs[0] >= 400 or operation.name.startswith("List"), (operation.name, fields, theirs)
    assert rows(shared, victim.house.account_id) == before


def test_probes_would_notice(shared: Edge, victim: World) -> None:
    """The same comparison, made by the victim itself, sees the difference at once."""
    operation = world.AWS_OPERATIONS["GetUser"]
    fields = victim.fields(operation)
    edge = shared.of(victim.house)
    found = [_answer(edge, operation, given, victim.house.root) for given in (fields, {"user_name": "nobody"})]
    assert found[0] != found[1]


def _answer(edge: Edge, operation: Operation, fields: dict[str, Any], caller: Credentials) -> tuple[int, str]:
    """Status and body without what the probe itself said and what differs from call to call."""
    reply = edge.call(operation.service.package, operation.name, world.members(operation, fields), caller)
    body = reply.body.replace(reply.headers["x-amzn-requestid"], "")
    for value in sorted((v for v in fields.values() if isinstance(v, str)), key=len, reverse=True):
        body = body.replace(value, "…")
    body = re.sub(r"\bA[A-Z]{3}[A-Z0-9]{16,17}\b", "id", body)
    body = re.sub(r"<(SecretAccessKey|SessionToken)>[^<]*", r"<\1>", body)
    return reply.status, re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "moment", body)
