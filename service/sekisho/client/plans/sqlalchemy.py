"""A plan as a filter of SQLAlchemy, for SQLite and PostgreSQL: it selects the rows that Authorize would allow, and no others.

    where(plan, arn=orders.c.arn, tags=lambda key: {"team": orders.c.team}[key])

Needs the extra `sqlalchemy`.
"""

from sekisho.filters.rows import Tags, where

__all__ = ["where", "Tags"]
