"""Queries: asked of event data stores, and shown to the account that asked, for seven days. `journal/trail/lake` asks the database."""

import json
import secrets
import uuid
from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message
from sqlalchemy import exists, func, select

from sekisho.api.cloudtrail.v1 import queries_pb2 as pb
from sekisho.calls import pages as markers
from sekisho.calls.call import Call
from sekisho.journal.trail.lake import asking, statements
from sekisho.journal.trail.lake.columns import InvalidQueryStatement
from sekisho.journal.trail.lake.statements import Statement
from sekisho.operations import Resource, operation, prepare, resource
from sekisho.services.cloudtrail import pages, quotas, resources, stores
from sekisho.services.cloudtrail.errors import (
    EventDataStoreNotFound,
    InactiveQuery,
    InvalidDateRange,
    InvalidNextToken,
    InvalidParameter,
    MaxConcurrentQueries,
    QueryIdNotFound,
    UnsupportedOperation,
)
from sekisho.services.cloudtrail.trail_status import seconds
from sekisho.store import paging
from sekisho.store.tables import EventDataStore, EventQuery, EventQueryPage

_PAGE = 100
_UNDER_WAY = ("QUEUED", "RUNNING")


@resource("queried")
def queried(call: Call, request: Any, field: str) -> Resource:
    """The event data store that a statement asks; a statement that is not one asks none. In the transaction it was read before."""
    if call.prepared is not None:
        return _store_of(call, call.prepared.store_id)
    try:
        id_ = statements.read(getattr(request, field), request.query_parameters).store_id
    except InvalidQueryStatement:
        id_ = "*"
    return _store_of(call, id_)


@resource("query")
def query(call: Call, request: Message, field: str) -> Resource:
    """The event data store that a query of the caller's account asked; what names no query is about none."""
    wanted = EventQuery.id == getattr(request, field), EventQuery.account_id == call.account_id
    return _store_of(call, call.session.scalar(select(EventQuery.store_id).where(*wanted)) or "*")


def _store_of(call: Call, id_: str) -> Resource:
    owner = call.session.scalar(select(EventDataStore.account_id).where(EventDataStore.id == id_, stores.visible(call)))
    return resources.of(call, f"arn:aws:cloudtrail:us-east-1:{owner or call.account_id}:eventdatastore/{id_}", "eventdatastore")


@operation
def start_query(call: Call, request: pb.StartQueryRequest) -> pb.StartQueryResponse:
    """A statement that is not understood is refused at once; ten queries of an account wait or are under way."""
    store = stores.find(call, call.prepared.store_id)
    _refuse_owner(request, store.account_id)
    stores.refuse_inactive(store)
    wanted = EventQuery.account_id == call.account_id, EventQuery.status.in_(_UNDER_WAY)
    if (call.session.scalar(select(func.count()).select_from(EventQuery).where(*wanted)) or 0) >= quotas.QUERIES:
        raise MaxConcurrentQueries(f"You can have up to {quotas.QUERIES} queries that wait or run.")
    row = EventQuery(
        id=str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)),
        account_id=call.account_id,
        store_id=store.id,
        statement=request.query_statement,
        parameters=json.dumps(list(request.query_parameters)),
        alias=request.query_alias or None,
        status="QUEUED",
        created_at=call.now,
        matched=0,
        scanned=0,
        bytes_scanned=0,
    )
    call.add(row)
    return pb.StartQueryResponse(query_id=row.id, event_data_store_owner_account_id=store.account_id)


@prepare(start_query)
def _read(_call: Call, request: pb.StartQueryRequest) -> Callable[[], Statement]:
    """A statement has up to 10,000 characters, and is read while nobody waits for the database."""

    def read() -> Statement:
        if not request.HasField("query_statement"):
            raise InvalidParameter("A query needs a statement: there are no dashboards whose queries have names.")
        if request.HasField("delivery_s3_uri"):
            raise UnsupportedOperation("This server does not deliver results of queries to buckets.")
        return statements.read(request.query_statement, request.query_parameters)

    return read


@operation
def describe_query(call: Call, request: pb.DescribeQueryRequest) -> pb.DescribeQueryResponse:
    """By its id, or the newest with an alias."""
    if request.HasField("query_id") == request.HasField("query_alias"):
        raise InvalidParameter("Specify either QueryId or QueryAlias.")
    row = _find(call, request)
    took = int((row.finished_at - row.started_at).total_seconds() * 1000) if row.finished_at and row.started_at else 0
    return pb.DescribeQueryResponse(
        query_id=row.id,
        query_string=row.statement,
        query_status=row.status,
        query_statistics=pb.QueryStatisticsForDescribeQuery(
            events_matched=row.matched,
            events_scanned=row.scanned,
            bytes_scanned=row.bytes_scanned,
            execution_time_in_millis=took,
            creation_time=seconds(row.created_at),
        ),
        error_message=row.error_message,
        event_data_store_owner_account_id=_owner(call, row),
    )


