"""Makes policies of what users and roles have done: reads the trail of an account for one, a stretch at a time.

A job that is read is one that was begun: who is killed in the middle leaves it IN_PROGRESS, and whoever comes next reads it from its
beginning. What is permitted without a policy, and what was refused, is not in a policy.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import structlog
from google.protobuf.json_format import ParseDict
from sqlalchemy import delete, or_, select, tuple_, update

from sekisho.analysis import generation
from sekisho.analysis.generation import Used
from sekisho.api.analyzer.v1.policy_generations_pb2 import CloudTrailProperties
from sekisho.errors import SekishoError
from sekisho.operations import OPERATIONS
from sekisho.operations import definitions as defined
from sekisho.policy import definitions
from sekisho.policy.definitions import ServiceDefinition
from sekisho.store import db
from sekisho.store.tables import AuditRecord, DefinedService, PolicyGeneration
from sekisho.store.tables.trail import DATA

STRETCH = 500
"""Records that are read at once."""
MOST_RECORDS = 100_000
"""Records of a job; there are more in AWS's quota of files, and a policy of that many is no longer made of what is typical."""
MOST_USED = 2_000
"""Different uses of a policy: it would be larger than any that can be attached."""
KEPT = timedelta(days=7)
"""For how long a policy that was made is shown."""
_FREE = frozenset(("sts:GetCallerIdentity",))
"""Actions that need no permission."""

log = structlog.get_logger(__name__)


def utc() -> datetime:
    """The time."""
    return datetime.now(UTC)


class _TooMuchError(Exception):
    """There is more than a policy is made of."""


class Generating:
    """Does the jobs of one database."""

    def __init__(self, database: db.Database, *, now: Callable[[], datetime] = utc) -> None:
        self._database, self._now = database, now

    def once(self) -> bool:
        """Do one job; whether there may be more."""
        with self._database.read() as session:
            waiting = select(PolicyGeneration).where(PolicyGeneration.status == "IN_PROGRESS").order_by(PolicyGeneration.started_at)
            job = session.scalars(waiting.limit(1)).one_or_none()
        if job is None:
            return self._forgotten()
        self._end(job, self._made(job))
        return True

    def _made(self, job: PolicyGeneration) -> dict[str, Any]:
        """The columns of the end of a job."""
        try:
            used = self._used(job)
            known = {**defined.own(), **self._definitions(job.account_id)}
            return {"status": "SUCCEEDED", "policy": generation.generate(used, known, parameters=True), "is_complete": True}
        except _TooMuchError as error:
            return {"status": "FAILED", "error_code": "SERVICE_QUOTA_EXCEEDED_ERROR", "error_message": str(error)}
        except SekishoError as error:
            if error.retryable:
                raise
            log.error("generation.failed", job=job.id, error=error.code)
        except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError):  # of a record that nobody foresaw; others' jobs wait
            log.exception("generation.failed", job=job.id)
        return {"status": "FAILED", "error_code": "SERVICE_ERROR", "error_message": "The policy could not be generated."}

    def _used(self, job: PolicyGeneration) -> list[Used]:
        counted: Counter[tuple[str, str, str]] = Counter()
        for record in self._records(job):
            for action, resource in uses(record):
                counted[action, resource, record.region] += 1
            if len(counted) > MOST_USED:
                raise _TooMuchError(f"More than {MOST_USED} different actions on resources were used.")
        return [Used(action, resource, job.account_id, region, times) for (action, resource, region), times in sorted(counted.items())]

    def _records(self, job: PolicyGeneration) -> Iterator[AuditRecord]:
        details = ParseDict(json.loads(job.details), CloudTrailProperties())
        begin, end = details.start_time.ToDatetime(UTC), details.end_time.ToDatetime(UTC)
        place = tuple_(AuditRecord.at, AuditRecord.id)
        who = or_(
            AuditRecord.principal_id == job.principal_id, AuditRecord.principal_id.startswith(f"{job.principal_id}:", autoescape=True)
        )
        query = select(AuditRecord).where(AuditRecord.account_id == job.account_id, AuditRecord.at <= end, who)
        query = query.where(AuditRecord.error_code.is_(None)).order_by(AuditRecord.at, AuditRecord.id).limit(STRETCH)
        last, read = tuple_(begin, ""), 0
        while True:
            with self._database.read() as session:
                rows = session.scalars(query.where(place > last)).all()
            yield from rows
            read += len(rows)
            if len(rows) < STRETCH:
                return
            if read >= MOST_RECORDS:
                raise _TooMuchError(f"There are more than {MOST_RECORDS} events; give a shorter time.")
            last = tuple_(rows[-1].at, rows[-1].id)

    def _definitions(self, account_id: str) -> Mapping[str, ServiceDefinition]:
        with self._database.read() as session:
            texts = session.scalars(select(DefinedService.definition).where(DefinedService.account_id == account_id)).all()
        return {one.name: one for one in map(definitions.read, texts)}

    def _end(self, job: PolicyGeneration, values: Mapping[str, Any]) -> None:
        """Say what came of a job, unless it was cancelled meanwhile."""
        same = PolicyGeneration.id == job.id, PolicyGeneration.status == "IN_PROGRESS"
        with self._database.write((job.account_id,)) as session:
            session.connection().execute(update(PolicyGeneration).where(*same).values(completed_at=self._now(), **values))

    def _forgotten(self) -> bool:
        over = PolicyGeneration.status != "IN_PROGRESS", PolicyGeneration.started_at < self._now() - KEPT
        with self._database.read() as session:
            ids = session.scalars(select(PolicyGeneration.id).where(*over).limit(STRETCH)).all()
        if ids:
            with self._database.write(()) as session:
                session.connection().execute(delete(PolicyGeneration).where(PolicyGeneration.id.in_(ids), *over))
        return len(ids) == STRETCH


def uses(record: AuditRecord) -> Iterator[tuple[str, str]]:
    """The actions that a record shows, each with the resource that it was on."""
    if record.category == DATA:
        asked = json.loads(record.request)
        if asked.get("action"):
            yield asked["action"], asked.get("resource") or "*"
        return
    named = [one["ARN"] for one in json.loads(record.resources)]
    for action, kind in _actions().get((record.event_source, record.event_name), ()):
        if action not in _FREE:
            for resource in _of_kind(kind, named):
                yield action, resource


def _of_kind(kind: str, named: list[str]) -> list[str]:
    """The resources that a check was about: those of its kind, so that none has another's action; where none says that, all of them."""
    if not kind:
        return ["*"]
    found = [resource for resource in named if resource.split(":", 5)[-1].partition("/")[0] == kind]
    return found or named or ["*"]


@cache
def _actions() -> Mapping[tuple[str, str], tuple[tuple[str, str], ...]]:
    """The actions that an operation of ours asks of its caller, each with the kind of what it is about, by event source and name."""
    return {
        (one.service.event_source, one.name): tuple(
            dict.fromkeys((check.action or one.action, check.kind) for check in one.checks if not check.when_field)
        )
        for one in OPERATIONS.values()
        if not one.permitted_to_all
    }
