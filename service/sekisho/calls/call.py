"""One call on its way through the pipeline, and the node that it runs on."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from sekisho import arn, world
from sekisho.calls.identities import Vouched
from sekisho.calls.replays import Replays
from sekisho.credentials import key_ring, saml
from sekisho.credentials.oidc.key_sets import KeySets
from sekisho.credentials.passkeys import RelyingParty
from sekisho.credentials.session_tokens import OpenedTokens
from sekisho.errors import Internal, Unavailable
from sekisho.journal.accesses import Accesses
from sekisho.journal.analyzers.asking import Questions
from sekisho.journal.data_events import DataEvents
from sekisho.journal.decision_log import DecisionLog
from sekisho.journal.issued import Issued
from sekisho.journal.last_use import LastUse
from sekisho.journal.spool import Spool
from sekisho.memory.cache import World
from sekisho.memory.feed import Feed
from sekisho.operations import OPERATIONS, Operation, Resource
from sekisho.operations.annotations import Access
from sekisho.store import changes, db
from sekisho.store.changes import Point
from sekisho.store.tables import Base, Entity
from sekisho.store.tables.entities import kind_of
from sekisho.store.used import Use
from sekisho.world import EntityRecord

E = TypeVar("E", bound=Entity)


class NoWritePath(Unavailable):
    """The node answers from what it reads; writes are for another one."""


@dataclass(frozen=True, slots=True)
class Writes:
    """The means of a node to write: the primary database, which need not be the one that it reads."""

    database: db.Database


@dataclass(frozen=True, slots=True)
class Node:
    """The parts of one worker process: the database that it reads, keys, world and spool, and what it writes with, if it does.

    `audience` is what its callers sign for; `services` are the packages whose operations it answers, None for all that are loaded;
    `buckets` those that trails can name, None for any; `saml_recipients` the addresses that responses of SAML providers are for;
    `key_sets` are the keys of OpenID Connect providers; `issuer_url` its own address, as issuers of tokens have it, empty when unknown;
    `passkeys` is who it is to browsers, None on one that makes none; `questions` are asked of a process that proves what policies grant.
    """

    database: db.Database
    ring: key_ring.KeyRing
    world: World
    feed: Feed
    spool: Spool
    last_use: LastUse
    accesses: Accesses
    data_events: DataEvents
    tokens: OpenedTokens
    replays: Replays
    issued: Issued
    audience: str
    writes: Writes | None
    services: frozenset[str] | None = None
    decision_log: DecisionLog | None = None
    buckets: frozenset[str] | None = None
    saml_recipients: tuple[str, ...] = (saml.AWS_RECIPIENT,)
    key_sets: KeySets = field(default_factory=KeySets)
    issuer_url: str = ""
    passkeys: RelyingParty | None = None
    questions: Questions = field(default_factory=Questions)

    @property
    def operations(self) -> tuple[Operation, ...]:
        """The operations that it answers, over whatever edge."""
        return tuple(one for one in OPERATIONS.values() if self.services is None or one.service.package in self.services)

    @property
    def primary(self) -> db.Database:
        """The database for writing; NoWritePath on a node that has none."""
        if self.writes is None:
            raise NoWritePath("This node does not write; send the call to one of the control plane. Nothing was written.")
        return self.writes.database


class Peer(NamedTuple):
    """Where a call comes from: an IP address (empty for a local socket), the client's name for itself, and whether TLS carried it; `tls` is
    what its event says of that (`tlsDetails`, JSON), empty where the edge does not know.
    """

    source_ip: str = ""
    user_agent: str = ""
    secure: bool = False
    tls: str = ""


_NOWHERE = Peer()


def plain_address(host: str) -> str:
    """`192.0.2.1` for the `::ffff:192.0.2.1` that a listener on [::] sees, so that a condition on an IPv4 network holds."""
    return host.removeprefix("::ffff:") if "." in host else host


@dataclass(slots=True, kw_only=True)
class Call:
    """A call: who, what, when, until when. Functions of operations get it with their request.

    `deadline` is on the monotonic clock; `now` is the wall clock in UTC, in whole microseconds, once for the whole call.
    """

    node: Node
    operation: Operation
    request_id: str
    now: datetime
    deadline: float
    peer: Peer = _NOWHERE
    acting: world.Acting | None = None
    point: Point | None = None
    database_session: Session | None = None
    snapshot: Callable[[], Session] | None = None
    """Opens the snapshot of a READ, when the first is asked for it."""
    resources: tuple[Resource, ...] = ()
    """All that the caller was authorized for, in the order of the checks: the audit record names it."""
    recipient: str = ""
    """The account that a call without a caller is about, once its function knows: the audit record of the call is that account's."""
    vouched: Vouched | None = None
    """Whom an identity provider vouched for, in a call without a caller."""
    use: Use | None = None
    """The use of the signature that a WRITE came with, which its transaction keeps."""
    secret: str | None = field(default=None, repr=False)
    """The secret of the credentials that a stream was called with, by which its caller knows the answers for ours (`answers`)."""
    prepared: Any = None
    """The work of the operation's preparation, done before the transaction."""

    @property
    def caller(self) -> world.Acting:
        """The caller; Internal for an operation that anybody may call unsigned, which has none."""
        if self.acting is None:
            raise Internal("the operation needs a caller")
        return self.acting

    @property
    def account_id(self) -> str:
        """The account of the caller's credentials, in which the call happens."""
        return self.caller.subject.account_id

    @property
    def session(self) -> Session:
        """The transaction of a WRITE, the snapshot of a READ."""
        if self.database_session is None:
            if self.snapshot is None:
                raise Internal(f"{self.operation.name} runs without a transaction")
            self.database_session = self.snapshot()
        return self.database_session

    def entity(self, kind: str, name: str) -> EntityRecord | None:
        """The entity of this kind with this name, in any case, or with exactly this ARN, in the caller's account; by ARN also a policy of
        AWS's. Out of memory where it is there, and never newer than the call's own snapshot.
        """
        named = self._named(kind, name)
        if named is None:
            return None
        found = self.node.world.get_entity(named, self.database_session, lambda: self.session)
        return found if found is not None and _is_meant(named, found) else None

    def row(self, table: type[E], name: str) -> E | None:
        """The row of what `entity` finds, to be changed or shown whole. In the snapshot of a READ it is looked for once."""
        named = self._named(kind_of(table), name)
        if named is None:
            return None
        known: dict[tuple[str, str, str], Any] = self.session.info.setdefault("entities", {}) if self.reads else {}
        key = (named.account, named.kind, named.key)
        found: E | None = known.get(key)
        if found is None:
            query = select(table).where(table.account_id == named.account, table.kind == named.kind, table.name_key == named.key)
            found = known[key] = self.session.scalars(query).one_or_none()
        return found if found is not None and _is_meant(named, found) else None

    def add(self, row: Base) -> None:
        """Have a new row written with the call."""
        changes.add(self.session, row)

    def _named(self, kind: str, name: str) -> arn.Entity | None:
        """The name in the caller's account, whose path does not matter; or the ARN's own, None for one that the caller cannot mean."""
        if not name.startswith("arn:"):
            return arn.Entity(self.account_id, kind, "", name)
        named = arn.entity(name)
        if named is None or named.kind != kind or (named.account != self.account_id and (named.account, kind) != (world.AWS, "policy")):
            return None
        return named

    @property
    def reads(self) -> bool:
        """True of a READ: it sees one snapshot throughout, in which nothing changes."""
        return self.operation.level == Access.READ

    @property
    def seconds_left(self) -> float:
        """Until the deadline, at least zero."""
        return max(0.0, self.deadline - time.monotonic())


def _is_meant(named: arn.Entity, found: Entity | EntityRecord) -> bool:
    """True when the bearer of the name has the path and the spelling as well, where an ARN gave them."""
    return not named.path or (named.name, named.path) == (found.name, found.path)
