"""What roles of PostgreSQL need: a data node's, which only reads what decisions are made of, and that of who drains its spool.

Source: https://www.postgresql.org/docs/current/sql-grant.html
"""

import re

from sqlalchemy import text
from sqlalchemy.orm import Session

from sekisho.errors import FailedPrecondition, InvalidArgument
from sekisho.store import tables
from sekisho.store.tables import Base

_DECIDING = (
    tables.Account,
    tables.AccessKey,
    tables.Issuer,
    tables.IssuerKey,
    tables.Entity,
    tables.User,
    tables.Group,
    tables.Role,
    tables.Membership,
    tables.Policy,
    tables.PolicyVersion,
    tables.InlinePolicy,
    tables.Attachment,
    tables.Tag,
    tables.Organization,
    tables.Unit,
    tables.Member,
    tables.OrganizationPolicy,
    tables.PolicyType,
    tables.Administrator,
    tables.OrganizationFeature,
    tables.Target,
    tables.Trail,
    tables.EventDataStore,
    tables.OpenIdConnectProvider,
    tables.SamlProvider,
    tables.RegisteredResource,
    tables.ResourceTag,
    tables.ResourceService,
    tables.DefinedService,
    tables.Revision,
    tables.Change,
)
READ = (*(table.__tablename__ for table in _DECIDING), "alembic_version")
"""Tables that a data node reads: what memory loads, the log of changes, and the schema's version."""

UNREAD = frozenset(Base.metadata.tables) - frozenset(READ)
"""Tables that a data node has no business with: seeds and hashes of passwords are among them."""

_DRAINED = (
    "SELECT, INSERT ON audit_records",
    "SELECT, INSERT, UPDATE ON accesses",
    "SELECT (id, last_used_at), UPDATE (last_used_at, last_used_service, last_used_region) ON access_keys",
    "SELECT (id, last_used_at), UPDATE (last_used_at, last_used_region) ON roles",
)
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_EXCESS = text(
    """SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND (
        has_table_privilege(format('%I.%I', schemaname, tablename), 'INSERT, UPDATE, DELETE, TRUNCATE')
        OR has_any_column_privilege(format('%I.%I', schemaname, tablename), 'INSERT, UPDATE')
        OR (tablename = ANY (:unread) AND has_any_column_privilege(format('%I.%I', schemaname, tablename), 'SELECT'))
    ) ORDER BY tablename"""
)


class TooManyPrivileges(FailedPrecondition):
    """A node that only reads was given a role of the database that may do more."""


def reader(role: str) -> list[str]:
    """The statements that give a role what a data node needs; it can log in already."""
    name = _checked(role)
    return [
        f"GRANT USAGE ON SCHEMA public TO {name};",
        f"GRANT SELECT ON {', '.join(READ)} TO {name};",
        f"GRANT pg_read_all_stats TO {name};",  # how far a standby is behind
        f"ALTER ROLE {name} SET default_transaction_read_only = on;",
    ]


def drain(role: str) -> list[str]:
    """The statements that give a role what `sekisho spool drain` needs."""
    name = _checked(role)
    return [f"GRANT USAGE ON SCHEMA public TO {name};", *(f"GRANT {what} TO {name};" for what in _DRAINED)]


def refuse_excess(session: Session) -> None:
    """Raise TooManyPrivileges when the session's role may write, or read what no decision is made of. SQLite has no roles."""
    if session.get_bind().dialect.name != "postgresql":
        return
    found = session.scalars(_EXCESS, {"unread": sorted(UNREAD)}).all()
    if found:
        shown = ", ".join(found[:3]) + (", …" if len(found) > 3 else "")
        raise TooManyPrivileges(
            f"the role of the database may write, or read more than decisions take ({shown}); a data node is given one that only reads: "
            "`sekisho db grants` says how"
        )


def _checked(role: str) -> str:
    if not _NAME.fullmatch(role):
        raise InvalidArgument(f"`{role}` is not a plain name of a role: lower-case letters, digits and underscores")
    return role
