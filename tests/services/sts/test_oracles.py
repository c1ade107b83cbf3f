"""Whether a role or a key exists is not told by what is done for it: the same statements, decisions and signatures either way."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import pytest
from sqlalchemy import event

from sekisho import sigv4
from sekisho.calls import permission
from sekisho.credentials import access_keys
from sekisho.sigv4 import algorithm
from sekisho.store.db import Database
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.sts.roles import new_account, role, trusting


@dataclass
class Work:
    """What a thread did: snapshots opened, statements sent, decisions made, signatures computed, secrets opened."""

    snapshots: int = 0
    statements: int = 0
    decisions: int = 0
    signatures: int = 0
    opened: int = 0


@contextmanager
def counted(house: House) -> Iterator[Work]:
    """Count what this thread does in the block; a node has others."""
    work, mine = Work(), threading.get_ident()

    def count(name: str) -> None:
        if threading.get_ident() == mine:
            setattr(work, name, getattr(work, name) + 1)

    def counting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            count(name)
            return function(*arguments, **named)

        return run

    def sent(*_: Any) -> None:
        count("statements")

    engines = house.node.database.engine, house.node.world.loads.engine
    for engine in engines:
        event.listen(engine, "before_cursor_execute", sent)
    try:
        with (
            mock.patch.object(Database, "read", counting("snapshots", Database.read)),
            mock.patch.object(permission, "decide", counting("decisions", permission.decide)),
            mock.patch.object(algorithm, "signature", counting("signatures", algorithm.signature)),
            mock.patch.object(access_keys, "unseal", counting("opened", access_keys.unseal)),
        ):
            yield work
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", sent)


def test_a_role_that_is_not_there_costs_what_one_costs_that_is(house: House, refused: Refused) -> None:
    stranger = house.user("stranger")
    known = role(house, trusting(f"arn:aws:iam::{house.account_id}:root"))

    def assume(arn: str) -> Work:
        with counted(house) as work:
            assert refused("AssumeRole", _as=stranger, role_arn=arn, role_session_name="s1")[0] == "AccessDenied"
        return work

    missing, elsewhere, user = (known.replace("role/clerk", other) for other in ("role/nobody", "role/secret/noone", "user/nobody"))
    assume(user)  # which loads what there is of the caller
    cold = [assume(arn) for arn in (known, missing, elsewhere)]
    assert [work.snapshots for work in cold] == [2, 2, 2]  # one for the name, one for the id
    assert [work.statements for work in cold] == [cold[0].statements] * 3
    assert cold[0].statements >= 5
    assert [assume(arn) for arn in (known, missing, elsewhere, user)] == [Work(decisions=1, signatures=1)] * 4


def test_a_role_of_another_account_is_nobodys(house: House, refused: Refused) -> None:
    other = House(house.node, new_account(house))
    known, stranger = role(other), house.user("stranger")
    for _ in range(2):
        works = []
        for arn in (known, known.replace("clerk", "nobody"), known.replace(other.account_id, "999999999999")):
            with counted(house) as work:
                assert refused("AssumeRole", _as=stranger, role_arn=arn, role_session_name="s1")[0] == "AccessDenied"
            works.append(work)
    assert works == [Work(decisions=1, signatures=1)] * 3


@pytest.mark.parametrize("secret", ["right", "wrong"])
def test_a_key_that_is_not_there_costs_what_one_costs_that_is_not_used(house: House, refused: Refused, secret: str) -> None:
    used, unused = house.user("ann"), house.user("bob")
    house.call("UpdateAccessKey", user_name="bob", access_key_id=unused.access_key_id, status="Inactive")
    missing = sigv4.Credentials("AKIAAAAAAAAAAAAA" + secret[:4].upper(), "x" * 40)

    def ask(key: sigv4.Credentials) -> tuple[tuple[str, str], Work]:
        given = key if secret == "right" else sigv4.Credentials(key.access_key_id, "y" * 40)
        with counted(house) as work:
            found = refused("GetUser", _as=given, user_name="nobody")
        return found, work

    refusal = ("InvalidClientTokenId", "The security token included in the request is invalid.")
    cold = [ask(key)[1] for key in (unused, missing)]
    assert [(work.snapshots, work.statements, work.opened) for work in cold] == [(1, 1, 1)] * 2
    assert ask(unused) == ask(missing) == (refusal, Work(signatures=1))
    assert ask(used)[1].signatures == 1
