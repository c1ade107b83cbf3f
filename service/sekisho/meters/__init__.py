"""Numbers about a running server, of all its workers together: counters, gauges, ages and histograms, in the words of Prometheus.

A metric is declared once, beside what it counts; a label is never something that a caller chooses. What a label costs is paid once, by
`labels`, which gives the series; to count is a lock, an addition and a store into memory that the worker's siblings read
(`meters.sheet`).
"""

from sekisho.meters.metrics import FAMILIES, Age, Count, Counter, Gauge, Histogram, Spread
from sekisho.meters.sheet import SHEET, clear

__all__ = ["FAMILIES", "SHEET", "Age", "Count", "Counter", "Gauge", "Histogram", "Spread", "clear"]
