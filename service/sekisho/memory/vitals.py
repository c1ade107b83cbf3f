"""The metrics of a worker's memory: what it finds and what it has to load, how much it holds, how far it is behind."""

from sekisho import meters

HITS = meters.Counter("sekisho_cache_hits", "Look-ups that memory answered, by what was looked for.", ["cache"])
MISSES = meters.Counter("sekisho_cache_misses", "Look-ups that went to the database, by what was looked for.", ["cache"])
BYTES = meters.Gauge("sekisho_cache_bytes", "Bytes that are held, about, by what.", ["cache"])
ENTRIES = meters.Gauge("sekisho_cache_entries", "Entries that are held, by what.", ["cache"])

REVISION = meters.Gauge("sekisho_feed_revision", "Number of the newest revision that memory has applied.")
BEHIND = meters.Gauge("sekisho_feed_lag_revisions", "Revisions that the last look, or a caller's `at_least`, named beyond those in memory.")
CONFIRMED = meters.Age("sekisho_feed_lag_seconds", "Seconds since memory was last found to be as new as the database that is read.")
SNAPSHOT = meters.Age("sekisho_snapshot_age_seconds", "Seconds since what the snapshot on the disk holds was as new as memory.")

RECORD_HITS, RECORD_MISSES = HITS.labels("records"), MISSES.labels("records")
NAME_HITS, NAME_MISSES = HITS.labels("names"), MISSES.labels("names")
