"""The world in memory: records by immutable id, loaded from the database and kept as new as the change log says."""
