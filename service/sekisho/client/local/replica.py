"""The caller's account at one revision, as the server has sent it. Nothing of it changes: a later revision is another replica."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sekisho import arn
from sekisho.api.authorize.v1 import records_pb2
from sekisho.world import Acting, PrincipalRecord, Record, Subject, messages
from sekisho.world.revisions import ORIGIN, Point

REMEMBERED = 4096
"""Revisions by whose number and nonce the replica's history is told from another."""

Said = Mapping[str, records_pb2.Record]


class History:
    """The points that a replica has come by, the oldest forgotten first."""

    def __init__(self, first: Point) -> None:
        self._points = {first.number: first}

    def extend(self, points: Iterable[Point]) -> None:
        """Add what came after the newest, in order."""
        for point in points:
            self._points[point.number] = point
            if len(self._points) > REMEMBERED:
                del self._points[next(iter(self._points))]

    def has(self, point: Point) -> bool:
        """Whether a point is one of these."""
        return point == ORIGIN or self._points.get(point.number) == point


class Replica:
    """Records by id, compiled when they are first asked for, and what was composed of them; threads may share it."""

    def __init__(self, point: Point, caller: Subject, connection: Mapping[str, str], said: Said, size: int) -> None:
        self.point, self.caller, self.connection, self.size = point, caller, connection, size
        self.token = point.token
        self.history = History(point)
        self._said = said
        self._records: dict[str, Record | None] = {}
        account = said.get(caller.account_id)
        self._placed = messages.placed(account) if account is not None else {}
        self._names: dict[tuple[str, str], str] = {}
        for id_, one in said.items():
            if one.WhichOneof("record") == "principal":
                self._names[one.principal.kind, one.principal.name.lower()] = id_
        self.acting: dict[str, Acting] = {}
        """The principals that were asked about, composed, by the ARN that named them; of no session that grows older."""
        self.permitted: dict[tuple[str, str], bool] = {}
        """What the caller itself is permitted, by action and resource, where no clock has a say."""

    def get_record(self, id_: str) -> Record | None:
        """The record of an id; None when the account has no such thing."""
        if (placed := self._placed.get(id_)) is not None:
            return placed
        try:
            return self._records[id_]
        except KeyError:
            said = self._said.get(id_)
            record = self._records[id_] = messages.record(said) if said is not None else None
            return record

    def get_principal(self, named: arn.Entity) -> PrincipalRecord | None:
        """The user or role that an ARN names, whose path and spelling must be its own; of a role session, its role."""
        session = named.kind == "assumed-role"
        id_ = self._names.get(("role", named.role.lower()) if session else (named.kind, named.key))
        record = self.get_record(id_) if id_ is not None else None
        if not isinstance(record, PrincipalRecord):
            return None
        if session:
            return record if record.name == named.role else None
        return record if record.arn == arn.iam(named.account, named.kind, named.name, named.path) else None

    def after(self, point: Point, records: Iterable[records_pb2.Record]) -> "Replica":
        """The replica of a later revision, in which these records are others; what else was compiled stays."""
        said, size, compiled = dict(self._said), self.size, dict(self._records)
        for record in records:
            size += record.ByteSize() - (said[record.id].ByteSize() if record.id in said else 0)
            compiled.pop(record.id, None)
            if record.WhichOneof("record") is None:
                said.pop(record.id, None)
            else:
                said[record.id] = record
        made = Replica(point, self.caller, self.connection, said, size)
        made.history, made._records = self.history, compiled
        return made

    def at(self, point: Point) -> "Replica":
        """The replica of a later revision that has changed nothing of it."""
        made: Any = object.__new__(Replica)
        made.__dict__.update(self.__dict__, point=point, token=point.token)
        return made  # type: ignore[no-any-return]  # made of the same parts

    def acting_of(self, name: str, compose: Callable[[], Acting]) -> Acting:
        """A principal, composed once for each name."""
        found = self.acting.get(name)
        if found is None:
            found = compose()
            if len(self.acting) >= REMEMBERED:
                self.acting.clear()
            session = found.subject.session
            if session is None or session.mfa_at is None:
                self.acting[name] = found
        return found
