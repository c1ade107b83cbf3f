"""Event data stores, as other calls find them: by ARN, or by the id at its end."""

from sqlalchemy import ColumnElement, or_, select

from sekisho import arn
from sekisho.calls.call import Call
from sekisho.services.cloudtrail import membership, names
from sekisho.services.cloudtrail.errors import EventDataStoreARNInvalid, EventDataStoreNotFound, InactiveEventDataStore
from sekisho.services.cloudtrail.names import Named
from sekisho.store.tables import EventDataStore


def find(call: Call, text: str) -> EventDataStore:
    """The event data store that is named, if the caller's account sees it; or EventDataStoreNotFound."""
    named = names.get_named(text) if text.startswith("arn:") else Named(call.account_id, "eventdatastore", text)
    if named is None or named.kind != "eventdatastore":
        raise EventDataStoreARNInvalid(f"{text[:256]} is not a valid ARN of an event data store.")
    query = select(EventDataStore).where(EventDataStore.id == named.name, visible(call))
    if text.startswith("arn:"):
        query = query.where(EventDataStore.account_id == named.account_id)
    row = call.session.scalars(query.execution_options(populate_existing=not call.reads)).one_or_none()
    if row is None or named.region != arn.REGION:
        raise EventDataStoreNotFound(f"Event data store {text[:256]} does not exist.")
    return row


def find_changeable(call: Call, text: str) -> EventDataStore:
    """The event data store that is named, which nobody else changes meanwhile."""
    membership.lock(call)
    return find(call, text)


def refuse_inactive(row: EventDataStore) -> None:
    """InactiveEventDataStore for one that waits for its end."""
    if row.deleted_at is not None:
        raise InactiveEventDataStore("The event data store is pending deletion.")


def visible(call: Call) -> ColumnElement[bool]:
    """The condition that the caller's account sees a store: its own, and its organization's if it administers its trails."""
    own: ColumnElement[bool] = EventDataStore.account_id == call.account_id
    organization = membership.get_own(call)
    if organization is None or not membership.is_administrator(call, organization):
        return own
    return or_(own, EventDataStore.organization_id == organization.id)


def arn_of(row: EventDataStore) -> str:
    """The ARN of an event data store."""
    return arn.cloudtrail(row.account_id, "eventdatastore", row.id)
