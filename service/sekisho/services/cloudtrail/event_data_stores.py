"""Event data stores: made, shown, changed, stopped and removed. They hold no copies: what they are is a view of the records.

Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/query-event-data-store.html
"""

import json
import secrets
import uuid
from typing import Any

from sqlalchemy import func, select

from sekisho.api.cloudtrail.v1 import event_data_stores_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.cloudtrail import advanced_selectors, membership, pages, quotas, stores, tags
from sekisho.services.cloudtrail.errors import (
    EventDataStoreAlreadyExists,
    EventDataStoreMaxLimitExceeded,
    EventDataStoreTerminationProtected,
    InvalidEventDataStoreStatus,
    InvalidNextToken,
    InvalidParameter,
)
from sekisho.services.cloudtrail.trail_status import seconds
from sekisho.store.tables import EventDataStore

USUAL_RETENTION = {"EXTENDABLE_RETENTION_PRICING": 366, "FIXED_RETENTION_PRICING": 2557}
LONGEST_RETENTION = {"EXTENDABLE_RETENTION_PRICING": 3653, "FIXED_RETENTION_PRICING": 2557}
"""Days, by the mode of billing, which has no other meaning here."""

_USUAL = [{"Name": "Default management events", "FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}]
_PAGE = 100


@operation
def create_event_data_store(call: Call, request: pb.CreateEventDataStoreRequest) -> pb.CreateEventDataStoreResponse:
    """One of an organization is the management account's. It has no events from before it was made."""
    membership.lock(call)
    organization = membership.find_administered(call) if request.organization_enabled else None
    owner = organization.management_account_id if organization is not None else call.account_id
    _refuse_taken(call, owner, request.name)
    if (call.session.scalar(select(func.count()).where(EventDataStore.account_id == owner)) or 0) >= quotas.EVENT_DATA_STORES:
        raise EventDataStoreMaxLimitExceeded(f"Your account can have up to {quotas.EVENT_DATA_STORES} event data stores.")
    mode = request.billing_mode or "EXTENDABLE_RETENTION_PRICING"
    is_ingesting = request.start_ingestion or not request.HasField("start_ingestion")
    row = EventDataStore(
        id=str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)),
        account_id=owner,
        name=request.name,
        organization_id=organization.id if organization is not None else None,
        status="ENABLED" if is_ingesting else "STOPPED_INGESTION",
        multi_region_enabled=request.multi_region_enabled or not request.HasField("multi_region_enabled"),
        termination_protection_enabled=request.termination_protection_enabled or not request.HasField("termination_protection_enabled"),
        retention_period=request.retention_period or USUAL_RETENTION[mode],
        billing_mode=mode,
        kms_key_id=request.kms_key_id or None,
        advanced_event_selectors=_selectors(request) or json.dumps(_USUAL),
        ingestion=json.dumps([[call.now.timestamp(), None]] if is_ingesting else []),
        created_at=call.now,
        updated_at=call.now,
    )
    _refuse_retention(row)
    tags.put(call, row.id, request.tags_list)
    call.add(row)
    return pb.CreateEventDataStoreResponse(**members(row), tags_list=request.tags_list)


@operation
def get_event_data_store(call: Call, request: pb.GetEventDataStoreRequest) -> pb.GetEventDataStoreResponse:
    """One that waits for its end is shown, too."""
    return pb.GetEventDataStoreResponse(**members(stores.find(call, request.event_data_store)))


@operation
def list_event_data_stores(call: Call, request: pb.ListEventDataStoresRequest) -> pb.ListEventDataStoresResponse:
    """By id."""
    query = select(EventDataStore).where(stores.visible(call))
    key: Any = [EventDataStore.id]
    most = request.max_results or _PAGE
    found = pages.page(call, request, query, key=key, of=lambda row: [row.id], most=most, error=InvalidNextToken)
    shown = [pb.EventDataStore(event_data_store_arn=stores.arn_of(row), name=row.name) for row in found.rows]
    return pb.ListEventDataStoresResponse(event_data_stores=shown, next_token=found.marker)


@operation
def update_event_data_store(call: Call, request: pb.UpdateEventDataStoreRequest) -> pb.UpdateEventDataStoreResponse:
    """Leave whatever the request does not name. Selectors and retention hold for all events that there are, not for new ones alone."""
    row = _find_active(call, request.event_data_store)
    if request.HasField("organization_enabled") and request.organization_enabled != (row.organization_id is not None):
        organization = membership.find_administered(call)
        if organization.management_account_id != row.account_id:
            raise InvalidParameter("Only an event data store of the management account can be the organization's.")
        row.organization_id = organization.id if request.organization_enabled else None
    if request.name and request.name != row.name:
        _refuse_taken(call, row.account_id, request.name)
        row.name = request.name
    if request.advanced_event_selectors:
        row.advanced_event_selectors = _selectors(request) or row.advanced_event_selectors
    for member in ("multi_region_enabled", "retention_period", "termination_protection_enabled", "kms_key_id", "billing_mode"):
        if request.HasField(member):
            setattr(row, member, getattr(request, member))
    _refuse_retention(row)
    row.updated_at = call.now
    return pb.UpdateEventDataStoreResponse(**members(row))


