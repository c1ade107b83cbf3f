"""The definitions of services that hold for an account: this server's own, and those that the account has registered."""

from collections.abc import Iterable, Mapping
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from sekisho.memory import cold
from sekisho.operations import definitions as own_definitions
from sekisho.policy import definitions
from sekisho.policy.definitions import ServiceDefinition
from sekisho.policy.shares import Shares
from sekisho.store.tables import DefinedService

MOST_CHARACTERS = 4_000_000
"""Characters of all definitions of an account."""

_read: Shares[ServiceDefinition] = Shares(2 * MOST_CHARACTERS, before=cold.may_wait)
"""Definitions that were read, by account: each character takes some six bytes."""


def load_definitions(session: Session, account_id: str, names: Iterable[str] | None = None) -> Mapping[str, ServiceDefinition]:
    """The definitions that hold for an account, by action prefix; of these services alone, where they are named."""
    wanted = None if names is None else {name.lower() for name in names}
    own = own_definitions.own()
    query = select(DefinedService.name, DefinedService.definition).where(DefinedService.account_id == account_id)
    if wanted is not None:
        query = query.where(DefinedService.name.in_(sorted(wanted - own.keys())))
    found = {row.name: read(account_id, row.definition) for row in session.execute(query)}
    return {**found, **{name: service for name, service in own.items() if wanted is None or name in wanted}}


def read(account_id: str, text: str) -> ServiceDefinition:
    """The definition of a text that an account has registered, read once."""
    return _read.get(account_id, text, partial(definitions.read, most=2 * definitions.MAX_TEXT))
