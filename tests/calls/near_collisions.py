"""A node that remembers what it found out, held to one that does not: `python -m tests.calls.near_collisions --pairs 1000000`.

Both answer the same calls on the same database. The calls are near to one another: fields swapped, another case, empty for absent, another
tenant's, another audience, ended, from elsewhere; so that whatever takes one for another gives itself away. Writes come in between, by both
nodes in turns, and while calls are under way. A pair of answers counts where both nodes were at one and the same revision before it and
after it: then they must be the same, to the byte.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from sekisho import sigv4
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.calls import pipeline, proofs
from sekisho.calls.call import Node, Peer
from sekisho.credentials import accounts
from sekisho.errors import SekishoError, Unavailable
from sekisho.memory.findings import Findings
from sekisho.sigv4 import bearer
from tests import sqlite
from tests.harness import BY_NAME, House
from tests.nodes import two
from tests.services.iam.documents import allow, trust

THREADS = 4
UNAVAILABLE = "unavailable"
PAIRS_A_ROUND = 200
AUTHORIZE, BATCH = BY_NAME["Authorize"], BY_NAME["AuthorizeBatch"]
ADDRESSES = ("10.0.0.1", "10.0.0.2", "192.0.2.1", "")
AGENTS = (*("tests",) * 8, "Tests", "", "x" * 9_000)
ACTIONS = ("orders:Ship", "Orders:Ship", "orders:ship", "orders:Shi", "orders:Burn", "authorize:Authorize")
NAMES = ("ann", "Ann", "anna", "bob")
ASK = ("authorize:Authorize", "authorize:AuthorizeBatch")

DOCUMENTS = (
    allow("authorize:AssertPrincipal"),
    allow("authorize:AssertPrincipal", when={"IpAddress": {"aws:SourceIp": "10.0.0.1/32"}}),
    allow("authorize:AssertPrincipal", when={"StringEquals": {"aws:UserAgent": "tests"}}),
    allow("authorize:AssertPrincipal", on="arn:aws:iam::*:user/ann"),
    allow("authorize:*", when={"StringEquals": {"aws:PrincipalTag/team": "a"}}),
    allow("authorize:*", when={"DateLessThan": {"aws:CurrentTime": "2026-06-01T12:05:00Z"}}),
    allow("authorize:*", when={"StringLike": {"aws:userid": "AROA*:session"}}),
    allow(*ASK).replace("Allow", "Deny"),
    allow("authorize:AssertPrincipal", on="arn:aws:iam::*:role/*").replace("Allow", "Deny"),
    allow("orders:Ship", on="arn:aws:orders:::order/${aws:username}"),
    allow("orders:*", when={"StringEquals": {"aws:PrincipalTag/team": "a"}}),
    allow("orders:*"),
)
"""Policies that tell calls apart by what they read, or by nothing."""

START = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


class Clock(datetime):
    """The clock of all calls; it stands between two rounds, and goes both ways there."""

    moment = START

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        """The moment that is set."""
        return cls.moment.astimezone(tz)


@dataclass(slots=True)
class Tenant:
    """An account, with the credentials of everybody in it."""

    house: House
    other: House
    keys: dict[str, sigv4.Credentials] = field(default_factory=dict)

    def write(self, chance: random.Random, name: str, **fields: Any) -> Any:
        """Write through one of the two nodes; None where that is refused, which is as good."""
        try:
            return chance.choice((self.house, self.other)).call(name, _as=self.keys["root"], **fields)
        except SekishoError:
            return None


def settled(tenant: Tenant, chance: random.Random) -> None:
    """Fill an account: users whose names are near to one another, a role with a session."""
    for name in NAMES:
        _user(tenant, chance, name)
    arn = tenant.write(chance, "CreateRole", role_name="ann", assume_role_policy_document=trust(tenant.house.account_id)).role.arn
    tenant.write(chance, "PutRolePolicy", role_name="ann", policy_name="p", policy_document=allow("*"))
    tenant.write(chance, "PutUserPolicy", user_name="bob", policy_name="assume", policy_document=allow("sts:AssumeRole"))
    tenant.write(chance, "CreateGroup", group_name="g")
    made = tenant.house.call("AssumeRole", _as=tenant.keys["bob"], role_arn=arn, role_session_name="session").credentials
    tenant.keys["session"] = sigv4.Credentials(made.access_key_id, made.secret_access_key, made.session_token)


def _user(tenant: Tenant, chance: random.Random, name: str) -> None:
    tenant.write(chance, "CreateUser", user_name=name, tags=[{"key": "team", "value": chance.choice("ab")}])
    tenant.write(chance, "PutUserPolicy", user_name=name, policy_name="base", policy_document=allow(*ASK))
    tenant.write(chance, "PutUserPolicy", user_name=name, policy_name="p", policy_document=chance.choice(DOCUMENTS[:5]))
    key = tenant.write(chance, "CreateAccessKey", user_name=name)
    if key is not None:
        tenant.keys[name] = sigv4.Credentials(key.access_key.access_key_id, key.access_key.secret_access_key)


def _again(tenant: Tenant, chance: random.Random, name: str) -> None:
    """A user goes, and another comes by the same name."""
    for policy in ("base", "p", "q", "assume"):
        tenant.write(chance, "DeleteUserPolicy", user_name=name, policy_name=policy)
    tenant.write(chance, "RemoveUserFromGroup", user_name=name, group_name="g")
    for key in getattr(tenant.write(chance, "ListAccessKeys", user_name=name), "access_key_metadata", ()):
        tenant.write(chance, "DeleteAccessKey", user_name=name, access_key_id=key.access_key_id)
    tenant.write(chance, "DeleteUser", user_name=name)
    _user(tenant, chance, name)


def _status(tenant: Tenant, chance: random.Random, name: str) -> None:
    status = chance.choice(("Active", "Inactive", "Active", "Active"))
    tenant.write(chance, "UpdateAccessKey", user_name=name, access_key_id=tenant.keys[name].access_key_id, status=status)


def _boundary(tenant: Tenant, chance: random.Random, name: str) -> None:
    tenant.write(chance, "CreatePolicy", policy_name="limit", policy_document=allow("authorize:*"))
    tenant.write(
        chance, "PutUserPermissionsBoundary", user_name=name, permissions_boundary=f"arn:aws:iam::{tenant.house.account_id}:policy/limit"
    )


WRITES: tuple[Callable[[Tenant, random.Random, str], Any], ...] = (
    lambda t, c, n: t.write(c, "PutUserPolicy", user_name=n, policy_name="p", policy_document=c.choice(DOCUMENTS)),
    lambda t, c, n: t.write(c, "PutUserPolicy", user_name=n, policy_name="q", policy_document=c.choice(DOCUMENTS)),
    lambda t, c, n: t.write(c, "DeleteUserPolicy", user_name=n, policy_name="q"),
    lambda t, c, n: t.write(c, "PutGroupPolicy", group_name="g", policy_name="p", policy_document=c.choice(DOCUMENTS)),
    lambda t, c, n: t.write(c, "AddUserToGroup", user_name=n, group_name="g"),
    lambda t, c, n: t.write(c, "RemoveUserFromGroup", user_name=n, group_name="g"),
    lambda t, c, n: t.write(c, "TagUser", user_name=n, tags=[{"key": "team", "value": c.choice("abA")}]),
    lambda t, c, n: t.write(c, "UntagUser", user_name=n, tag_keys=["team"]),
    lambda t, c, n: t.write(c, "PutRolePolicy", role_name="ann", policy_name="p", policy_document=c.choice(DOCUMENTS)),
    lambda t, c, n: t.write(c, "TagRole", role_name="ann", tags=[{"key": "team", "value": c.choice("ab")}]),
    lambda t, c, n: t.write(c, "UpdateUser", user_name=n, new_path=c.choice(("/", "/x/"))),
    lambda t, c, n: t.write(c, "DeleteUserPermissionsBoundary", user_name=n),
    _boundary,
    _status,
    _again,
)
"""What gives, takes away or renames."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A call as it arrives, made once and sent to both nodes."""

    operation: Any
    metadata: tuple[tuple[str, str], ...]
    body: bytes
    peer: Peer

    def answer(self, node: Node) -> tuple[Any, ...]:
        """What a node says to it: the response, or the error, without the names of the call."""
        arrival = pipeline.Arrival(
            partial(pipeline.parsed, self.operation.request, self.body),
            proofs.of_metadata(self.metadata, self.operation.path, self.body, node.audience),
            self.peer,
            "name",
            20.0,
        )
        try:
            message: Any = pipeline.run(node, self.operation, arrival).message
        except Unavailable:
            return (UNAVAILABLE,)
        except SekishoError as error:
            return type(error).__name__, error.message
        return "answer", message.SerializeToString(deterministic=True)