@operation
def get_query_results(call: Call, request: pb.GetQueryResultsRequest) -> pb.GetQueryResultsResponse:
    """A page of rows once the query is finished; before that, and when it failed, its status alone."""
    row = _find(call, request)
    cursor = markers.cursor(call, request, place="next_token", size="max_query_results")
    try:
        begin = int(cursor.open(request.next_token)[0]) if request.next_token else 0
    except paging.InvalidMarker:
        raise InvalidNextToken("The specified token is not valid.") from None
    end = begin + (request.max_query_results or 1000)
    first, last = begin // asking.PAGE, (end - 1) // asking.PAGE
    wanted = EventQueryPage.query_id == row.id, EventQueryPage.number >= first, EventQueryPage.number <= last
    held = (
        call.session.scalars(select(EventQueryPage).where(*wanted).order_by(EventQueryPage.number)).all()
        if row.status == "FINISHED"
        else ()
    )
    rows = [one for page in held for one in json.loads(page.rows)][begin - first * asking.PAGE : end - first * asking.PAGE]
    return pb.GetQueryResultsResponse(
        query_status=row.status,
        query_statistics=pb.QueryStatistics(results_count=len(rows), total_results_count=row.matched, bytes_scanned=row.bytes_scanned),
        query_result_rows=[pb.QueryResultRow(columns=[pb.QueryResultColumn(column=each) for each in one]) for one in rows],
        next_token=cursor.marker([end]) if row.status == "FINISHED" and end < row.matched else None,
        error_message=row.error_message,
    )


@operation
def list_queries(call: Call, request: pb.ListQueriesRequest) -> pb.ListQueriesResponse:
    """Those that the caller's account asked, by time; within a span of time, and of one status, where the request says so."""
    store = stores.find(call, request.event_data_store)
    wanted = [EventQuery.account_id == call.account_id, EventQuery.store_id == store.id]
    if request.HasField("start_time"):
        wanted.append(EventQuery.created_at >= request.start_time.ToDatetime(call.now.tzinfo))
    if request.HasField("end_time"):
        if request.HasField("start_time") and request.end_time.seconds < request.start_time.seconds:
            raise InvalidDateRange("The start time must not be later than the end time.")
        wanted.append(EventQuery.created_at <= request.end_time.ToDatetime(call.now.tzinfo))
    if request.HasField("query_status"):
        wanted.append(EventQuery.status == request.query_status)
    most = request.max_results or _PAGE
    found = pages.page(
        call, request, select(EventQuery).where(*wanted), key=[EventQuery.id], of=lambda row: [row.id], most=most, error=InvalidNextToken
    )
    shown = [pb.Query(query_id=row.id, query_status=row.status, creation_time=seconds(row.created_at)) for row in found.rows]
    return pb.ListQueriesResponse(queries=shown, next_token=found.marker)


@operation
def cancel_query(call: Call, request: pb.CancelQueryRequest) -> pb.CancelQueryResponse:
    """One that waits is never asked; what one finds that is under way is thrown away."""
    row = _find(call, request)
    if row.status not in _UNDER_WAY:
        raise InactiveQuery("The query is not running.")
    row.status, row.finished_at = "CANCELLED", call.now
    owner = _owner(call, row)
    return pb.CancelQueryResponse(query_id=row.id, query_status=row.status, event_data_store_owner_account_id=owner)


def _find(call: Call, request: Any) -> EventQuery:
    """A query that the caller's account asked, of the store that the request names, if it names one, or QueryIdNotFound."""
    wanted = [EventQuery.account_id == call.account_id]
    if request.query_id:
        wanted.append(EventQuery.id == request.query_id)
    else:
        wanted.append(EventQuery.alias == request.query_alias)
    if request.event_data_store:
        wanted.append(EventQuery.store_id == stores.find(call, request.event_data_store).id)
    newest = select(EventQuery).where(*wanted).order_by(EventQuery.created_at.desc(), EventQuery.id).limit(1)
    row = call.session.scalars(newest.execution_options(populate_existing=not call.reads)).one_or_none()
    if row is None or row.created_at < call.now - asking.KEPT:
        raise QueryIdNotFound(f"The query {(request.query_id or request.query_alias)[:256]} does not exist.")
    if not call.session.scalar(select(exists(select(EventDataStore.id).where(EventDataStore.id == row.store_id, stores.visible(call))))):
        raise QueryIdNotFound(f"The query {row.id} does not exist.")  # who does not see a store any more sees nothing of it
    _refuse_owner(request, _owner(call, row))
    return row


def _refuse_owner(request: Any, owner: str) -> None:
    if request.event_data_store_owner_account_id and request.event_data_store_owner_account_id != owner:
        raise EventDataStoreNotFound("The event data store does not belong to the account.")


def _owner(call: Call, row: EventQuery) -> str:
    return call.session.scalar(select(EventDataStore.account_id).where(EventDataStore.id == row.store_id)) or call.account_id
