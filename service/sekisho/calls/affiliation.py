"""The organization of the caller's account, which more services than one ask about.

Whoever changes an organization is alone in it: a lock of the organization is taken after the account's, and everything is read after it.
"""

from sqlalchemy import select

from sekisho.calls.call import Call
from sekisho.store import db
from sekisho.store.tables import Member, Organization


def get(call: Call) -> Organization | None:
    """The organization of the caller's account."""
    query = select(Organization).join(Member, Member.organization_id == Organization.id)
    return call.session.scalars(
        query.where(Member.account_id == call.account_id).execution_options(populate_existing=not call.reads)
    ).one_or_none()


def get_alone(call: Call) -> Organization | None:
    """The organization of the caller's account, which a WRITE has for itself from here on."""
    id_ = None
    if not call.reads:
        id_ = call.session.scalar(select(Member.organization_id).where(Member.account_id == call.account_id))
        if id_ is not None:
            lock(call, id_)
    found = get(call)
    return found if call.reads or found is None or found.id == id_ else None


def lock(call: Call, organization_id: str) -> None:
    """Have an organization for the call alone."""
    db.lock(call.session, f"organization:{organization_id}")