class Askers:
    """Makes calls that are near to one another."""

    def __init__(self, tenants: list[Tenant]) -> None:
        self._tenants = tenants
        self._tokens: dict[tuple[str, str, datetime], str] = {}

    def call(self, chance: random.Random) -> Asked:
        """One call."""
        tenant = chance.choice(self._tenants)
        questions = [self._question(chance, tenant) for _ in range(chance.choice((1, 1, 1, 1, 1, 1, 3)))]
        batch = len(questions) > 1
        operation = BATCH if batch else AUTHORIZE
        body = (pb.AuthorizeBatchRequest(requests=questions) if batch else questions[0]).SerializeToString()
        peer = Peer(chance.choice(ADDRESSES), chance.choice(AGENTS), chance.random() < 0.5)
        return Asked(operation, self._proof(chance, tenant, operation.path, body), body, peer)

    def _proof(self, chance: random.Random, tenant: Tenant, path: str, body: bytes) -> tuple[tuple[str, str], ...]:
        kind = chance.random()
        if kind < 0.02:
            return ()
        if kind < 0.15:
            credentials = chance.choice(list(tenant.keys.values()))
            signed = body if chance.random() < 0.8 else body + b" "
            return sigv4.sign_call(credentials, path, signed, chance.choice(("sekisho", "sekisho", "Sekisho")), Clock.moment)
        return (("authorization", f"Bearer {self._token(chance, tenant)}"),)

    def _token(self, chance: random.Random, tenant: Tenant) -> str:
        """A bearer token: of the beginning, or of now; often enough one that is not quite right."""
        credentials = chance.choice(list(tenant.keys.values()))
        audience = chance.choice((*("sekisho",) * 18, "Sekisho", "orders"))
        moment = chance.choice((START, Clock.moment))
        key = (credentials.access_key_id, audience, moment)
        token = self._tokens.get(key)
        if token is None:
            if len(self._tokens) > 1_000:
                self._tokens.clear()
            token = self._tokens[key] = bearer.make(credentials, audience, moment).removeprefix("Bearer ")
        match chance.randrange(40):
            case 0:
                return token + "="
            case 1:
                return token.swapcase()
            case 2:
                at = chance.randrange(len(token))
                return token[:at] + chance.choice("Ab0_") + token[at + 1 :]
            case _:
                return token

    def _question(self, chance: random.Random, tenant: Tenant) -> pb.AuthorizeRequest:
        request = pb.AuthorizeRequest(
            action=chance.choice(ACTIONS), resource=chance.choice(("*", "arn:aws:orders:::order/ann", "arn:aws:orders:::order/Ann"))
        )
        about = tenant if chance.random() < 0.7 else chance.choice(self._tenants)
        match chance.randrange(8):
            case 0:
                pass
            case 1:
                request.bearer_token = self._token(chance, about)
                request.audience = chance.choice(("", "sekisho", "orders", about.house.account_id))
            case 2:
                request.bearer_token = self._arn(chance, about)
                request.audience = about.house.account_id
            case _:
                request.principal_arn = self._arn(chance, about)
        if chance.random() < 0.2:
            request.context.add(key=chance.choice(("aws:SourceIp", "aws:sourceip", "aws:PrincipalTag/team")), values=["10.0.0.1"])
        if chance.random() < 0.1:
            request.resource_account = chance.choice(self._tenants).house.account_id
        return request

    def _arn(self, chance: random.Random, tenant: Tenant) -> str:
        account, name = tenant.house.account_id, chance.choice(NAMES)
        return chance.choice(
            (
                *(f"arn:aws:iam::{account}:user/{name}",) * 6,
                f"arn:aws:iam::{account}:user/x/{name}",
                f"arn:aws:iam::{account}:User/{name}",
                f"arn:aws:iam::{account}:role/{name}",
                f"arn:aws:sts::{account}:assumed-role/ann/{chance.choice(('session', 'Session', 'a'))}",
                f"arn:aws:sts::{account}:assumed-role/Ann/session",
                f"arn:aws:iam::{account}:root",
                "",
            )
        )


