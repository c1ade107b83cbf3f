"""The database: sessions and locks, the change log, the schema and its tables, pages of lists."""
