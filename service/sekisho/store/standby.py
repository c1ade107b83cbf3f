"""How far a standby is behind its primary, as it says itself."""

import math

from sekisho.store import db

LAG = """SELECT CASE WHEN pg_is_in_recovery() THEN coalesce(extract(epoch FROM clock_timestamp() - coalesce(
    (SELECT last_msg_receipt_time FROM pg_stat_wal_receiver WHERE pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn()),
    pg_last_xact_replay_timestamp()
))::float8, 'Infinity') ELSE 0 END"""
"""Seconds; infinite when the standby does not know. While all that it has received is replayed, it is as new as the last word of its
primary, for which it asks after half of `wal_receiver_timeout`; else as new as the last commit that it has replayed. Only a role with the
privileges of pg_read_all_stats sees when the last word came.
"""


def lag(database: db.Database) -> float:
    """Seconds, zero for a primary; infinity when nobody knows."""
    row = database.glance(LAG)
    return max(0.0, float(row[0])) if row is not None else math.inf