@dataclass(slots=True)
class Outcome:
    """The end of a comparison: pairs that counted, and not because something moved or was slow; kinds of answers; differences."""

    pairs: int = 0
    moved: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)


def compare(folder: Path, pairs: int, seed: int) -> Outcome:
    """Ask so many pairs; ends at the first difference."""
    found = Outcome()
    with _nodes(folder) as (remembering, forgetful, tenants):
        chance, askers = random.Random(seed), Askers(tenants)
        with ThreadPoolExecutor(THREADS) as pool:
            while found.pairs < pairs and not found.differences:
                Clock.moment = START + timedelta(minutes=chance.choice((0, 1, 2, 3, 4, 4, 6, 14, 15, 16)))
                for _ in range(chance.randrange(3)):
                    chance.choice(WRITES)(chance.choice(tenants), chance, chance.choice(NAMES))
                remembering.world.poll()
                forgetful.world.poll()
                rounds = [pool.submit(_round, askers, remembering, forgetful, chance.randrange(2**32)) for _ in range(THREADS)]
                if chance.random() < 0.3:  # while they are under way
                    chance.choice(WRITES)(chance.choice(tenants), chance, chance.choice(NAMES))
                for one in rounds:
                    _add(found, one.result())
    return found


def _round(askers: Askers, remembering: Node, forgetful: Node, seed: int) -> Outcome:
    chance, found = random.Random(seed), Outcome()
    last = askers.call(chance)
    for _ in range(PAIRS_A_ROUND // THREADS):
        if chance.random() < 0.8:  # the others are asked once more, by somebody else perhaps
            last = askers.call(chance)
        before = remembering.world.point
        if forgetful.world.point != before:
            found.moved += 1
            time.sleep(0.001)
            continue
        plain, remembered = last.answer(forgetful), last.answer(remembering)
        moved = remembering.world.point is not before or forgetful.world.point != before
        if moved or UNAVAILABLE in (
            plain[0],
            remembered[0],
        ):  # a node that has to load may find the database slow, where the other need not
            found.moved += 1
            continue
        found.pairs += 1
        found.kinds[plain[0]] += 1
        if plain != remembered:
            found.differences.append(f"{last}\nforgetful: {plain}\nremembering: {remembered}")
            break
    return found


def _add(total: Outcome, one: Outcome) -> None:
    total.pairs += one.pairs
    total.moved += one.moved
    total.kinds += one.kinds
    total.differences += one.differences


@contextmanager
def _nodes(folder: Path) -> Iterator[tuple[Node, Node, list[Tenant]]]:
    """Two nodes, the second without findings, and two accounts that look alike; failed calls leave no records."""
    Clock.moment = START
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(pipeline, "datetime", Clock))
        first, second = stack.enter_context(two(sqlite.migrated(folder / "sekisho.db"), folder))
        second.node.world.findings = Findings(0)
        for house in (first, second):
            stack.enter_context(mock.patch.object(house.node.spool, "add", return_value=None))
        made = accounts.create(first.node.database, first.node.ring)
        chance = random.Random(0)
        tenants = [Tenant(first, second, {"root": first.root})]
        tenants.append(Tenant(House(first.node, made), House(second.node, made)))
        tenants[1].keys["root"] = tenants[1].house.root
        for tenant in tenants:
            settled(tenant, chance)
        yield first.node, second.node, tenants


def main() -> int:
    """Print what came of it; 1 when the two ever differed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = compare(Path(folder), options.pairs, options.seed)
    told = f"{found.pairs} pairs, seed {options.seed}; {found.moved} more did not count; {dict(found.kinds.most_common())}"
    print("\n".join((told, *found.differences)))  # noqa: T201  # a command, for people
    return bool(found.differences)


if __name__ == "__main__":
    sys.exit(main())