@operation
def delete_event_data_store(call: Call, request: pb.DeleteEventDataStoreRequest) -> pb.DeleteEventDataStoreResponse:
    """It can be brought back for seven days."""
    row = _find_active(call, request.event_data_store)
    if row.termination_protection_enabled:
        raise EventDataStoreTerminationProtected("The event data store cannot be deleted because termination protection is enabled for it.")
    _stop(call, row)
    row.status, row.deleted_at, row.updated_at = "PENDING_DELETION", call.now, call.now
    return pb.DeleteEventDataStoreResponse()


@operation
def restore_event_data_store(call: Call, request: pb.RestoreEventDataStoreRequest) -> pb.RestoreEventDataStoreResponse:
    """It takes events in from then on."""
    row = stores.find_changeable(call, request.event_data_store)
    if row.deleted_at is None:
        raise InvalidEventDataStoreStatus("The event data store is not pending deletion.")
    row.deleted_at = None
    _begin(call, row)
    return pb.RestoreEventDataStoreResponse(**members(row))


@operation
def start_event_data_store_ingestion(
    call: Call, request: pb.StartEventDataStoreIngestionRequest
) -> pb.StartEventDataStoreIngestionResponse:
    """Events from between stay out of it."""
    row = _find_active(call, request.event_data_store)
    if row.status != "STOPPED_INGESTION":
        raise InvalidEventDataStoreStatus("The event data store is ingesting events already.")
    _begin(call, row)
    return pb.StartEventDataStoreIngestionResponse()


@operation
def stop_event_data_store_ingestion(call: Call, request: pb.StopEventDataStoreIngestionRequest) -> pb.StopEventDataStoreIngestionResponse:
    """Its events can be asked about further."""
    row = _find_active(call, request.event_data_store)
    if row.status != "ENABLED":
        raise InvalidEventDataStoreStatus("The event data store is not ingesting events.")
    _stop(call, row)
    row.status, row.updated_at = "STOPPED_INGESTION", call.now
    return pb.StopEventDataStoreIngestionResponse()


def members(row: EventDataStore) -> dict[str, Any]:
    """The members of an event data store in every answer."""
    return {
        "event_data_store_arn": stores.arn_of(row),
        "name": row.name,
        "status": row.status,
        "advanced_event_selectors": advanced_selectors.messages(row.advanced_event_selectors),
        "multi_region_enabled": row.multi_region_enabled,
        "organization_enabled": row.organization_id is not None,
        "retention_period": row.retention_period,
        "termination_protection_enabled": row.termination_protection_enabled,
        "created_timestamp": seconds(row.created_at),
        "updated_timestamp": seconds(row.updated_at),
        "kms_key_id": row.kms_key_id,
        "billing_mode": row.billing_mode,
    }


def _find_active(call: Call, text: str) -> EventDataStore:
    row = stores.find_changeable(call, text)
    stores.refuse_inactive(row)
    return row


def _refuse_taken(call: Call, owner: str, name: str) -> None:
    wanted = EventDataStore.account_id == owner, EventDataStore.name == name
    if call.session.scalar(select(func.count()).select_from(EventDataStore).where(*wanted)):
        raise EventDataStoreAlreadyExists(f"An event data store with the name {name} already exists.")


def _refuse_retention(row: EventDataStore) -> None:
    if row.retention_period > LONGEST_RETENTION[row.billing_mode]:
        raise InvalidParameter(f"The retention period can be up to {LONGEST_RETENTION[row.billing_mode]} days with {row.billing_mode}.")


def _selectors(request: pb.CreateEventDataStoreRequest | pb.UpdateEventDataStoreRequest) -> str | None:
    if not request.advanced_event_selectors:
        return None
    advanced_selectors.refuse_wrong(request.advanced_event_selectors, advanced_selectors.OF_STORES)
    return json.dumps(advanced_selectors.plain(request.advanced_event_selectors))


def _begin(call: Call, row: EventDataStore) -> None:
    spans = json.loads(row.ingestion)
    if len(spans) >= quotas.INGESTIONS:  # each is a condition of every query
        raise InvalidEventDataStoreStatus(
            f"The event data store has begun to ingest events {quotas.INGESTIONS} times, the most there can be."
        )
    row.ingestion = json.dumps([*spans, [call.now.timestamp(), None]])
    row.status, row.updated_at = "ENABLED", call.now


def _stop(call: Call, row: EventDataStore) -> None:
    row.ingestion = json.dumps([[begin, call.now.timestamp() if end is None else end] for begin, end in json.loads(row.ingestion)])
